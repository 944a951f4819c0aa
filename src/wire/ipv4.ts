/**
 * IPv4: RFC 791, with the fields as RFC 2474 (DSCP), RFC 3168 (ECN) and RFC 6864 (identification) read them.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |Version|  IHL  |Type of Service|          Total Length         |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Identification        |Flags|      Fragment Offset    |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Time to Live |    Protocol   |         Header Checksum       |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       Source Address                          |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Destination Address                        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Options                    |    Padding    |
 *
 * Decoding does not look at the checksum: a capture of a packet on its way to an offloading device has none. Who must
 * know asks `hasRightChecksum`.
 */
import { checksum } from './checksum.ts'
import { DecodeError } from './errors.ts'
import { ipv4, layout, u8, u16 } from './layout.ts'
import { decodeOptions, encodeOptions, type Option } from './options.ts'

/** IANA "Protocol Numbers"; the same in IPv6's next header. */
export const IpProtocol = {
  icmp: 1,
  igmp: 2,
  ipip: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  sctp: 132,
  udpLite: 136,
} as const

const MIN_HEADER = 20
const MAX_OPTIONS = 40
const MAX_TOTAL = 0xffff
const DONT_FRAGMENT = 0x4000
const MORE_FRAGMENTS = 0x2000

export interface Ipv4Header {
  /** DSCP in the upper six bits, ECN in the lower two. */
  readonly tos: number
  readonly identification: number
  readonly dontFragment: boolean
  readonly moreFragments: boolean
  /** Bytes, a multiple of 8. */
  readonly fragmentOffset: number
  readonly ttl: number
  /** IpProtocol, or another number. */
  readonly protocol: number
  readonly source: string
  readonly destination: string
  readonly options: readonly Option[]
}

export interface Ipv4 extends Ipv4Header {
  readonly payload: Uint8Array
}

export const ipv4Header = layout('IPv4', {
  versionAndLength: u8,
  tos: u8,
  totalLength: u16,
  identification: u16,
  flagsAndOffset: u16,
  ttl: u8,
  protocol: u8,
  checksum: u16,
  source: ipv4,
  destination: ipv4,
})

/** What follows the total length, such as Ethernet's padding, is left out. */
export function decodeIpv4(bytes: Uint8Array): Ipv4 {
  const { header, headerLength, totalLength } = decodeIpv4Header(bytes)
  if (totalLength > bytes.length) {
    throw new DecodeError('IPv4', ipv4Header.offsets.totalLength, `total length ${totalLength} exceeds the packet`)
  }
  return { ...header, payload: bytes.subarray(headerLength, totalLength) }
}

/** The header alone, of a packet that may be cut off behind it, as ICMP errors quote it. Lengths are bytes. */
export function decodeIpv4Header(bytes: Uint8Array): { header: Ipv4Header; headerLength: number; totalLength: number } {
  const { versionAndLength, totalLength, flagsAndOffset, checksum: _, ...fields } = ipv4Header.decode(bytes)
  const version = versionAndLength >> 4
  const headerLength = (versionAndLength & 15) * 4
  if (version !== 4) throw new DecodeError('IPv4', 0, `version is ${version}`)
  if (headerLength < MIN_HEADER) throw new DecodeError('IPv4', 0, `header length ${headerLength} is less than 20`)
  if (headerLength > bytes.length) throw new DecodeError('IPv4', bytes.length, `header needs ${headerLength} bytes`)
  if (totalLength < headerLength) {
    throw new DecodeError(
      'IPv4',
      ipv4Header.offsets.totalLength,
      `total length ${totalLength} is shorter than the header`,
    )
  }
  const header: Ipv4Header = {
    ...fields,
    dontFragment: (flagsAndOffset & DONT_FRAGMENT) !== 0,
    moreFragments: (flagsAndOffset & MORE_FRAGMENTS) !== 0,
    fragmentOffset: (flagsAndOffset & 0x1fff) * 8,
    options: decodeOptions('IPv4', bytes.subarray(MIN_HEADER, headerLength), MIN_HEADER),
  }
  return { header, headerLength, totalLength }
}

/** Computes lengths and the header's checksum. */
export function encodeIpv4({
  payload,
  options,
  dontFragment,
  moreFragments,
  fragmentOffset,
  ...fields
}: Ipv4): Uint8Array {
  const optionBytes = encodeOptions(options, MAX_OPTIONS)
  const headerLength = MIN_HEADER + optionBytes.length
  const totalLength = headerLength + payload.length
  if (totalLength > MAX_TOTAL) throw new RangeError(`Cannot encode an IPv4 packet of ${totalLength} bytes`)
  if (fragmentOffset % 8 !== 0 || fragmentOffset > 0xfff8) {
    throw new RangeError(`Cannot encode fragment offset ${fragmentOffset}`)
  }
  const bytes = new Uint8Array(totalLength)
  ipv4Header.encode(
    {
      ...fields,
      versionAndLength: 0x40 | (headerLength / 4),
      totalLength,
      flagsAndOffset: (dontFragment ? DONT_FRAGMENT : 0) | (moreFragments ? MORE_FRAGMENTS : 0) | (fragmentOffset / 8),
      checksum: 0,
    },
    bytes,
  )
  bytes.set(optionBytes, MIN_HEADER)
  new DataView(bytes.buffer).setUint16(ipv4Header.offsets.checksum, checksum(bytes.subarray(0, headerLength)))
  bytes.set(payload, headerLength)
  return bytes
}

/** Whether the header's own checksum is right. `bytes` is a packet that decodeIpv4Header takes. */
export function hasRightChecksum(bytes: Uint8Array): boolean {
  return checksum(bytes.subarray(0, (bytes[0]! & 15) * 4)) === 0
}
