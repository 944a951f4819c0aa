/**
 * pcapng capture files: draft-ietf-opsawg-pcapng. An interface per tap, times in nanoseconds, the direction of each
 * packet, and comments: what Wireshark shows beside a frame.
 *
 *   block type (4) | total length (4) | body, padded to 4 | total length (4)           … for each block
 *
 * Read are files of either byte order and of several sections; blocks of other types are passed over. We write one
 * section, little-endian.
 */
import { DecodeError } from './errors.ts'
import { integers, layout } from './layout.ts'

/** Block types. */
const SECTION_HEADER = 0x0a0d0d0a
const INTERFACE_DESCRIPTION = 1
const SIMPLE_PACKET = 3
const ENHANCED_PACKET = 6

const BYTE_ORDER_MAGIC = 0x1a2b3c4d
/** Type, both lengths. */
const FRAME = 12

/** Option codes: of every block, of interface descriptions, of enhanced packets. */
const OPT_ENDOFOPT = 0
const OPT_COMMENT = 1
const IF_NAME = 2
const IF_TSRESOL = 9
const EPB_FLAGS = 2

const NANOSECONDS = 9
const DIRECTIONS = [undefined, 'inbound', 'outbound'] as const

export interface PcapngInterface {
  readonly name: string | undefined
  readonly linkType: number
  /** Most bytes kept of a packet; 0 means all. */
  readonly snapLength: number
}

export interface PcapngPacket {
  /** Index into the file's interfaces. */
  readonly interface: number
  /** Nanoseconds since the epoch; undefined in a simple packet block. */
  readonly time: bigint | undefined
  /** Bytes the packet had on the wire. */
  readonly length: number
  readonly bytes: Uint8Array
  readonly direction: 'inbound' | 'outbound' | undefined
  readonly comment: string | undefined
}

const little = blocks(true)
const big = blocks(false)
type Order = typeof little

function blocks(littleEndian: boolean) {
  const { u8, u16, u32 } = integers(littleEndian)
  return {
    frame: layout('pcapng', { type: u32, length: u32 }),
    section: layout('pcapng', { magic: u32, major: u16, minor: u16, lengthHigh: u32, lengthLow: u32 }),
    interface: layout('pcapng', { linkType: u16, reserved: u16, snapLength: u32 }),
    enhanced: layout('pcapng', { interface: u32, timeHigh: u32, timeLow: u32, capturedLength: u32, length: u32 }),
    simple: layout('pcapng', { length: u32 }),
    option: layout('pcapng', { code: u16, length: u16 }),
    word: layout('pcapng', { value: u32 }),
    byte: layout('pcapng', { value: u8 }),
  }
}

/** Text is UTF-8; `decodeText` is what the caller's platform decodes it with. */
export function decodePcapng(
  bytes: Uint8Array,
  decodeText: (bytes: Uint8Array) => string,
): { readonly interfaces: PcapngInterface[]; readonly packets: PcapngPacket[] } {
  const interfaces: PcapngInterface[] = []
  const packets: PcapngPacket[] = []
  /** Units of a second that each interface counts in. */
  const resolutions: bigint[] = []
  let firstOfSection = 0
  let order: Order | undefined

  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < FRAME) throw new DecodeError('pcapng', at, 'block is cut off')
    if (little.frame.decode(bytes.subarray(at)).type === SECTION_HEADER) {
      order = orderOf(bytes, at)
      firstOfSection = interfaces.length
    }
    if (!order) throw new DecodeError('pcapng', 0, 'the file does not begin with a section header')
    const { type, length } = order.frame.decode(bytes.subarray(at))
    if (length < FRAME || length % 4 !== 0 || length > bytes.length - at) {
      throw new DecodeError('pcapng', at + 4, `block length ${length} does not fit`)
    }
    const body = bytes.subarray(at + order.frame.size, at + length - order.word.size)

    if (type === INTERFACE_DESCRIPTION) {
      const { linkType, snapLength } = order.interface.decode(body)
      const options = decodeOptions(order, body.subarray(order.interface.size), at)
      const name = options.get(IF_NAME)
      interfaces.push({ linkType, snapLength, name: name && decodeText(name) })
      resolutions.push(resolutionOf(options.get(IF_TSRESOL)?.[0] ?? 6))
    } else if (type === ENHANCED_PACKET) {
      const fields = order.enhanced.decode(body)
      const index = firstOfSection + fields.interface
      const resolution = resolutions[index]
      if (resolution === undefined) throw new DecodeError('pcapng', at, `no interface ${fields.interface}`)
      const data = body.subarray(order.enhanced.size)
      if (fields.capturedLength > data.length) throw new DecodeError('pcapng', at, 'packet is cut off')
      const options = decodeOptions(order, data.subarray((fields.capturedLength + 3) & ~3), at)
      const flags = options.get(EPB_FLAGS)
      const comment = options.get(OPT_COMMENT)
      packets.push({
        interface: index,
        time: (((BigInt(fields.timeHigh) << 32n) | BigInt(fields.timeLow)) * 1_000_000_000n) / resolution,
        length: fields.length,
        bytes: data.subarray(0, fields.capturedLength),
        direction: flags?.length === 4 ? DIRECTIONS[order.word.decode(flags).value & 3] : undefined,
        comment: comment && decodeText(comment),
      })
    } else if (type === SIMPLE_PACKET) {
      const first = interfaces[firstOfSection]
      if (!first) throw new DecodeError('pcapng', at, 'a simple packet block before any interface')
      const { length: original } = order.simple.decode(body)
      const data = body.subarray(order.simple.size)
      const kept = Math.min(original, first.snapLength || original, data.length)
      packets.push({
        interface: firstOfSection,
        time: undefined,
        length: original,
        bytes: data.subarray(0, kept),
        direction: undefined,
        comment: undefined,
      })
    }
    at += length
  }
  if (!order) throw new DecodeError('pcapng', 0, 'the file is empty')
  return { interfaces, packets }
}

function orderOf(bytes: Uint8Array, at: number): Order {
  const start = at + little.frame.size
  const order = [little, big].find(({ section }) => {
    if (bytes.length - start < section.size) throw new DecodeError('pcapng', at, 'section header is cut off')
    return section.decode(bytes.subarray(start)).magic === BYTE_ORDER_MAGIC
  })
  if (!order) throw new DecodeError('pcapng', start, 'no byte-order magic')
  return order
}

/** if_tsresol: a power of ten, or of two when the highest bit is set. */
function resolutionOf(value: number): bigint {
  return value & 0x80 ? 1n << BigInt(value & 0x7f) : 10n ** BigInt(value)
}

/** The first option of each code. */
function decodeOptions(order: Order, bytes: Uint8Array, block: number): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>()
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < order.option.size) throw new DecodeError('pcapng', block, 'option is cut off')
    const { code, length } = order.option.decode(bytes.subarray(at))
    if (code === OPT_ENDOFOPT) break
    at += order.option.size
    if (length > bytes.length - at) throw new DecodeError('pcapng', block, `option ${code} is cut off`)
    if (!options.has(code)) options.set(code, bytes.subarray(at, at + length))
    at += (length + 3) & ~3
  }
  return options
}

/** What a file begins with: one section, of unknown length. */
export function encodePcapngSection(): Uint8Array {
  const unknown = 0xffff_ffff
  return block(
    SECTION_HEADER,
    little.section.encode({ magic: BYTE_ORDER_MAGIC, major: 1, minor: 0, lengthHigh: unknown, lengthLow: unknown }),
  )
}

/** The interfaces are counted in the order in which they are written. */
export function encodePcapngInterface(
  { name, linkType, snapLength }: PcapngInterface,
  encodeText: (text: string) => Uint8Array,
): Uint8Array {
  return block(
    INTERFACE_DESCRIPTION,
    little.interface.encode({ linkType, reserved: 0, snapLength }),
    ...(name === undefined ? [] : [option(IF_NAME, encodeText(name))]),
    option(IF_TSRESOL, little.byte.encode({ value: NANOSECONDS })),
    option(OPT_ENDOFOPT, new Uint8Array(0)),
  )
}

export function encodePcapngPacket(
  { interface: index, time = 0n, length, bytes, direction, comment }: PcapngPacket,
  encodeText: (text: string) => Uint8Array,
): Uint8Array {
  const header = little.enhanced.encode({
    interface: index,
    timeHigh: Number(time >> 32n),
    timeLow: Number(time & 0xffff_ffffn),
    capturedLength: bytes.length,
    length,
  })
  const flags = direction && little.word.encode({ value: DIRECTIONS.indexOf(direction) })
  return block(
    ENHANCED_PACKET,
    header,
    padded(bytes),
    ...(flags ? [option(EPB_FLAGS, flags)] : []),
    ...(comment === undefined ? [] : [option(OPT_COMMENT, encodeText(comment))]),
    option(OPT_ENDOFOPT, new Uint8Array(0)),
  )
}

function option(code: number, value: Uint8Array): Uint8Array {
  const header = little.option.encode({ code, length: value.length })
  return join(header, padded(value))
}

function block(type: number, ...parts: Uint8Array[]): Uint8Array {
  const body = join(...parts)
  const length = body.length + FRAME
  return join(little.frame.encode({ type, length }), body, little.word.encode({ value: length }))
}

function padded(bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array((bytes.length + 3) & ~3)
  whole.set(bytes)
  return whole
}

function join(...parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
