/**
 * MRT files: records one behind the other. RFC 6396 §2 and §3.
 *
 *   | timestamp (4) | type (2) | subtype (2) | length (4) | with a type that ends in _ET: microseconds (4) | body |
 */
import { DecodeError } from '../../wire/errors.ts'
import { layout, u16, u32 } from '../../wire/layout.ts'

/** IANA "MRT Types". */
export const MrtType = { tableDumpV2: 13, bgp4mp: 16, bgp4mpEt: 17 } as const

/** IANA "BGP4MP Subtypes", RFC 6396 §4.4 and RFC 8050 §3. Without As4: AS numbers of two octets. */
export const Bgp4mpSubtype = {
  stateChange: 0,
  message: 1,
  messageAs4: 4,
  stateChangeAs4: 5,
  messageLocal: 6,
  messageAs4Local: 7,
  messageAddPath: 8,
  messageAs4AddPath: 9,
  messageLocalAddPath: 10,
  messageAs4LocalAddPath: 11,
} as const

/** IANA "TABLE_DUMP_V2 Subtypes", RFC 6396 §4.3 and RFC 8050 §4. */
export const TableDumpSubtype = {
  peerIndexTable: 1,
  ribIpv4Unicast: 2,
  ribIpv6Unicast: 4,
  ribIpv4UnicastAddPath: 8,
  ribIpv6UnicastAddPath: 10,
} as const

export interface MrtRecord {
  /** Milliseconds since the epoch; of types without _ET whole seconds. */
  readonly time: number
  readonly type: number
  readonly subtype: number
  readonly body: Uint8Array
}

const header = layout('MRT', { seconds: u32, type: u16, subtype: u16, length: u32 })
const MICROSECONDS = 4
const SECOND = 1000

export function encodeRecord({ time, type, subtype, body }: MrtRecord): Uint8Array {
  const isExtended = type === MrtType.bgp4mpEt
  const at = header.size + (isExtended ? MICROSECONDS : 0)
  const bytes = new Uint8Array(at + body.length)
  const seconds = Math.floor(time / SECOND)
  header.encode({ seconds, type, subtype, length: bytes.length - header.size }, bytes)
  if (isExtended) new DataView(bytes.buffer).setUint32(header.size, Math.floor((time - seconds * SECOND) * 1000))
  bytes.set(body, at)
  return bytes
}

/** The records of a file. Throws DecodeError at one that is cut off, behind all that are whole. */
export function* decodeRecords(bytes: Uint8Array): Generator<MrtRecord> {
  for (let at = 0; at < bytes.length; ) {
    const { seconds, type, subtype, length } = headerAt(bytes, at)
    const from = at + header.size
    const end = from + length
    if (end > bytes.length) {
      throw new DecodeError('MRT', at, `a record of ${length} octets is cut off after ${bytes.length - from}`)
    }
    if (type === MrtType.bgp4mpEt) {
      if (length < MICROSECONDS) throw new DecodeError('MRT', from, 'a record without its microseconds')
      const microseconds = new DataView(bytes.buffer, bytes.byteOffset + from).getUint32(0)
      const time = seconds * SECOND + microseconds / 1000
      yield { time, type, subtype, body: bytes.subarray(from + MICROSECONDS, end) }
    } else yield { time: seconds * SECOND, type, subtype, body: bytes.subarray(from, end) }
    at = end
  }
}

function headerAt(bytes: Uint8Array, at: number) {
  if (bytes.length - at < header.size) throw new DecodeError('MRT', at, 'a header is cut off')
  return header.decode(bytes.subarray(at))
}
