/**
 * One look through a table, part by part.
 *
 * Between two parts routes are written, and others change theirs. What has been touched since the look began is known better
 * than what is listed of it, and is left out of the verdict.
 */
import type { Route } from '../kernel/route.ts'
import { type Way, wayOf, wayText } from './way.ts'

export class RouteLook<K> {
  /** When it began. */
  readonly start: number
  /** Destinations that others have a route to, in the place of one of ours. */
  readonly foreign = new Set<K>()
  readonly #parts: Iterator<readonly Route[]>
  readonly #seen = new Set<K>()
  readonly #touched = new Set<K>()
  readonly #ways = new Map<string, Way>()

  constructor(parts: Iterable<readonly Route[]>, start: number) {
    this.#parts = parts[Symbol.iterator]()
    this.start = start
  }

  /** The next part; undefined: that was all. */
  next(): readonly Route[] | undefined {
    const { value, done } = this.#parts.next()
    return done ? undefined : value
  }

  close(): void {
    this.#parts.return?.()
  }

  touch(key: K): void {
    this.#touched.add(key)
  }

  isTouched(key: K): boolean {
    return this.#touched.has(key)
  }

  /** Answers whether it is the first with this key. */
  see(key: K): boolean {
    if (this.#seen.has(key)) return false
    this.#seen.add(key)
    return true
  }

  /** At the end of the look: the kernel does not have it. */
  isMissing(key: K): boolean {
    return !this.#seen.has(key) && !this.#touched.has(key)
  }

  /** Routes that go alike share a way. */
  wayOf(route: Route): Way {
    const text = wayText(route)
    let way = this.#ways.get(text)
    if (!way) {
      way = wayOf(route)
      this.#ways.set(text, way)
    }
    return way
  }
}
