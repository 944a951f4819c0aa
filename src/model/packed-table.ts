/**
 * Records of a few 32-bit numbers, by the first of them: what a table has by the thousand and nobody has asked for yet takes some
 * thirty bytes instead of some hundred. Few records stand one behind the other, many in a hash table with linear probing.
 *
 * Keys need not differ: `first` and `next` answer the places of all records with a key. The last number of a record is never 0.
 */

/** So many are looked through one by one. */
const FEW = 8
const EMPTY = 0
/** In place of the last number: a record was here, and others may stand behind it. */
const GONE = -0x8000_0000
const NOWHERE = -1

export class PackedTable {
  readonly #width: number
  /** Of a hash table, as many as it has room for, else as many as there are. */
  #numbers: number[] | Int32Array = []
  /** Records; and places of a hash table that are not empty. */
  #size = 0
  #taken = 0

  constructor(width: number) {
    this.#width = width
  }

  get size(): number {
    return this.#size
  }

  /** One number of the record at a place. */
  get(place: number, index: number): number {
    return this.#numbers[place + index]!
  }

  /** The place of a record with this key; −1: there is none. */
  first(key: number): number {
    return this.#isHash ? this.#probe(key, this.#home(key)) : this.#scan(key, 0)
  }

  /** The place of the next one with the same key. */
  next(key: number, place: number): number {
    const behind = place + this.#width
    if (!this.#isHash) return this.#scan(key, behind)
    return this.#probe(key, behind === this.#numbers.length ? 0 : behind)
  }

  add(record: readonly number[]): void {
    if (!this.#isHash && this.#size < FEW) {
      // Exactly as long as it has to be: most tables are never added to again.
      this.#numbers = [...this.#numbers, ...record]
      this.#size++
      return
    }
    if (!this.#isHash || 4 * (this.#taken + 1) * this.#width > 3 * this.#numbers.length) this.#grow()
    this.#put(record, 0)
  }

  remove(place: number): void {
    const width = this.#width
    this.#size--
    if (this.#isHash) this.#numbers[place + width - 1] = GONE
    else this.#numbers = (this.#numbers as number[]).filter((_, i) => i < place || i >= place + width)
  }

  /** The places of all records. Those behind a place that is removed may change. */
  places(): number[] {
    const width = this.#width
    const found: number[] = []
    for (let place = 0; place < this.#numbers.length; place += width) if (this.#isRecord(place)) found.push(place)
    return found
  }

  get #isHash(): boolean {
    return this.#numbers instanceof Int32Array
  }

  #isRecord(place: number): boolean {
    const last = this.#numbers[place + this.#width - 1]!
    return last !== EMPTY && last !== GONE
  }

  #scan(key: number, from: number): number {
    for (let place = from; place < this.#numbers.length; place += this.#width)
      if (this.#numbers[place] === key) return place
    return NOWHERE
  }

  #probe(key: number, from: number): number {
    const numbers = this.#numbers
    const width = this.#width
    for (let place = from; numbers[place + width - 1] !== EMPTY; ) {
      if (numbers[place] === key && numbers[place + width - 1] !== GONE) return place
      place += width
      if (place === numbers.length) place = 0
    }
    return NOWHERE
  }

  /** Capacities are powers of two. */
  #home(key: number): number {
    const capacity = this.#numbers.length / this.#width
    const mixed = Math.imul(key ^ (key >>> 15), 0x9e3779b1)
    return ((mixed ^ (mixed >>> 16)) & (capacity - 1)) * this.#width
  }

  #put(record: ArrayLike<number>, from: number): void {
    const numbers = this.#numbers
    const width = this.#width
    let place = this.#home(record[from]!)
    while (numbers[place + width - 1] !== EMPTY) {
      place += width
      if (place === numbers.length) place = 0
    }
    for (let i = 0; i < width; i++) numbers[place + i] = record[from + i]!
    this.#size++
    this.#taken++
  }

  #grow(): void {
    const old = this.#numbers
    const places = this.places()
    let capacity = 2 * FEW
    while (3 * capacity < 4 * (this.#size + 1) + capacity / 2) capacity *= 2
    this.#numbers = new Int32Array(capacity * this.#width)
    this.#size = this.#taken = 0
    for (const place of places) this.#put(old, place)
  }
}
