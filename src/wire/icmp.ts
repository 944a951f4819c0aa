/**
 * ICMP: RFC 792, with the next-hop MTU of RFC 1191.
 *
 *   +---------------+---------------+-------------------------------+
 *   |     Type      |     Code      |          Checksum             |
 *   +---------------+---------------+-------------------------------+
 *   |              four bytes, read by the type                     |
 *   +---------------------------------------------------------------+
 *   |     data of an echo, or the datagram that an error is about   |
 */
import { checksum } from './checksum.ts'
import { layout, u8, u16, u32 } from './layout.ts'

/** IANA "ICMP Type Numbers". */
export const IcmpType = {
  echoReply: 0,
  destinationUnreachable: 3,
  redirect: 5,
  echoRequest: 8,
  timeExceeded: 11,
  parameterProblem: 12,
} as const

/** Codes of destinationUnreachable: RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1. */
export const UnreachableCode = {
  network: 0,
  host: 1,
  protocol: 2,
  port: 3,
  fragmentationNeeded: 4,
  sourceRouteFailed: 5,
  networkProhibited: 9,
  hostProhibited: 10,
  prohibited: 13,
} as const

export type Icmp =
  | {
      readonly kind: 'echo'
      readonly reply: boolean
      readonly identifier: number
      readonly sequence: number
      readonly data: Uint8Array
    }
  /** `original`: the header and the first bytes of the datagram that this is about; read it with decodeIpv4Header. */
  | {
      readonly kind: 'destination unreachable'
      readonly code: number
      /** Bytes; meant where the code is fragmentationNeeded, else 0. */
      readonly mtu: number
      readonly original: Uint8Array
    }
  | { readonly kind: 'time exceeded'; readonly code: number; readonly original: Uint8Array }
  | { readonly kind: 'redirect'; readonly code: number; readonly gateway: number; readonly original: Uint8Array }
  | {
      readonly kind: 'parameter problem'
      readonly code: number
      readonly pointer: number
      readonly original: Uint8Array
    }
  | {
      readonly kind: 'other'
      readonly type: number
      readonly code: number
      readonly rest: number
      readonly data: Uint8Array
    }

export const icmpHeader = layout('ICMP', { type: u8, code: u8, checksum: u16, rest: u32 })

export function decodeIcmp(bytes: Uint8Array): Icmp {
  const { type, code, rest } = icmpHeader.decode(bytes)
  const data = bytes.subarray(icmpHeader.size)
  switch (type) {
    case IcmpType.echoReply:
    case IcmpType.echoRequest:
      if (code !== 0) break // RFC 792 gives an echo no other code
      return {
        kind: 'echo',
        reply: type === IcmpType.echoReply,
        identifier: rest >>> 16,
        sequence: rest & 0xffff,
        data,
      }
    case IcmpType.destinationUnreachable:
      return { kind: 'destination unreachable', code, mtu: rest & 0xffff, original: data }
    case IcmpType.timeExceeded:
      return { kind: 'time exceeded', code, original: data }
    case IcmpType.redirect:
      return { kind: 'redirect', code, gateway: rest, original: data }
    case IcmpType.parameterProblem:
      return { kind: 'parameter problem', code, pointer: rest >>> 24, original: data }
  }
  return { kind: 'other', type, code, rest, data }
}

/** Computes the checksum. */
export function encodeIcmp(icmp: Icmp): Uint8Array {
  const { type, code, rest, data } = parts(icmp)
  const bytes = new Uint8Array(icmpHeader.size + data.length)
  icmpHeader.encode({ type, code, checksum: 0, rest }, bytes)
  bytes.set(data, icmpHeader.size)
  new DataView(bytes.buffer).setUint16(icmpHeader.offsets.checksum, checksum(bytes))
  return bytes
}

function parts(icmp: Icmp): { type: number; code: number; rest: number; data: Uint8Array } {
  switch (icmp.kind) {
    case 'echo':
      return {
        type: icmp.reply ? IcmpType.echoReply : IcmpType.echoRequest,
        code: 0,
        rest: icmp.identifier * 0x10000 + icmp.sequence,
        data: icmp.data,
      }
    case 'destination unreachable':
      return { type: IcmpType.destinationUnreachable, code: icmp.code, rest: icmp.mtu, data: icmp.original }
    case 'time exceeded':
      return { type: IcmpType.timeExceeded, code: icmp.code, rest: 0, data: icmp.original }
    case 'redirect':
      return { type: IcmpType.redirect, code: icmp.code, rest: icmp.gateway, data: icmp.original }
    case 'parameter problem':
      return { type: IcmpType.parameterProblem, code: icmp.code, rest: icmp.pointer * 0x1000000, data: icmp.original }
    case 'other':
      return icmp
  }
}
