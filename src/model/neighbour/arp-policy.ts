/**
 * What settings and addresses make of ARP: arp_ignore, arp_filter, arp_accept, arp_announce, proxy_arp. Sources:
 * net/ipv4/arp.c, net/ipv4/devinet.c, Documentation/networking/ip-sysctl.rst.
 */
import type { Device } from '../device/device.ts'
import type { Ipv4Address } from '../ipv4/device.ts'
import { maskOf, RtScope, scopeNumber } from '../ipv4/fib-route.ts'
import type { Ipv4Route } from '../ipv4/route.ts'
import { routeOutput } from '../ipv4/route-output.ts'
import { addressType, isOnLink, selectAddress } from '../ipv4/select-address.ts'
import type { Ipv4Conf } from '../settings.ts'

type Setting = keyof Ipv4Conf

/** IN_DEV_MAXCONF: the greater of the device's and that of `all`. */
export function greater({ ipv4, namespace }: Device, name: Setting): number {
  return Math.max(ipv4.conf[name], namespace.ipv4.all[name])
}

/** IN_DEV_ORCONF: whether it is on for the device, or for all. */
export function either(device: Device, name: Setting): boolean {
  return greater(device, name) !== 0
}

/** arp_ignore, and arp_filter: whether a request of `sender` for our address `target` is left without an answer. */
export function isIgnored(device: Device, sender: number, target: number): boolean {
  switch (greater(device, 'arp_ignore')) {
    case 1: // only addresses of the device that the request came in by
      return !hasAddress(device, 0, target, RtScope.host)
    case 2: // … and to senders in the address's subnet
      return !hasAddress(device, sender, target, RtScope.host)
    case 3: // no addresses of scope host, of whichever device
      return !device.namespace.devices.list().some((each) => hasAddress(each, 0, target, RtScope.link))
    case 8:
      return true
    default:
      return false
  }
}

/** arp_filter: whether answers to this sender would leave by another device. */
export function isFiltered(device: Device, sender: number, target: number): boolean {
  if (!either(device, 'arp_filter')) return false
  const route = routeOutput(device.namespace, { destination: sender, source: target })
  return typeof route === 'string' || route.device !== device
}

/** arp_accept: whether something unasked may make an entry for this sender. */
export function acceptsUnasked(device: Device, sender: number): boolean {
  const accept = greater(device, 'arp_accept')
  return accept === 1 || (accept === 2 && hasAddress(device, sender, 0, RtScope.link))
}

/** arp_fwd_proxy and arp_fwd_pvlan: whether the device answers for what this route leads to. */
export function isProxied(device: Device, route: Ipv4Route, sender: number, target: number): boolean {
  const { conf } = device.ipv4
  if (route.device === device) return sender !== target && conf.proxy_arp_pvlan !== 0
  if (!either(device, 'proxy_arp')) return false
  // Two devices with the same medium_id are on one wire; -1 takes a device out of it all.
  const medium = conf.medium_id
  if (medium === 0) return true
  const other = route.device.ipv4.conf.medium_id
  return medium !== -1 && other !== medium && other !== -1
}

/** arp_announce: the sender's address in a question about `target`. `wish`: the source of the packet that waits; 0: none does. */
export function announcedSource(device: Device, target: number, wish: number): number {
  const announce = greater(device, 'arp_announce')
  if (wish !== 0 && announce < 2 && addressType(device.namespace, wish) === 'local') {
    if (announce === 0 || isOnLink(device, target, wish)) return wish
  }
  return selectAddress(device, target, RtScope.link)
}

const isIn = (address: number, { peer, length }: Ipv4Address) => ((address ^ peer) & maskOf(length)) === 0

/**
 * inet_confirm_addr: whether the device has `local` (0: any address) with no narrower a scope than this, in a subnet with
 * `neighbour` (0: whichever).
 */
function hasAddress(device: Device, neighbour: number, local: number, scope: number): boolean {
  const hostScope = either(device, 'route_localnet') ? RtScope.link : RtScope.host
  let found = 0
  let same = false
  for (const address of device.ipv4.addresses) {
    const isWide = Math.min(scopeNumber(address.scope), hostScope) <= scope
    if (found === 0 && (local === address.local || local === 0) && isWide) {
      found = address.local
      if (same) break
    }
    if (same) continue
    same = (local === 0 || isIn(local, address)) && (neighbour === 0 || isIn(neighbour, address))
    if (!same || found === 0) continue
    if (local !== 0 || neighbour === 0 || isIn(found, address)) break
    if (isWide) {
      found = address.local
      break
    }
    same = false
  }
  return same && found !== 0
}
