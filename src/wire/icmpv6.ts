/**
 * ICMPv6: RFC 4443. Neighbour discovery (types 133 to 137) is read by ndp.ts.
 *
 *   +---------------+---------------+-------------------------------+
 *   |     Type      |     Code      |          Checksum             |
 *   +---------------+---------------+-------------------------------+
 *   |                        message body                           |
 */
import { checksum, type Endpoints, pseudoHeader } from './checksum.ts'
import { DecodeError } from './errors.ts'
import { IpProtocol } from './ipv4.ts'
import { layout, u8, u16, u32 } from './layout.ts'
import { decodeNdp, encodeNdp, isNdp, type Ndp } from './ndp.ts'

/** IANA "ICMPv6 'type' Numbers". Errors are below 128. */
export const Icmpv6Type = {
  destinationUnreachable: 1,
  packetTooBig: 2,
  timeExceeded: 3,
  parameterProblem: 4,
  echoRequest: 128,
  echoReply: 129,
} as const

export type Icmpv6 =
  | {
      readonly kind: 'echo'
      readonly reply: boolean
      readonly identifier: number
      readonly sequence: number
      readonly data: Uint8Array
    }
  /** `original`: as much of the packet that this is about as fits; read it with decodeIpv6Header. */
  | { readonly kind: 'destination unreachable'; readonly code: number; readonly original: Uint8Array }
  | { readonly kind: 'packet too big'; readonly mtu: number; readonly original: Uint8Array }
  | { readonly kind: 'time exceeded'; readonly code: number; readonly original: Uint8Array }
  | {
      readonly kind: 'parameter problem'
      readonly code: number
      readonly pointer: number
      readonly original: Uint8Array
    }
  | { readonly kind: 'ndp'; readonly ndp: Ndp }
  | { readonly kind: 'other'; readonly type: number; readonly code: number; readonly data: Uint8Array }

export const icmpv6Header = layout('ICMPv6', { type: u8, code: u8, checksum: u16 })
const word = layout('ICMPv6', { value: u32 })

export function decodeIcmpv6(bytes: Uint8Array): Icmpv6 {
  const { type, code } = icmpv6Header.decode(bytes)
  const body = bytes.subarray(icmpv6Header.size)
  if (isNdp(type) && code === 0) return { kind: 'ndp', ndp: decodeNdp(type, body) }
  const understood = (Object.values(Icmpv6Type) as number[]).includes(type)
  if (!understood) return { kind: 'other', type, code, data: body }

  if (body.length < word.size) throw new DecodeError('ICMPv6', bytes.length, `type ${type} needs 8 bytes`)
  const { value } = word.decode(body)
  const rest = body.subarray(word.size)
  switch (type) {
    case Icmpv6Type.destinationUnreachable:
      return { kind: 'destination unreachable', code, original: rest }
    case Icmpv6Type.packetTooBig:
      return { kind: 'packet too big', mtu: value, original: rest }
    case Icmpv6Type.timeExceeded:
      return { kind: 'time exceeded', code, original: rest }
    case Icmpv6Type.parameterProblem:
      return { kind: 'parameter problem', code, pointer: value, original: rest }
    default:
      return {
        kind: 'echo',
        reply: type === Icmpv6Type.echoReply,
        identifier: value >>> 16,
        sequence: value & 0xffff,
        data: rest,
      }
  }
}

/** Computes the checksum, which covers the addresses: RFC 4443 §2.3. */
export function encodeIcmpv6(icmp: Icmpv6, endpoints: Endpoints): Uint8Array {
  const { type, code, body } = parts(icmp)
  const bytes = new Uint8Array(icmpv6Header.size + body.length)
  icmpv6Header.encode({ type, code, checksum: 0 }, bytes)
  bytes.set(body, icmpv6Header.size)
  const sum = checksum(bytes, pseudoHeader(endpoints, IpProtocol.icmpv6, bytes.length))
  new DataView(bytes.buffer).setUint16(icmpv6Header.offsets.checksum, sum)
  return bytes
}

function parts(icmp: Icmpv6): { type: number; code: number; body: Uint8Array } {
  switch (icmp.kind) {
    case 'echo': {
      const type = icmp.reply ? Icmpv6Type.echoReply : Icmpv6Type.echoRequest
      return { type, code: 0, body: behind(icmp.identifier * 0x10000 + icmp.sequence, icmp.data) }
    }
    case 'destination unreachable':
      return { type: Icmpv6Type.destinationUnreachable, code: icmp.code, body: behind(0, icmp.original) }
    case 'packet too big':
      return { type: Icmpv6Type.packetTooBig, code: 0, body: behind(icmp.mtu, icmp.original) }
    case 'time exceeded':
      return { type: Icmpv6Type.timeExceeded, code: icmp.code, body: behind(0, icmp.original) }
    case 'parameter problem':
      return { type: Icmpv6Type.parameterProblem, code: icmp.code, body: behind(icmp.pointer, icmp.original) }
    case 'ndp':
      return { code: 0, ...encodeNdp(icmp.ndp) }
    case 'other':
      return { type: icmp.type, code: icmp.code, body: icmp.data }
  }
}

function behind(value: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(word.size + data.length)
  word.encode({ value }, bytes)
  bytes.set(data, word.size)
  return bytes
}
