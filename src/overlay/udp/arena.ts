/**
 * The memory of the data path: packets, and the structures by which the kernel is told where they lie.
 *
 *   offset 0                                                    size
 *   ├── packets read ── headers made ── iovecs ── messages ── packets received ──┤      one block, which never moves
 *   └── its address ── what the kernel calls the same byte
 *
 * Everything is named by its offset. Structures are those of 64-bit machines with the lowest byte first; numbers of the
 * machine's are read and written through `words` and `longs`, those of the network through `view`.
 */

/** struct iovec, uio.h: address, length. Bytes. */
export const IOVEC_SIZE = 16
/** Where the length is. */
export const IOVEC_LENGTH = 8

const TWO_TO_32 = 2 ** 32
/** More than any offset. */
const NEVER = 0x7fff_ffff

export class Arena {
  readonly bytes: Uint8Array
  /** By two bytes: `words[at >> 1]`, in the machine's order. */
  readonly words: Uint16Array
  /** By four bytes: `longs[at >> 2]`, in the machine's order. */
  readonly longs: Int32Array
  readonly view: DataView
  #next = 0
  readonly #low: number
  readonly #high: number
  /** From this offset on the upper half of the address is one more. */
  readonly #carry: number

  /** `address`: of the memory's first byte, as the kernel is told; below 2^53. */
  constructor(memory: ArrayBuffer, address: number) {
    this.bytes = new Uint8Array(memory)
    this.words = new Uint16Array(memory)
    this.longs = new Int32Array(memory)
    this.view = new DataView(memory)
    this.#low = (address % TWO_TO_32) | 0
    this.#high = Math.floor(address / TWO_TO_32)
    this.#carry = Math.min(TWO_TO_32 - (address % TWO_TO_32), NEVER)
  }

  /** Offset of so many bytes that nobody else has. RangeError when there is no room. */
  allocate(size: number, alignment = 64): number {
    const at = Math.ceil(this.#next / alignment) * alignment
    if (at + size > this.bytes.length) throw new RangeError(`Cannot take ${size} bytes: ${at} are taken already`)
    this.#next = at + size
    return at
  }

  /** Writes the address of the byte at `target`. */
  point(at: number, target: number): void {
    const i = at >> 2
    this.longs[i] = (this.#low + target) | 0
    this.longs[i + 1] = target >= this.#carry ? this.#high + 1 : this.#high
  }

  /** The offset that the address at `at` means. */
  pointed(at: number): number {
    return (this.longs[at >> 2]! - this.#low) | 0
  }

  /** Writes a struct iovec. */
  iovec(at: number, target: number, length: number): void {
    const i = at >> 2
    this.longs[i] = (this.#low + target) | 0
    this.longs[i + 1] = target >= this.#carry ? this.#high + 1 : this.#high
    this.longs[i + 2] = length
    this.longs[i + 3] = 0
  }
}
