/**
 * What a host makes of a router's advertisement: ndisc_router_discovery, net/ipv6/ndisc.c; addrconf_prefix_rcv,
 * net/ipv6/addrconf.c; RFC 4861 §6.3.4, RFC 4862 §5.5.3, RFC 4191 §2.2.
 *
 *      header       a default route, for so long; hop limit; how long neighbours are believed, and when they are asked again
 *      prefixes     a route to the link, and with 64 bits an address of our own
 *      MTU          what the link takes, where that is less than the device does
 */
import { RouteProtocol, RouteTable } from '../../kernel/route.ts'
import { u16, u32 } from '../bytes.ts'
import { SECOND } from '../clock.ts'
import type { Device } from '../device/device.ts'
import { NeighbourUpdate, Nud } from '../neighbour/state.ts'
import { note } from '../observer.ts'
import type { Packet } from '../packet.ts'
import { ANY, isLinkLocal, isMulticast, keyOf, sameAddress, textOf } from './address.ts'
import { addPrefixRoute, changed, removePrefixRoute, setPrefixRouteExpiry } from './address-routes.ts'
import { addAddress6, linkLocalAddress, setAddressLifetime6 } from './addresses.ts'
import { expireRoute, insertOwnRoute, removeRoute6 } from './fib-change.ts'
import type { Fib6Route, Preference } from './fib-route.ts'
import { MIN_MTU, SOURCE_AT } from './header.ts'
import { NdOption } from './ndp-send.ts'
import { acceptsAdvertisements, routerHeard } from './router-solicitation.ts'
import { findAddress } from './select-address.ts'

/** Bytes. */
const PREFIX_OPTION = 32
/** Of a prefix. */
const ON_LINK = 0x80
const AUTONOMOUS = 0x40
const FOREVER = 0xffff_ffff
/** RFC 4862 §5.5.3 e: what nobody can prove shortens a lifetime to no less. Seconds. */
const LEAST_LIFETIME = 2 * 3600
/** IFAPROT_KERNEL_RA */
const FROM_ROUTER = 2
/** By the two bits of the header; 2 is reserved. */
const PREFERENCES: readonly Preference[] = ['medium', 'high', 'medium', 'low']

/** The packet is an advertisement of a link-local router. `options`: each from its type on. */
export function takeAdvertisement(packet: Packet, mac: Uint8Array | undefined, options: readonly Uint8Array[]): void {
  const { bytes, network, device } = packet
  const router = bytes.slice(network + SOURCE_AT, network + SOURCE_AT + 16)
  const accepts = acceptsAdvertisements(device)
  const route = accepts ? takeHeader(packet, router) : undefined
  rememberRouter(device, router, mac)
  if (accepts) {
    for (const option of options) {
      if (option[0] === NdOption.prefix && device.ipv6.conf.accept_ra_pinfo !== 0) takePrefix(device, option)
      else if (option[0] === NdOption.mtu && device.ipv6.conf.accept_ra_mtu !== 0) takeMtu(device, option, route)
    }
    if (packet.journey) note(packet, device, 'nd', `${textOf(router)} routes`, { kernel: 'ndisc_router_discovery' })
  }
}

/** The default route, where there is one now. */
function takeHeader({ bytes, transport, device }: Packet, router: Uint8Array): Fib6Route | undefined {
  const { conf } = device.ipv6
  routerHeard(device)
  const lifetime = u16(bytes, transport + 6)
  const isOurs = conf.accept_ra_from_local === 0 && findAddress(device.namespace, router, 0, device) !== undefined
  const tooShort = lifetime !== 0 && lifetime < conf.accept_ra_min_lft
  let route: Fib6Route | undefined
  if (conf.accept_ra_defrtr !== 0 && !isOurs && !tooShort) {
    const preference = conf.accept_ra_rtr_pref !== 0 ? PREFERENCES[(bytes[transport + 5]! >> 3) & 3]! : 'medium'
    route = defaultRoute(device, router, lifetime, preference)
    const hops = bytes[transport + 4]!
    if (hops !== 0 && conf.accept_ra_min_hop_limit <= hops) {
      conf.hop_limit = hops
      setMetric(route, { hoplimit: hops })
    }
  }
  takeTimes(device, u32(bytes, transport + 8), u32(bytes, transport + 12))
  device.namespace.ipv6.fib.flush()
  return route
}

/** rt6_get_dflt_router, rt6_add_dflt_router */
function defaultRoute(
  device: Device,
  router: Uint8Array,
  lifetime: number,
  preference: Preference,
): Fib6Route | undefined {
  const { fib } = device.namespace.ipv6
  const metric = device.ipv6.conf.ra_defrtr_metric
  const isIts = ({ own, device: by, gateway }: Fib6Route) =>
    own && by === device && gateway !== undefined && sameAddress(gateway, router)
  let route = fib.main.at(ANY, 0).find(isIts)
  if (route && (lifetime === 0 || route.metric !== metric)) {
    removeRoute6(fib, route)
    route = undefined
  }
  if (lifetime === 0) return undefined
  route ??= insertOwnRoute(fib, {
    destination: ANY,
    length: 0,
    table: RouteTable.main,
    type: 'unicast',
    metric,
    protocol: RouteProtocol.ra,
    hops: [{ gateway: router, device }],
  })
  if (!route) return undefined
  device.namespace.nd.ensure(device, keyOf(router)).router = true
  route.preference = preference
  expireRoute(fib, route, lifetime)
  return route
}

function setMetric(route: Fib6Route | undefined, metric: { readonly hoplimit?: number; readonly mtu?: number }): void {
  if (route) route.metrics = { ...route.metrics, ...metric }
}

/** Milliseconds; 0: the router does not say. The settings are kept in two units. */
function takeTimes({ ipv6 }: Device, reachable: number, retransmission: number): void {
  const conf: Record<string, number> = {}
  if (retransmission !== 0) {
    conf.retrans_time_ms = Math.max(retransmission, 10)
    conf.retrans_time = Math.floor(conf.retrans_time_ms / 10)
  }
  if (reachable !== 0) {
    conf.base_reachable_time_ms = Math.max(reachable, 100)
    conf.base_reachable_time = Math.floor(conf.base_reachable_time_ms / 1000)
    conf.gc_stale_time = Math.floor((3 * conf.base_reachable_time_ms) / 1000)
  }
  Object.assign(ipv6.neighbourConf, conf)
}

/** ndisc_update: who advertises is a router. */
function rememberRouter(device: Device, router: Uint8Array, mac: Uint8Array | undefined): void {
  const { weakOverride, override, overrideIsRouter, isRouter } = NeighbourUpdate
  const neighbour = device.namespace.nd.ensure(device, keyOf(router))
  neighbour.update(mac, Nud.stale, weakOverride | override | overrideIsRouter | isRouter)
}

/** addrconf_prefix_rcv */
function takePrefix(device: Device, option: Uint8Array): void {
  if (option.length < PREFIX_OPTION) return
  const [length, flags] = [option[2]!, option[3]!]
  const [valid, preferred] = [lifetimeAt(option, 4), lifetimeAt(option, 8)]
  const prefix = option.slice(16, 32)
  if (isMulticast(prefix) || isLinkLocal(prefix) || preferred > valid) return
  if ((flags & ON_LINK) !== 0) {
    if (valid === 0) removePrefixRoute(device, prefix, length)
    else if (!setPrefixRouteExpiry(device, prefix, length, valid)) addPrefixRoute(device, prefix, length, valid)
  }
  if ((flags & AUTONOMOUS) !== 0 && device.ipv6.conf.autoconf !== 0 && length === 64) {
    takeAddress(device, prefix, valid, preferred)
  }
}

function lifetimeAt(option: Uint8Array, at: number): number {
  const seconds = u32(option, at)
  return seconds === FOREVER ? Number.POSITIVE_INFINITY : seconds
}

/** addrconf_prefix_rcv_add_addr */
function takeAddress(device: Device, prefix: Uint8Array, valid: number, preferred: number): void {
  const { ipv6, namespace } = device
  const own = linkLocalAddress(device)
  if (!own) return
  const address = Uint8Array.from([...prefix.subarray(0, 8), ...own.subarray(8)])
  const known = ipv6.addresses.find((each) => sameAddress(each.address, address))
  if (known) {
    const { lifetime } = known
    const { now } = namespace.model.clock
    const left = lifetime ? lifetime.valid - (now - lifetime.since) / SECOND : Number.POSITIVE_INFINITY
    const least = Math.max(0, Math.min(left, LEAST_LIFETIME))
    setAddressLifetime6(device, known, Math.max(valid, least), preferred)
    changed(device, 'new')
    return
  }
  const most = ipv6.conf.max_addresses
  if (valid === 0 || (most !== 0 && ipv6.addresses.length >= most)) return
  addAddress6(device, {
    address,
    length: 64,
    valid,
    preferred,
    protocol: FROM_ROUTER,
    managesTemporary: true,
    hasPrefixRoute: true,
  })
}

function takeMtu(device: Device, option: Uint8Array, route: Fib6Route | undefined): void {
  const { conf } = device.ipv6
  const mtu = option.length < 8 ? 0 : u32(option, 4)
  if (mtu < MIN_MTU || mtu > device.mtu || mtu === conf.mtu) return
  conf.mtu = mtu
  setMetric(route, { mtu })
  device.namespace.ipv6.fib.flush()
}
