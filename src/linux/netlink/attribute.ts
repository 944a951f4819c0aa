/**
 * Netlink attributes, read: nlattr in linux/netlink.h; message.ts has the picture.
 *
 * Reading is total: any bytes give attributes or a DecodeError. Kernels to come send attributes that nobody here knows;
 * they are there to be asked for and otherwise do no harm. An attribute longer than its type is read as far as the type
 * goes, as the kernel itself reads ours.
 */
import { sys } from '#sys'
import { formatIp } from '../../address/ip.ts'
import { IPV4_LENGTH } from '../../address/ipv4.ts'
import { IPV6_LENGTH } from '../../address/ipv6.ts'
import { DecodeError } from '../../wire/errors.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'
import { NLA_TYPE_MASK } from './message.ts'

const NLA_HEADER_SIZE = 4

export interface Attribute {
  readonly type: number
  readonly value: Uint8Array
}

/** The attributes from `at` on, in order: for lists in which a type comes more than once. */
export function decodeAttributes(bytes: Uint8Array, at = 0): Attribute[] {
  const list: Attribute[] = []
  walk(bytes, at, (type, start, end) => list.push({ type, value: bytes.subarray(start, end) }))
  return list
}

/** The attributes from `at` on, by type; of two of one type the last counts, as in the kernel. */
export class Attributes {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  /** Type to where its value begins. */
  readonly #starts = new Map<number, number>()

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    walk(bytes, at, (type, start) => this.#starts.set(type, start))
  }

  has(type: number): boolean {
    return this.#starts.has(type)
  }

  /** Shares memory with the message. */
  bytes(type: number): Uint8Array | undefined {
    const start = this.#starts.get(type)
    return start === undefined ? undefined : this.#bytes.subarray(start, this.#end(start))
  }

  u8(type: number): number | undefined {
    const start = this.#startOf(type, 1)
    return start === undefined ? undefined : this.#view.getUint8(start)
  }

  u16(type: number): number | undefined {
    const start = this.#startOf(type, 2)
    return start === undefined ? undefined : this.#view.getUint16(start, LITTLE_ENDIAN)
  }

  u16be(type: number): number | undefined {
    const start = this.#startOf(type, 2)
    return start === undefined ? undefined : this.#view.getUint16(start)
  }

  u32(type: number): number | undefined {
    const start = this.#startOf(type, 4)
    return start === undefined ? undefined : this.#view.getUint32(start, LITTLE_ENDIAN)
  }

  i32(type: number): number | undefined {
    const start = this.#startOf(type, 4)
    return start === undefined ? undefined : this.#view.getInt32(start, LITTLE_ENDIAN)
  }

  u32be(type: number): number | undefined {
    const start = this.#startOf(type, 4)
    return start === undefined ? undefined : this.#view.getUint32(start)
  }

  u64be(type: number): bigint | undefined {
    const start = this.#startOf(type, 8)
    return start === undefined ? undefined : this.#view.getBigUint64(start)
  }

  /** Text up to its NUL, or to the attribute's end. */
  text(type: number): string | undefined {
    const value = this.bytes(type)
    if (!value) return undefined
    const end = value.indexOf(0)
    return sys.decode(end < 0 ? value : value.subarray(0, end))
  }

  /** An IP address as text. DecodeError when it has neither 4 nor 16 bytes. */
  ip(type: number): string | undefined {
    const value = this.bytes(type)
    if (value && value.length !== IPV4_LENGTH && value.length !== IPV6_LENGTH) {
      throw new DecodeError('netlink attributes', 0, `attribute ${type} is no IP address: it has ${value.length} bytes`)
    }
    return value && formatIp(value)
  }

  nested(type: number): Attributes | undefined {
    const value = this.bytes(type)
    return value && new Attributes(value)
  }

  /** The attributes of a nested list, in order; none where there is no such attribute. */
  list(type: number): Attribute[] {
    const value = this.bytes(type)
    return value ? decodeAttributes(value) : []
  }

  #startOf(type: number, size: number): number | undefined {
    const start = this.#starts.get(type)
    if (start !== undefined && start + size > this.#end(start)) {
      throw new DecodeError('netlink attributes', start, `attribute ${type} has fewer than ${size} bytes`)
    }
    return start
  }

  #end(start: number): number {
    return start - NLA_HEADER_SIZE + this.#view.getUint16(start - NLA_HEADER_SIZE, LITTLE_ENDIAN)
  }
}

function walk(bytes: Uint8Array, at: number, onAttribute: (type: number, start: number, end: number) => void): void {
  const size = bytes.length
  // Byte by byte: a link has a hundred of them, and in an executable's engine a DataView's getter is a call.
  const [low, high] = LITTLE_ENDIAN ? [0, 1] : [1, 0]
  while (at + NLA_HEADER_SIZE <= size) {
    const length = bytes[at + low]! | (bytes[at + high]! << 8)
    if (length < NLA_HEADER_SIZE || at + length > size) {
      throw new DecodeError('netlink attributes', at, `attribute length ${length} does not fit`)
    }
    const type = (bytes[at + 2 + low]! | (bytes[at + 2 + high]! << 8)) & NLA_TYPE_MASK
    onAttribute(type, at + NLA_HEADER_SIZE, at + length)
    at = (at + length + 3) & ~3
  }
}
