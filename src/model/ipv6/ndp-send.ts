/** Neighbour discovery going out: ndisc_send_ns, ndisc_send_na and ndisc_send_rs, net/ipv6/ndisc.c; RFC 4861 §4. */
import { setU32 } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import { type Journey, note } from '../observer.ts'
import type { Packet } from '../packet.ts'
import { ALL_ROUTERS, ANY, isAny, textOf } from './address.ts'
import { sendOnLink } from './link-send.ts'
import { findAddress, linkLocalOf, selectAddress6 } from './select-address.ts'

export const NdType = {
  routerSolicitation: 133,
  routerAdvertisement: 134,
  solicitation: 135,
  advertisement: 136,
  redirect: 137,
} as const
export const NdOption = { source: 1, target: 2, prefix: 3, mtu: 5, nonce: 14 } as const
/** Where the target stands, and behind it the options: offsets from the ICMPv6 header. */
export const TARGET_AT = 8
export const OPTIONS_AT = 24

const HOP_LIMIT = 255
export const NaFlag = { router: 0x8000_0000, solicited: 0x4000_0000, override: 0x2000_0000 } as const

function linkLayerOption(type: number, mac: Uint8Array): Uint8Array {
  return Uint8Array.of(type, 1, ...mac)
}

function send(
  device: Device,
  { source, destination, icmp }: { source: Uint8Array; destination: Uint8Array; icmp: Uint8Array },
  cause: Packet | undefined,
  what: string,
): void {
  const journey: Journey | undefined = cause?.journey?.spawn('nd')
  if (cause?.journey) note(cause, device, 'nd', what, { kernel: 'ndisc_send_skb' })
  sendOnLink(device, { source, destination, hopLimit: HOP_LIMIT, icmp }, journey)
}

export interface Solicitation {
  readonly target: Uint8Array
  readonly destination: Uint8Array
  /** Undefined: the device's link-local address. ANY: who asks whether somebody has the address already. */
  readonly source: Uint8Array | undefined
  readonly nonce?: Uint8Array | undefined
}

/** Nothing is sent where there is no address to ask from. */
export function sendSolicitation(
  device: Device,
  { target, destination, source, nonce }: Solicitation,
  cause?: Packet,
): void {
  const from = source ?? linkLocalOf(device)
  if (!from) return
  const options = [
    ...(isAny(from) || device.mac.length === 0 ? [] : linkLayerOption(NdOption.source, device.mac)),
    ...(nonce ? [NdOption.nonce, 1, ...nonce] : []),
  ]
  const icmp = Uint8Array.from([NdType.solicitation, 0, 0, 0, 0, 0, 0, 0, ...target, ...options])
  send(device, { source: from, destination, icmp }, cause, `who has ${textOf(target)}?`)
}

export interface Advertisement {
  readonly destination: Uint8Array
  readonly target: Uint8Array
  readonly router: boolean
  readonly solicited: boolean
  readonly override: boolean
  /** Says the link-layer address. */
  readonly withMac: boolean
}

export function sendAdvertisement(device: Device, advertisement: Advertisement, cause?: Packet): void {
  const { destination, target, router, solicited, override, withMac } = advertisement
  const { namespace } = device
  const own = findAddress(namespace, target, 0, device)
  const source = own ? target : selectAddress6(namespace, device, destination)
  if (!source) return
  const tell = device.mac.length > 0 && (withMac || (own !== undefined && device.ipv6.conf.force_tllao !== 0))
  const options = tell ? linkLayerOption(NdOption.target, device.mac) : []
  const icmp = Uint8Array.from([NdType.advertisement, 0, 0, 0, 0, 0, 0, 0, ...target, ...options])
  const flags = (router ? NaFlag.router : 0) + (solicited ? NaFlag.solicited : 0) + (override ? NaFlag.override : 0)
  setU32(icmp, 4, flags)
  send(device, { source, destination, icmp }, cause, `${textOf(target)} is here`)
}

/** From the link-local address. */
export function sendRouterSolicitation(device: Device): void {
  const source = linkLocalOf(device) ?? ANY
  const options = isAny(source) || device.mac.length === 0 ? [] : linkLayerOption(NdOption.source, device.mac)
  const icmp = Uint8Array.from([NdType.routerSolicitation, 0, 0, 0, 0, 0, 0, 0, ...options])
  sendOnLink(device, { source, destination: ALL_ROUTERS, hopLimit: HOP_LIMIT, icmp })
}
