/** C structures of iptables' extensions: numbers in the machine's order at given places, linux/netfilter/xt_*.h. */
import { sys } from '#sys'
import type { NftFamily } from '../../kernel/nftables.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'

export class Structure {
  readonly bytes: Uint8Array
  readonly #view: DataView

  /** As many bytes, all zero; or these. */
  constructor(sizeOrBytes: number | Uint8Array) {
    this.bytes = typeof sizeOrBytes === 'number' ? new Uint8Array(sizeOrBytes) : sizeOrBytes
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length)
  }

  u8(at: number): number {
    return this.#view.getUint8(at)
  }

  u16(at: number): number {
    return this.#view.getUint16(at, LITTLE_ENDIAN)
  }

  u16be(at: number): number {
    return this.#view.getUint16(at)
  }

  u32(at: number): number {
    return this.#view.getUint32(at, LITTLE_ENDIAN)
  }

  /** Up to the NUL or the field's end. */
  text(at: number, size: number): string {
    const field = this.bytes.subarray(at, at + size)
    const end = field.indexOf(0)
    return sys.decode(end < 0 ? field : field.subarray(0, end))
  }

  setU8(at: number, value: number): this {
    this.#view.setUint8(at, value)
    return this
  }

  setU16(at: number, value: number): this {
    this.#view.setUint16(at, value, LITTLE_ENDIAN)
    return this
  }

  setU16be(at: number, value: number): this {
    this.#view.setUint16(at, value)
    return this
  }

  setU32(at: number, value: number): this {
    this.#view.setUint32(at, value, LITTLE_ENDIAN)
    return this
  }

  setBytes(at: number, bytes: Uint8Array): this {
    this.bytes.set(bytes, at)
    return this
  }

  /** With at least one NUL behind it: what is too long is an error. */
  setText(at: number, size: number, text: string): this {
    const bytes = sys.encode(text)
    if (bytes.length >= size) throw new RangeError(`Cannot encode "${text}": it has more than ${size - 1} bytes`)
    return this.setBytes(at, bytes)
  }
}

/** IP sets by their numbers: rules know them by these. KernelError ENOENT where there is none. */
export interface SetNumbers {
  indexOf(name: string): number
  nameAt(index: number): string
}

/** How an extension's values stand in its structure. */
export interface StructureCodec<T> {
  readonly revision: number
  /** Bytes as the kernel gives them back: padded to 8, XT_ALIGN. */
  readonly size: number
  write(to: Structure, value: T, sets: SetNumbers): void
  /** Where a text stands: first byte, size. What is behind its NUL says nothing. */
  readonly text?: readonly [number, number]
  /** Bytes that `read` has no need of, whatever they are: first, count. */
  readonly idle?: readonly [number, number]
  /** Undefined for what our values have no word for. `family` is the rule's. */
  read(from: Structure, family: NftFamily, sets: SetNumbers): T | undefined
}

/** An object without what is not there. */
export function withoutUndefined(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}
