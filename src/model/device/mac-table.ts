/**
 * What is known by MAC address. Keys are read where they stand in a packet: no text, no boxed number. Open addressing with
 * linear probing; the two halves of the address are kept beside the value.
 */
export class MacTable<T> {
  #mask = 15
  #size = 0
  #high = new Int32Array(16)
  #low = new Int32Array(16)
  #values: (T | undefined)[] = new Array(16).fill(undefined)

  get size(): number {
    return this.#size
  }

  /** By the address at `bytes[at]`. */
  get(bytes: Uint8Array, at: number): T | undefined {
    const high = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
    const low = (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!
    for (let slot = home(high, low) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const value = this.#values[slot]
      if (value === undefined) return undefined
      if (this.#low[slot] === low && this.#high[slot] === high) return value
    }
  }

  set(mac: Uint8Array, value: T): void {
    if (2 * (this.#size + 1) > this.#mask) this.#grow()
    const high = (mac[0]! << 16) | (mac[1]! << 8) | mac[2]!
    const low = (mac[3]! << 16) | (mac[4]! << 8) | mac[5]!
    this.#put(high, low, value)
  }

  delete(mac: Uint8Array): void {
    const high = (mac[0]! << 16) | (mac[1]! << 8) | mac[2]!
    const low = (mac[3]! << 16) | (mac[4]! << 8) | mac[5]!
    let gap = home(high, low) & this.#mask
    while (this.#values[gap] !== undefined && !(this.#low[gap] === low && this.#high[gap] === high)) {
      gap = (gap + 1) & this.#mask
    }
    if (this.#values[gap] === undefined) return
    this.#size--
    // What was pushed on from its home slot moves back into the gap: Knuth, The Art of Computer Programming 6.4, algorithm R.
    for (let slot = (gap + 1) & this.#mask; this.#values[slot] !== undefined; slot = (slot + 1) & this.#mask) {
      const wanted = home(this.#high[slot]!, this.#low[slot]!) & this.#mask
      if (((slot - wanted) & this.#mask) < ((slot - gap) & this.#mask)) continue
      this.#values[gap] = this.#values[slot]
      this.#high[gap] = this.#high[slot]!
      this.#low[gap] = this.#low[slot]!
      gap = slot
    }
    this.#values[gap] = undefined
  }

  /** In no particular order; a copy, which may be changed under. */
  values(): T[] {
    return this.#values.filter((value) => value !== undefined)
  }

  #put(high: number, low: number, value: T): void {
    let slot = home(high, low) & this.#mask
    while (this.#values[slot] !== undefined) {
      if (this.#low[slot] === low && this.#high[slot] === high) {
        this.#values[slot] = value
        return
      }
      slot = (slot + 1) & this.#mask
    }
    this.#values[slot] = value
    this.#high[slot] = high
    this.#low[slot] = low
    this.#size++
  }

  #grow(): void {
    const [high, low, values] = [this.#high, this.#low, this.#values]
    const capacity = 2 * values.length
    this.#mask = capacity - 1
    this.#size = 0
    this.#high = new Int32Array(capacity)
    this.#low = new Int32Array(capacity)
    this.#values = new Array(capacity).fill(undefined)
    for (let slot = 0; slot < values.length; slot++) {
      const value = values[slot]
      if (value !== undefined) this.#put(high[slot]!, low[slot]!, value)
    }
  }
}

/** Addresses of one machine often differ in few bits: they are spread over the table. */
function home(high: number, low: number): number {
  const mixed = Math.imul(low ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}
