/**
 * A map that forgets what has not been asked for lately: two generations, of which the older one goes when the young is full.
 *
 * For what can be made again. A WeakMap would keep it just as long as its key is there, and costs the collector more than all
 * the rest when every route has attributes of its own.
 */
export class RecentMap<K, V> {
  readonly #limit: number
  #young = new Map<K, V>()
  #old = new Map<K, V>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get(key: K): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#limit) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }
}
