/**
 * Netlink messages: netlink(7), linux/netlink.h. A datagram holds one or several.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +---------------------------------------------------------------+
 *   |                   length, header included                     |
 *   +-------------------------------+-------------------------------+
 *   |             type              |             flags             |
 *   +-------------------------------+-------------------------------+
 *   |                           sequence                            |
 *   +---------------------------------------------------------------+
 *   |                            port id                            |
 *   +---------------------------------------------------------------+
 *   |  the family's own header (ifinfomsg …), then attributes:      |
 *   +-------------------------------+-------------------------------+
 *   |   length, these 4 included    |N|O|           type            |
 *   +-------------------------------+-------------------------------+
 *   |  value, padded to a multiple of 4; or attributes again (N)    |
 *   +---------------------------------------------------------------+
 *
 * Numbers are in the machine's byte order, but for the few that a family declares big-endian. The sequence is filled in by the
 * socket; all else of a request is written here, so that encoding one is a function of its arguments.
 */
import { sys } from '#sys'
import { DecodeError } from '../../wire/errors.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'

export const NLMSG_HEADER_SIZE = 16
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3

export const NLM_F_REQUEST = 0x1
export const NLM_F_MULTI = 0x2
export const NLM_F_ACK = 0x4
export const NLM_F_DUMP_INTR = 0x10
/** Of a request that reads: NLM_F_ROOT | NLM_F_MATCH. */
export const NLM_F_DUMP = 0x300
/** Of a request that makes something. */
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
export const NLM_F_APPEND = 0x800

export const NLA_F_NESTED = 0x8000
export const NLA_F_NET_BYTEORDER = 0x4000
export const NLA_TYPE_MASK = 0x3fff

/** Netlink pads to 4 bytes: NLMSG_ALIGN, NLA_ALIGN. */
export const align = (length: number): number => (length + 3) & ~3

export interface NetlinkMessage {
  readonly type: number
  readonly flags: number
  readonly sequence: number
  readonly portId: number
  /** Behind the header. Shares memory with the datagram. */
  readonly payload: Uint8Array
}

/** The messages of a datagram. DecodeError when a length does not fit. */
export function decodeMessages(datagram: Uint8Array): NetlinkMessage[] {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length)
  const messages: NetlinkMessage[] = []
  let at = 0
  while (at + NLMSG_HEADER_SIZE <= datagram.length) {
    const length = view.getUint32(at, LITTLE_ENDIAN)
    if (length < NLMSG_HEADER_SIZE || at + length > datagram.length) {
      throw new DecodeError(
        'netlink',
        at,
        `message length ${length} does not fit the ${datagram.length} bytes received`,
      )
    }
    messages.push({
      type: view.getUint16(at + 4, LITTLE_ENDIAN),
      flags: view.getUint16(at + 6, LITTLE_ENDIAN),
      sequence: view.getUint32(at + 8, LITTLE_ENDIAN),
      portId: view.getUint32(at + 12, LITTLE_ENDIAN),
      payload: datagram.subarray(at + NLMSG_HEADER_SIZE, at + length),
    })
    at += align(length)
  }
  return messages
}

/** Sets flags of an encoded message. */
export function addFlags(message: Uint8Array, flags: number): Uint8Array {
  const view = new DataView(message.buffer, message.byteOffset, NLMSG_HEADER_SIZE)
  view.setUint16(6, view.getUint16(6, LITTLE_ENDIAN) | flags, LITTLE_ENDIAN)
  return message
}

/**
 * Writes messages one behind the other, growing as it goes. `message` begins one; what is written after it belongs to it
 * until the next begins. `finish` gives the bytes.
 */
export class MessageWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = 0
  #start = -1

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  /** NLM_F_REQUEST is added. */
  message(type: number, flags: number): this {
    this.#end()
    this.#start = this.#length
    return this.u32(0)
      .u16(type)
      .u16(flags | NLM_F_REQUEST)
      .u32(0)
      .u32(0)
  }

  finish(): Uint8Array {
    this.#end()
    return this.#bytes.subarray(0, this.#length)
  }

  u8(value: number): this {
    const at = this.#take(1)
    this.#view.setUint8(at, fitting(value, 0xff))
    return this
  }

  u16(value: number): this {
    const at = this.#take(2)
    this.#view.setUint16(at, fitting(value, 0xffff), LITTLE_ENDIAN)
    return this
  }

  u16be(value: number): this {
    const at = this.#take(2)
    this.#view.setUint16(at, fitting(value, 0xffff))
    return this
  }

  u32(value: number): this {
    const at = this.#take(4)
    this.#view.setUint32(at, fitting(value, 0xffff_ffff), LITTLE_ENDIAN)
    return this
  }

  u32be(value: number): this {
    const at = this.#take(4)
    this.#view.setUint32(at, fitting(value, 0xffff_ffff))
    return this
  }

  i32(value: number): this {
    return this.u32(value >>> 0)
  }

  u64be(value: bigint): this {
    const at = this.#take(8)
    this.#view.setBigUint64(at, value)
    return this
  }

  bytes(value: Uint8Array): this {
    const at = this.#take(value.length)
    this.#bytes.set(value, at)
    return this
  }

  /** An attribute with these bytes. */
  attribute(type: number, value: Uint8Array): this {
    return this.#header(type, value.length).bytes(value).#pad()
  }

  /** Text with a NUL behind it, as the kernel's NLA_NUL_STRING wants it. */
  attributeText(type: number, text: string): this {
    const bytes = sys.encode(text)
    return this.#header(type, bytes.length + 1)
      .bytes(bytes)
      .u8(0)
      .#pad()
  }

  attributeU8(type: number, value: number): this {
    return this.#header(type, 1).u8(value).#pad()
  }

  attributeU16(type: number, value: number): this {
    return this.#header(type, 2).u16(value).#pad()
  }

  attributeU16be(type: number, value: number): this {
    return this.#header(type, 2).u16be(value).#pad()
  }

  attributeU32(type: number, value: number): this {
    return this.#header(type, 4).u32(value)
  }

  attributeU32be(type: number, value: number): this {
    return this.#header(type, 4).u32be(value)
  }

  attributeU64be(type: number, value: bigint): this {
    return this.#header(type, 8).u64be(value)
  }

  /** An attribute without a value: NLA_FLAG. */
  attributeFlag(type: number): this {
    return this.#header(type, 0)
  }

  /** An attribute whose value is what `write` writes: attributes, or a structure. NLA_F_NESTED is the caller's to set. */
  attributeOf(type: number, write: () => void): this {
    const start = this.#length
    this.#header(type, 0)
    write()
    const length = this.#length - start
    if (length > 0xffff) throw new RangeError(`Cannot encode netlink attribute ${type}: ${length} bytes are too many`)
    this.#view.setUint16(start, length, LITTLE_ENDIAN)
    return this.#pad()
  }

  /** An attribute that holds attributes, marked so. */
  nested(type: number, write: () => void): this {
    return this.attributeOf(type | NLA_F_NESTED, write)
  }

  /** A structure that begins with its own length, 2 bytes: struct rtnexthop. */
  structure(write: () => void): this {
    const start = this.#length
    this.u16(0)
    write()
    this.#view.setUint16(start, this.#length - start, LITTLE_ENDIAN)
    return this.#pad()
  }

  #header(type: number, length: number): this {
    if (length > 0xffff - 4)
      throw new RangeError(`Cannot encode netlink attribute ${type}: ${length} bytes are too many`)
    return this.u16(length + 4).u16(type)
  }

  #pad(): this {
    this.#take(align(this.#length) - this.#length)
    return this
  }

  #end(): void {
    if (this.#start >= 0) this.#view.setUint32(this.#start, this.#length - this.#start, LITTLE_ENDIAN)
    this.#pad()
  }

  /** Room for so many bytes more, which are zero; answers where they begin. What was #bytes and #view before may be neither now. */
  #take(count: number): number {
    const at = this.#length
    this.#length += count
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length))
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
      this.#view = new DataView(grown.buffer)
    }
    return at
  }
}

function fitting(value: number, max: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= max) return value
  throw new RangeError(`Cannot encode ${value} for netlink: it is no whole number from 0 to ${max}`)
}
