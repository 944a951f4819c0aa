/**
 * Neighbour discovery: RFC 4861 §4. Messages are bodies of ICMPv6, behind its type, code and checksum.
 *
 *   router solicitation     | reserved (4) | options
 *   router advertisement    | hop limit | flags | lifetime (2) | reachable (4) | retransmit (4) | options
 *   neighbour solicitation  | reserved (4) | target (16) | options
 *   neighbour advertisement | flags (4)    | target (16) | options
 *   redirect                | reserved (4) | target (16) | destination (16) | options
 */
import { formatMac, MAC_LENGTH, parseMac } from '../address/mac.ts'
import { DecodeError } from './errors.ts'
import { ipv6, layout, u8, u16, u32 } from './layout.ts'

/** ICMPv6 types. */
export const NdpType = {
  routerSolicitation: 133,
  routerAdvertisement: 134,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
  redirect: 137,
} as const

/** IANA "IPv6 Neighbor Discovery Option Formats". */
export const NdpOptionType = {
  sourceLinkLayerAddress: 1,
  targetLinkLayerAddress: 2,
  prefixInformation: 3,
  redirectedHeader: 4,
  mtu: 5,
} as const

export type NdpOption =
  | { readonly kind: 'source link-layer address'; readonly mac: string }
  | { readonly kind: 'target link-layer address'; readonly mac: string }
  | { readonly kind: 'mtu'; readonly mtu: number }
  | {
      readonly kind: 'prefix information'
      readonly prefix: string
      readonly length: number
      readonly onLink: boolean
      readonly autonomous: boolean
      /** Seconds; 0xffffffff means for ever. */
      readonly validLifetime: number
      readonly preferredLifetime: number
    }
  /** `data` is what stands behind type and length: 6 bytes, or 6 + 8 n. */
  | { readonly kind: 'other'; readonly type: number; readonly data: Uint8Array }

export type Ndp =
  | { readonly kind: 'router solicitation'; readonly options: readonly NdpOption[] }
  | {
      readonly kind: 'router advertisement'
      readonly hopLimit: number
      readonly managed: boolean
      readonly otherConfiguration: boolean
      /** Seconds; 0: not a default router. */
      readonly lifetime: number
      /** Milliseconds; 0: not said. */
      readonly reachableTime: number
      readonly retransmitTimer: number
      readonly options: readonly NdpOption[]
    }
  | { readonly kind: 'neighbour solicitation'; readonly target: string; readonly options: readonly NdpOption[] }
  | {
      readonly kind: 'neighbour advertisement'
      readonly target: string
      readonly router: boolean
      readonly solicited: boolean
      readonly override: boolean
      readonly options: readonly NdpOption[]
    }
  | {
      readonly kind: 'redirect'
      readonly target: string
      readonly destination: string
      readonly options: readonly NdpOption[]
    }

const solicitation = layout('NDP', { reserved: u32 })
const advertisement = layout('NDP', {
  hopLimit: u8,
  flags: u8,
  lifetime: u16,
  reachableTime: u32,
  retransmitTimer: u32,
})
const neighbour = layout('NDP', { flags: u32, target: ipv6 })
const redirect = layout('NDP', { reserved: u32, target: ipv6, destination: ipv6 })
const prefixInformation = layout('NDP', {
  length: u8,
  flags: u8,
  validLifetime: u32,
  preferredLifetime: u32,
  reserved: u32,
  prefix: ipv6,
})
const mtuOption = layout('NDP', { reserved: u16, mtu: u32 })

const MANAGED = 0x80
const OTHER_CONFIGURATION = 0x40
const ROUTER = 0x8000_0000
const SOLICITED = 0x4000_0000
const OVERRIDE = 0x2000_0000
const ON_LINK = 0x80
const AUTONOMOUS = 0x40

export function isNdp(type: number): boolean {
  return type >= NdpType.routerSolicitation && type <= NdpType.redirect
}

/** `type` is one that isNdp answers true for. */
export function decodeNdp(type: number, body: Uint8Array): Ndp {
  switch (type) {
    case NdpType.routerSolicitation:
      solicitation.decode(body)
      return { kind: 'router solicitation', options: decodeNdpOptions(body, solicitation.size) }
    case NdpType.routerAdvertisement: {
      const { flags, ...fields } = advertisement.decode(body)
      return {
        kind: 'router advertisement',
        ...fields,
        managed: (flags & MANAGED) !== 0,
        otherConfiguration: (flags & OTHER_CONFIGURATION) !== 0,
        options: decodeNdpOptions(body, advertisement.size),
      }
    }
    case NdpType.neighbourSolicitation: {
      const { target } = neighbour.decode(body)
      return { kind: 'neighbour solicitation', target, options: decodeNdpOptions(body, neighbour.size) }
    }
    case NdpType.neighbourAdvertisement: {
      const { flags, target } = neighbour.decode(body)
      return {
        kind: 'neighbour advertisement',
        target,
        router: (flags & ROUTER) !== 0,
        solicited: (flags & SOLICITED) !== 0,
        override: (flags & OVERRIDE) !== 0,
        options: decodeNdpOptions(body, neighbour.size),
      }
    }
    case NdpType.redirect: {
      const { target, destination } = redirect.decode(body)
      return { kind: 'redirect', target, destination, options: decodeNdpOptions(body, redirect.size) }
    }
    default:
      throw new RangeError(`Cannot decode ICMPv6 type ${type} as neighbour discovery`)
  }
}

/** The message's ICMPv6 type and body. */
export function encodeNdp(ndp: Ndp): { type: number; body: Uint8Array } {
  const options = ndp.options.flatMap((option) => [...encodeNdpOption(option)])
  const body = (fixed: Uint8Array) => Uint8Array.from([...fixed, ...options])
  switch (ndp.kind) {
    case 'router solicitation':
      return { type: NdpType.routerSolicitation, body: body(solicitation.encode({ reserved: 0 })) }
    case 'router advertisement': {
      const flags = (ndp.managed ? MANAGED : 0) | (ndp.otherConfiguration ? OTHER_CONFIGURATION : 0)
      return { type: NdpType.routerAdvertisement, body: body(advertisement.encode({ ...ndp, flags })) }
    }
    case 'neighbour solicitation':
      return { type: NdpType.neighbourSolicitation, body: body(neighbour.encode({ flags: 0, target: ndp.target })) }
    case 'neighbour advertisement': {
      const flags = (ndp.router ? ROUTER : 0) + (ndp.solicited ? SOLICITED : 0) + (ndp.override ? OVERRIDE : 0)
      return { type: NdpType.neighbourAdvertisement, body: body(neighbour.encode({ flags, target: ndp.target })) }
    }
    case 'redirect':
      return { type: NdpType.redirect, body: body(redirect.encode({ ...ndp, reserved: 0 })) }
  }
}

function decodeNdpOptions(body: Uint8Array, start: number): NdpOption[] {
  const options: NdpOption[] = []
  for (let at = start; at < body.length; ) {
    const type = body[at]!
    const length = (body[at + 1] ?? 0) * 8
    // "Nodes MUST silently discard an ND packet that contains an option with length zero": RFC 4861 §4.6.
    if (length === 0) throw new DecodeError('NDP', at, `option ${type} has length 0`)
    if (at + length > body.length) throw new DecodeError('NDP', at, `option ${type} does not fit`)
    options.push(decodeNdpOption(type, body.subarray(at + 2, at + length)))
    at += length
  }
  return options
}

function decodeNdpOption(type: number, data: Uint8Array): NdpOption {
  if (type === NdpOptionType.sourceLinkLayerAddress && data.length === MAC_LENGTH) {
    return { kind: 'source link-layer address', mac: formatMac(data) }
  }
  if (type === NdpOptionType.targetLinkLayerAddress && data.length === MAC_LENGTH) {
    return { kind: 'target link-layer address', mac: formatMac(data) }
  }
  if (type === NdpOptionType.mtu && data.length === mtuOption.size) {
    return { kind: 'mtu', mtu: mtuOption.decode(data).mtu }
  }
  if (type === NdpOptionType.prefixInformation && data.length === prefixInformation.size) {
    const { flags, reserved: _, ...fields } = prefixInformation.decode(data)
    const onLink = (flags & ON_LINK) !== 0
    return { kind: 'prefix information', ...fields, onLink, autonomous: (flags & AUTONOMOUS) !== 0 }
  }
  return { kind: 'other', type, data }
}

function encodeNdpOption(option: NdpOption): Uint8Array {
  switch (option.kind) {
    case 'source link-layer address':
      return withHeader(NdpOptionType.sourceLinkLayerAddress, parseMac(option.mac))
    case 'target link-layer address':
      return withHeader(NdpOptionType.targetLinkLayerAddress, parseMac(option.mac))
    case 'mtu':
      return withHeader(NdpOptionType.mtu, mtuOption.encode({ reserved: 0, mtu: option.mtu }))
    case 'prefix information': {
      const flags = (option.onLink ? ON_LINK : 0) | (option.autonomous ? AUTONOMOUS : 0)
      return withHeader(NdpOptionType.prefixInformation, prefixInformation.encode({ ...option, flags, reserved: 0 }))
    }
    case 'other':
      return withHeader(option.type, option.data)
  }
}

function withHeader(type: number, data: Uint8Array): Uint8Array {
  const length = data.length + 2
  if (length % 8 !== 0 || length / 8 > 255) throw new RangeError(`Cannot encode an NDP option of ${length} bytes`)
  return Uint8Array.from([type, length / 8, ...data])
}
