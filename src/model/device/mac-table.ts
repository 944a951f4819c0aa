/**
 * What is known by MAC address. Keys are read where they stand in a packet: no text, no boxed number. Open addressing with
 * linear probing; the two parts of the address are kept beside the value.
 */
import { macHead, macTail } from './ethernet.ts'

export class MacTable<T> {
  #mask = 15
  #size = 0
  #heads = new Int32Array(16)
  #tails = new Int32Array(16)
  #values: (T | undefined)[] = new Array(16).fill(undefined)

  get size(): number {
    return this.#size
  }

  /** By the address at `at`. */
  at(view: DataView, at: number): T | undefined {
    return this.#find(view.getUint16(at), view.getInt32(at + 2))
  }

  get(mac: Uint8Array): T | undefined {
    return this.#find(macHead(mac), macTail(mac))
  }

  #find(head: number, tail: number): T | undefined {
    for (let slot = home(head, tail) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const value = this.#values[slot]
      if (value === undefined) return undefined
      if (this.#tails[slot] === tail && this.#heads[slot] === head) return value
    }
  }

  set(mac: Uint8Array, value: T): void {
    if (2 * (this.#size + 1) > this.#mask) this.#grow()
    const [head, tail] = [macHead(mac), macTail(mac)]
    this.#put(head, tail, value)
  }

  delete(mac: Uint8Array): void {
    const [head, tail] = [macHead(mac), macTail(mac)]
    let gap = home(head, tail) & this.#mask
    while (this.#values[gap] !== undefined && !(this.#tails[gap] === tail && this.#heads[gap] === head)) {
      gap = (gap + 1) & this.#mask
    }
    if (this.#values[gap] === undefined) return
    this.#size--
    // What was pushed on from its home slot moves back into the gap: Knuth, The Art of Computer Programming 6.4, algorithm R.
    for (let slot = (gap + 1) & this.#mask; this.#values[slot] !== undefined; slot = (slot + 1) & this.#mask) {
      const wanted = home(this.#heads[slot]!, this.#tails[slot]!) & this.#mask
      if (((slot - wanted) & this.#mask) < ((slot - gap) & this.#mask)) continue
      this.#values[gap] = this.#values[slot]
      this.#heads[gap] = this.#heads[slot]!
      this.#tails[gap] = this.#tails[slot]!
      gap = slot
    }
    this.#values[gap] = undefined
  }

  /** In no particular order; a copy, which may be changed under. */
  values(): T[] {
    return this.#values.filter((value) => value !== undefined)
  }

  /** The same, of the addresses. */
  macs(): Uint8Array[] {
    const found: Uint8Array[] = []
    for (let slot = 0; slot < this.#values.length; slot++) {
      if (this.#values[slot] === undefined) continue
      const [head, tail] = [this.#heads[slot]!, this.#tails[slot]!]
      found.push(Uint8Array.of(head >>> 8, head, tail >>> 24, tail >>> 16, tail >>> 8, tail))
    }
    return found
  }

  #put(head: number, tail: number, value: T): void {
    let slot = home(head, tail) & this.#mask
    while (this.#values[slot] !== undefined) {
      if (this.#tails[slot] === tail && this.#heads[slot] === head) {
        this.#values[slot] = value
        return
      }
      slot = (slot + 1) & this.#mask
    }
    this.#values[slot] = value
    this.#heads[slot] = head
    this.#tails[slot] = tail
    this.#size++
  }

  #grow(): void {
    const [head, tail, values] = [this.#heads, this.#tails, this.#values]
    const capacity = 2 * values.length
    this.#mask = capacity - 1
    this.#size = 0
    this.#heads = new Int32Array(capacity)
    this.#tails = new Int32Array(capacity)
    this.#values = new Array(capacity).fill(undefined)
    for (let slot = 0; slot < values.length; slot++) {
      const value = values[slot]
      if (value !== undefined) this.#put(head[slot]!, tail[slot]!, value)
    }
  }
}

/** Addresses of one machine often differ in few bits: they are spread over the table. */
function home(head: number, tail: number): number {
  const mixed = Math.imul(tail ^ Math.imul(head, 0x9e3779b1), 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}
