/** Neighbour discovery: what NDP does for its table, and what comes in. net/ipv6/ndisc.c, RFC 4861 §7. */
import { formatMac } from '../../address/mac.ts'
import { sameBytes, u32 } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import { NeighbourUpdate, Nud } from '../neighbour/state.ts'
import type { NeighbourFamily } from '../neighbour.ts'
import { delivered, drop, note, unsupported } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import {
  ALL_NODES,
  addressOfKey,
  isAny,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isSolicitedNode,
  keyAt,
  multicastMac,
  solicitedNode,
  textOf,
} from './address.ts'
import { failDad } from './dad.ts'
import type { Ipv6Address } from './device.ts'
import { DESTINATION_AT, ETHERTYPE_IPV6, findTransport, HOP_LIMIT_AT, SOURCE_AT } from './header.ts'
import { sendIcmpv6Error } from './icmp.ts'
import { joinGroup, leaveGroup } from './multicast.ts'
import { NaFlag, NdOption, NdType, OPTIONS_AT, sendAdvertisement, sendSolicitation, TARGET_AT } from './ndp-send.ts'
import { takeAdvertisement } from './router-advertisement.ts'
import { findAddress } from './select-address.ts'

const UNREACHABLE = 1
const ADDRESS_UNREACHABLE = 3
/** Of a router's advertisement, before its options. */
const ADVERTISEMENT = 16
/** Who frees what ndisc_rcv refuses. */
const KERNEL = 'icmpv6_rcv'
const ASKER = { stage: 'nd', kernel: KERNEL } as const

export const ndFamily: NeighbourFamily = {
  format: (key) => textOf(addressOfKey(`${key}`)),
  conf: (device) => device.ipv6.neighbourConf,

  /** ndisc_constructor */
  fixedAddress(device, key) {
    if (!device.hasLinkLayer) return new Uint8Array()
    const address = addressOfKey(`${key}`)
    if (isMulticast(address)) return multicastMac(address)
    if (device.noArp || device.kind === 'loopback') return device.mac.slice()
    return isLoopback(address) ? new Uint8Array(6) : undefined
  },

  /** ndisc_solicit */
  solicit({ device, key }, packet, unicast) {
    const target = addressOfKey(`${key}`)
    let source: Uint8Array | undefined
    if (packet?.protocol === ETHERTYPE_IPV6) {
      const own = findAddress(device.namespace, packet.bytes, packet.network + SOURCE_AT, device)
      if (own && (!own.tentative || own.timer)) source = own.address
    }
    sendSolicitation(device, { target, destination: unicast ? target : solicitedNode(target), source }, packet)
  },

  /** pndisc_constructor, pndisc_destructor: who stands for an address hears who asks for it. */
  proxyAdded: (device, key) => joinGroup(device, solicitedNode(addressOfKey(`${key}`))),
  proxyDeleted: (device, key) => leaveGroup(device, solicitedNode(addressOfKey(`${key}`))),

  /** ip6_link_failure */
  unreachable(packet) {
    sendIcmpv6Error(packet, UNREACHABLE, ADDRESS_UNREACHABLE, 0)
  },
}

/** ndisc_rcv. RFC 4861 §11.2: what has been forwarded is no neighbour's. */
export function receiveNdp(packet: Packet): void {
  const { bytes, network, transport, end } = packet
  if (bytes[network + HOP_LIMIT_AT] !== 255) {
    drop(packet, 'IPV6_NDISC_HOP_LIMIT', KERNEL, { what: `hop limit ${bytes[network + HOP_LIMIT_AT]}` })
    return
  }
  if (bytes[transport + 1] !== 0) {
    drop(packet, 'IPV6_NDISC_BAD_CODE', KERNEL, { what: `code ${bytes[transport + 1]}` })
    return
  }
  if (findTransport(bytes, network, end)!.fragmentAt >= 0) {
    drop(packet, 'IPV6_NDISC_FRAG', KERNEL, { what: 'RFC 6980: it came in fragments' })
    return
  }
  const type = bytes[transport]!
  if (type === NdType.solicitation) receiveSolicitation(packet, false)
  else if (type === NdType.advertisement) receiveAdvertisement(packet)
  else if (type === NdType.routerSolicitation) receiveRouterSolicitation(packet)
  else if (type === NdType.routerAdvertisement) receiveRouterAdvertisement(packet)
  else receiveRedirect(packet)
}

/** All of them, each from its type on. Undefined: they are malformed. */
function optionsOf({ bytes, end }: Packet, start: number): Uint8Array[] | undefined {
  const options: Uint8Array[] = []
  for (let at = start; at < end; ) {
    const length = bytes[at + 1]! * 8
    if (length === 0 || at + length > end) return undefined
    options.push(bytes.slice(at, at + length))
    at += length
  }
  return options
}

/** Options begin at `start`. Undefined: there is none of this type. False: they are malformed. */
function option({ bytes, end }: Packet, start: number, type: number): Uint8Array | undefined | false {
  let found: Uint8Array | undefined
  for (let at = start; at < end; ) {
    const length = bytes[at + 1]! * 8
    if (length === 0 || at + length > end) return false
    if (bytes[at] === type && !found) found = bytes.slice(at + 2, at + length)
    at += length
  }
  return found
}

/** The link-layer address of such an option, of a device that has them. */
function macOption(packet: Packet, start: number, type: number): Uint8Array | undefined | false {
  const found = option(packet, start, type)
  if (!found || packet.device.mac.length === 0) return found === false ? false : undefined
  return found.length === packet.device.mac.length ? found : false
}

function refuseTarget(packet: Packet): void {
  drop(packet, 'NOT_SPECIFIED', KERNEL, { own: 'OVL_ND_INVALID', what: 'a target or destination that it may not have' })
}

function refuse(packet: Packet, what: string): void {
  drop(packet, 'IPV6_NDISC_BAD_OPTIONS', KERNEL, { what })
}

/** ndisc_recv_ns. `delayed`: it has waited as a proxy's answers do. */
function receiveSolicitation(packet: Packet, delayed: boolean): void {
  const { bytes, network, transport, end, device } = packet
  const target = transport + TARGET_AT
  if (end - transport < OPTIONS_AT) {
    drop(packet, 'PKT_TOO_SMALL', KERNEL, { what: 'no target' })
    return
  }
  const isProbe = isAny(bytes, network + SOURCE_AT)
  if (isMulticast(bytes, target) || (isProbe && !isSolicitedNode(bytes, network + DESTINATION_AT))) {
    refuseTarget(packet)
    return
  }
  const mac = macOption(packet, transport + OPTIONS_AT, NdOption.source)
  if (mac === false || (mac && isProbe)) {
    refuse(packet, 'its options are wrong')
    return
  }
  const own = findAddress(device.namespace, bytes, target, device)
  if (own?.tentative) {
    if (isProbe) collide(packet, own)
    delivered(packet, 'ndisc')
    return
  }
  const isMany = isMulticast(bytes, network + DESTINATION_AT)
  let router = device.ipv6.conf.forwarding !== 0
  if (!own) {
    const proxied = answersAsProxy(packet, target)
    const anycast = device.ipv6.anycast.some(({ address }) => sameBytes(address, 0, bytes, target, 16))
    if (!anycast && !proxied) {
      drop(packet, 'IPV6_NDISC_NS_OTHERHOST', KERNEL, { what: `${textOf(bytes, target)} is not here` })
      return
    }
    if (proxied) router = proxied.router
    const { neighbourConf } = device.ipv6
    if (!delayed && packet.for !== PacketFor.host && isMany && neighbourConf.proxy_delay !== 0) {
      device.namespace.nd.proxyQueue.enqueue(packet, neighbourConf, ASKER, () => receiveSolicitation(packet, true))
      return
    }
  }
  answer(packet, { own: own !== undefined, mac, router, isMany, isProbe })
  delivered(packet, 'ndisc')
}

interface Question {
  readonly own: boolean
  readonly mac: Uint8Array | undefined
  readonly router: boolean
  /** It came to the group, not to the target alone. */
  readonly isMany: boolean
  /** From nobody: who asks wants the address for himself. */
  readonly isProbe: boolean
}

function answer(packet: Packet, { own, mac, router, isMany, isProbe }: Question): void {
  const { bytes, network, transport, device } = packet
  const { nd } = device.namespace
  const target = bytes.slice(transport + TARGET_AT, transport + TARGET_AT + 16)
  if (isProbe) {
    const common = { destination: ALL_NODES, target, router, solicited: false }
    sendAdvertisement(device, { ...common, override: own, withMac: true }, packet)
    return
  }
  const source = bytes.slice(network + SOURCE_AT, network + SOURCE_AT + 16)
  const key = keyAt(source, 0)
  const neighbour = mac || !isMany || !device.hasLinkLayer ? nd.ensure(device, key) : nd.get(device, key)
  neighbour?.update(mac, Nud.stale, NeighbourUpdate.weakOverride | NeighbourUpdate.override)
  if (neighbour && packet.journey)
    note(packet, device, 'nd', `${textOf(source)} heard of`, {
      kernel: 'neigh_update',
      ref: `neigh ${neighbour.describe()}`,
    })
  if (!neighbour && device.hasLinkLayer) return
  const override = own && isMany
  sendAdvertisement(device, { destination: source, target, router, solicited: true, override, withMac: isMany }, packet)
}

/** Another asks for the address that we ask for: unless it is our own question that came back, nobody has it. */
function collide(packet: Packet, own: Ipv6Address): void {
  const nonce = option(packet, packet.transport + OPTIONS_AT, NdOption.nonce)
  if (nonce && own.nonce && nonce.length === own.nonce.length && sameBytes(nonce, 0, own.nonce, 0, nonce.length)) return
  failDad(packet.device, own)
}

function answersAsProxy({ bytes, device }: Packet, target: number): { router: boolean } | undefined {
  const { namespace, ipv6 } = device
  const isOn = namespace.ipv6.all.proxy_ndp !== 0 || ipv6.conf.proxy_ndp !== 0
  if (ipv6.conf.forwarding === 0 || !isOn) return undefined
  return namespace.nd.proxied.get(device, keyAt(bytes, target))
}

/** ndisc_recv_na */
function receiveAdvertisement(packet: Packet): void {
  const { bytes, network, transport, end, device } = packet
  const target = transport + TARGET_AT
  if (end - transport < OPTIONS_AT) {
    drop(packet, 'PKT_TOO_SMALL', KERNEL, { what: 'no target' })
    return
  }
  const flags = u32(bytes, transport + 4)
  const solicited = (flags & NaFlag.solicited) !== 0
  if (isMulticast(bytes, target) || (isMulticast(bytes, network + DESTINATION_AT) && solicited)) {
    refuseTarget(packet)
    return
  }
  const mac = macOption(packet, transport + OPTIONS_AT, NdOption.target)
  if (mac === false) {
    refuse(packet, 'its options are wrong')
    return
  }
  if (!solicited && device.ipv6.conf.drop_unsolicited_na !== 0) {
    drop(packet, 'NOT_SPECIFIED', KERNEL, { own: 'OVL_UNSOLICITED', what: 'nobody asked' })
    return
  }
  const own = findAddress(device.namespace, bytes, target, device)
  if (own) {
    if (packet.for !== PacketFor.loopback && own.tentative) failDad(device, own)
  } else update(packet, mac, flags, solicited)
  delivered(packet, 'ndisc')
}

function update(packet: Packet, mac: Uint8Array | undefined, flags: number, solicited: boolean): void {
  const { bytes, transport, device } = packet
  const { nd } = device.namespace
  const key = keyAt(bytes, transport + TARGET_AT)
  const { accept_untracked_na, forwarding } = device.ipv6.conf
  let neighbour = nd.get(device, key)
  if (!neighbour && mac && accept_untracked_na !== 0 && forwarding !== 0) neighbour = nd.ensure(device, key)
  if (!neighbour || neighbour.state === Nud.failed) return
  if (mac && isOwnProxyAnswer(device, key, mac)) return
  const { weakOverride, override, overrideIsRouter, isRouter } = NeighbourUpdate
  neighbour.update(
    mac,
    solicited ? Nud.reachable : Nud.stale,
    weakOverride |
      overrideIsRouter |
      ((flags & NaFlag.override) !== 0 ? override : 0) |
      ((flags & NaFlag.router) !== 0 ? isRouter : 0),
  )
  if (packet.journey)
    note(packet, device, 'nd', `${textOf(bytes, transport + TARGET_AT)} is ${mac ? formatMac(mac) : 'there'}`, {
      kernel: 'neigh_update',
      ref: `neigh ${neighbour.describe()}`,
    })
}

function isOwnProxyAnswer(device: Device, key: string, mac: Uint8Array): boolean {
  const { mac: own, namespace } = device
  const { all } = namespace.ipv6
  if (all.forwarding === 0 || all.proxy_ndp === 0 || !sameBytes(mac, 0, own, 0, own.length)) return false
  return namespace.nd.proxied.get(device, key) !== undefined
}

/** ndisc_recv_rs: routers learn who asks. */
function receiveRouterSolicitation(packet: Packet): void {
  const { bytes, network, transport, device } = packet
  const mac = macOption(packet, transport + 8, NdOption.source)
  if (mac === false) {
    refuse(packet, 'its options are wrong')
    return
  }
  if (device.ipv6.conf.forwarding !== 0 && !isAny(bytes, network + SOURCE_AT)) {
    const { weakOverride, override, overrideIsRouter } = NeighbourUpdate
    const neighbour = device.namespace.nd.ensure(device, keyAt(bytes, network + SOURCE_AT))
    neighbour.update(mac, Nud.stale, weakOverride | override | overrideIsRouter)
  }
  delivered(packet, 'ndisc')
}

function receiveRouterAdvertisement(packet: Packet): void {
  const { bytes, network, transport, end } = packet
  if (!isLinkLocal(bytes, network + SOURCE_AT)) {
    drop(packet, 'NOT_SPECIFIED', KERNEL, {
      own: 'OVL_NOT_LINK_LOCAL',
      what: 'from an address that is not link-local',
    })
    return
  }
  if (end - transport < ADVERTISEMENT) {
    drop(packet, 'PKT_TOO_SMALL', KERNEL, { what: 'shorter than its header' })
    return
  }
  const options = optionsOf(packet, transport + ADVERTISEMENT)
  const mac = macOption(packet, transport + ADVERTISEMENT, NdOption.source)
  if (!options || mac === false) {
    refuse(packet, 'its options are wrong')
    return
  }
  takeAdvertisement(packet, mac, options)
  delivered(packet, 'ndisc')
}

/** ndisc_redirect_rcv. A router does not listen to redirects. */
function receiveRedirect(packet: Packet): void {
  const { forwarding, accept_redirects } = packet.device.ipv6.conf
  if (forwarding === 0 && accept_redirects !== 0) unsupported(packet, 'redirects of NDP')
  else delivered(packet, 'ndisc')
}
