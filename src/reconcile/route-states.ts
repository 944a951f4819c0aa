/**
 * What a kernel has of a great many routes, and what it should have instead.
 *
 * Nearly always that is the same. So there is one entry for a route, its way in the kernel, and a second one only while another
 * is wanted: not written yet, refused, or waiting for its way.
 */
import type { Way } from './way.ts'

export class RouteStates<K> {
  readonly #there = new Map<K, Way>()
  /** undefined: the route is to go. */
  readonly #different = new Map<K, Way | undefined>()

  /** What the kernel has, as far as we know. */
  there(key: K): Way | undefined {
    return this.#there.get(key)
  }

  wanted(key: K): Way | undefined {
    const different = this.#different.get(key)
    return different === undefined && !this.#different.has(key) ? this.#there.get(key) : different
  }

  isDifferent(key: K): boolean {
    return this.#different.has(key)
  }

  /** What the kernel has. */
  get size(): number {
    return this.#there.size
  }

  allThere(): Iterable<[K, Way]> {
    return this.#there
  }

  allDifferent(): Iterable<[K, Way | undefined]> {
    return this.#different
  }

  /** Answers whether the kernel is to be told. */
  want(key: K, way: Way | undefined): boolean {
    const there = this.#there.get(key)
    if (way ? there?.isLike(way) : !there) {
      this.#different.delete(key)
      if (way) this.#there.set(key, way)
      return false
    }
    this.#different.set(key, way)
    return way === undefined || way.route !== undefined
  }

  /** The kernel has it, and nobody has said yet whether it should. */
  adopt(key: K, way: Way): void {
    this.#there.set(key, way)
  }

  /** What is to become of one that is different; undefined: it is not. */
  difference(key: K): { readonly there: Way | undefined; readonly wanted: Way | undefined } | undefined {
    const wanted = this.#different.get(key)
    if (wanted === undefined && !this.#different.has(key)) return undefined
    return { there: this.#there.get(key), wanted }
  }

  /** The kernel has this, whoever has seen to it. Answers whether it is to be told otherwise. */
  note(key: K, way: Way | undefined): boolean {
    // As it should be: nearly always.
    if (way && this.#different.get(key) === way) {
      this.#different.delete(key)
      this.#there.set(key, way)
      return false
    }
    const wanted = this.wanted(key)
    if (way) this.#there.set(key, way)
    else this.#there.delete(key)
    return this.want(key, wanted)
  }
}
