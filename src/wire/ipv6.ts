/**
 * IPv6 and its extension headers: RFC 8200 §3 and §4, RFC 4302 (authentication header).
 *
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |Version| Traffic Class |           Flow Label                  |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |         Payload Length        |  Next Header  |   Hop Limit   |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                       Source Address (16)                     |
 *   |                    Destination Address (16)                   |
 *   +---------------------------------------------------------------+
 *   | next header | length | …   (extension headers, each names the next)
 *
 * An extension header is kept as its type and its bytes; a fragment header is also read, since what follows it in any
 * but the first fragment is payload. ESP hides what follows: it is a payload of protocol 50 here.
 */
import { DecodeError } from './errors.ts'
import { ipv6, layout, u8, u16, u32 } from './layout.ts'

/** IANA "IPv6 Extension Header Types". */
export const ExtensionType = {
  hopByHop: 0,
  routing: 43,
  fragment: 44,
  authentication: 51,
  destinationOptions: 60,
} as const

const extensionTypes: readonly number[] = Object.values(ExtensionType)

export const isExtension = (type: number): boolean => extensionTypes.includes(type)

const VERSION = 6
const MAX_PAYLOAD = 0xffff

export type ExtensionHeader =
  /** `data` is what stands behind next header and length: 6 bytes, or 6 + 8 n; an authentication header's 6 + 4 n. */
  | {
      readonly type: 0 | 43 | 51 | 60
      readonly data: Uint8Array
    }
  | {
      readonly type: 44
      /** Bytes, a multiple of 8. */
      readonly fragmentOffset: number
      readonly moreFragments: boolean
      readonly identification: number
    }

export interface Ipv6Header {
  readonly trafficClass: number
  readonly flowLabel: number
  readonly hopLimit: number
  readonly source: string
  readonly destination: string
  readonly extensions: readonly ExtensionHeader[]
  /** Next header behind the last extension: IpProtocol, or another number. */
  readonly protocol: number
}

export interface Ipv6 extends Ipv6Header {
  readonly payload: Uint8Array
}

export const ipv6Header = layout('IPv6', {
  versionClassLabel: u32,
  payloadLength: u16,
  nextHeader: u8,
  hopLimit: u8,
  source: ipv6,
  destination: ipv6,
})

export const fragmentHeader = layout('IPv6 fragment', {
  nextHeader: u8,
  reserved: u8,
  offsetAndMore: u16,
  identification: u32,
})

/** What follows the payload length, such as Ethernet's padding, is left out. Jumbograms (RFC 2675) are refused. */
export function decodeIpv6(bytes: Uint8Array): Ipv6 {
  const { header, headerLength, totalLength } = decodeIpv6Header(bytes)
  if (totalLength > bytes.length) {
    throw new DecodeError('IPv6', ipv6Header.offsets.payloadLength, `payload reaches to byte ${totalLength}`)
  }
  return { ...header, payload: bytes.subarray(headerLength, totalLength) }
}

/** The headers alone, of a packet that may be cut off behind them, as ICMPv6 errors quote it. Lengths are bytes. */
export function decodeIpv6Header(bytes: Uint8Array): { header: Ipv6Header; headerLength: number; totalLength: number } {
  const { versionClassLabel, payloadLength, nextHeader, ...fields } = ipv6Header.decode(bytes)
  const version = versionClassLabel >>> 28
  if (version !== VERSION) throw new DecodeError('IPv6', 0, `version is ${version}`)
  const totalLength = ipv6Header.size + payloadLength
  const chain = decodeExtensions(bytes.subarray(0, totalLength), nextHeader)
  const header: Ipv6Header = {
    ...fields,
    trafficClass: (versionClassLabel >>> 20) & 0xff,
    flowLabel: versionClassLabel & 0xf_ffff,
    extensions: chain.extensions,
    protocol: chain.protocol,
  }
  return { header, headerLength: chain.end, totalLength }
}

function decodeExtensions(bytes: Uint8Array, first: number) {
  const extensions: ExtensionHeader[] = []
  let protocol = first
  let end = ipv6Header.size
  for (;;) {
    const rest = bytes.subarray(end)
    if (protocol === ExtensionType.fragment) {
      if (rest.length < fragmentHeader.size) throw new DecodeError('IPv6', end, 'fragment header is cut off')
      const { nextHeader, offsetAndMore, identification } = fragmentHeader.decode(rest)
      const fragmentOffset = offsetAndMore & 0xfff8
      extensions.push({ type: 44, fragmentOffset, moreFragments: (offsetAndMore & 1) === 1, identification })
      protocol = nextHeader
      end += fragmentHeader.size
      if (fragmentOffset > 0) return { extensions, protocol, end }
    } else if (protocol === 0 || protocol === 43 || protocol === 51 || protocol === 60) {
      const length = extensionLength(protocol, rest[1] ?? 0)
      if (rest.length < length) throw new DecodeError('IPv6', end, `extension header ${protocol} is cut off`)
      extensions.push({ type: protocol, data: rest.subarray(2, length) })
      protocol = rest[0]!
      end += length
    } else {
      return { extensions, protocol, end }
    }
  }
}

/** Bytes of a whole extension header, by its length field. The authentication header counts in words of 4 less 2: RFC 4302 §2.2. */
export function extensionLength(type: number, field: number): number {
  if (type === ExtensionType.fragment) return fragmentHeader.size
  return type === ExtensionType.authentication ? (field + 2) * 4 : (field + 1) * 8
}

/** Computes the lengths. A transport's checksum, which covers the addresses, is the payload's business. */
export function encodeIpv6({ trafficClass, flowLabel, extensions, protocol, payload, ...fields }: Ipv6): Uint8Array {
  if (trafficClass > 0xff || flowLabel > 0xf_ffff) {
    throw new RangeError(`Cannot encode traffic class ${trafficClass} and flow label ${flowLabel}`)
  }
  const encoded = extensions.map((extension, i) => encodeExtension(extension, extensions[i + 1]?.type ?? protocol))
  const payloadLength = encoded.reduce((length, extension) => length + extension.length, payload.length)
  if (payloadLength > MAX_PAYLOAD) throw new RangeError(`Cannot encode an IPv6 payload of ${payloadLength} bytes`)
  const bytes = new Uint8Array(ipv6Header.size + payloadLength)
  const versionClassLabel = VERSION * 2 ** 28 + trafficClass * 2 ** 20 + flowLabel
  const nextHeader = extensions[0]?.type ?? protocol
  ipv6Header.encode({ ...fields, versionClassLabel, payloadLength, nextHeader }, bytes)
  let at = ipv6Header.size
  for (const extension of encoded) {
    bytes.set(extension, at)
    at += extension.length
  }
  bytes.set(payload, at)
  return bytes
}

function encodeExtension(extension: ExtensionHeader, nextHeader: number): Uint8Array {
  if (extension.type === 44) {
    const { fragmentOffset, moreFragments, identification } = extension
    if (fragmentOffset % 8 !== 0) throw new RangeError(`Cannot encode fragment offset ${fragmentOffset}`)
    const offsetAndMore = fragmentOffset | (moreFragments ? 1 : 0)
    return fragmentHeader.encode({ nextHeader, reserved: 0, offsetAndMore, identification })
  }
  const { type, data } = extension
  const length = data.length + 2
  const field = type === ExtensionType.authentication ? length / 4 - 2 : length / 8 - 1
  if (!Number.isInteger(field) || field < 0 || field > 255) {
    throw new RangeError(`Cannot encode an extension header ${type} of ${length} bytes`)
  }
  const bytes = new Uint8Array(length)
  bytes.set([nextHeader, field])
  bytes.set(data, 2)
  return bytes
}
