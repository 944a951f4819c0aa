/** What rules ask of IPv6's routing. Source: net/ipv6/netfilter/nft_fib_ipv6.c, ip6t_rpfilter.c, net/netfilter/xt_addrtype.c. */
import type { Device } from '../../device/device.ts'
import { isAny, isLinkLocal, isMulticast } from '../../ipv6/address.ts'
import { hashOfPacket } from '../../ipv6/ecmp.ts'
import type { Fib6Result } from '../../ipv6/fib.ts'
import { routeOutput6 } from '../../ipv6/route-output.ts'
import { isOurs } from '../../ipv6/select-address.ts'
import type { Namespace } from '../../namespace.ts'
import type { Packet } from '../../packet.ts'
import { LOOPBACK_INDEX, RouteTypeNumber } from './routes.ts'

/** Offsets in the IPv6 header. */
export const SOURCE6 = 8
export const DESTINATION6 = 24

const errorTypes: Readonly<Record<string, number>> = {
  EINVAL: RouteTypeNumber.blackhole,
  EACCES: RouteTypeNumber.prohibit,
}

/** nft_fib6_eval_type, match_lookup_rt6. `output`: the device that a route must leave by. */
export function typeOfAddress6(
  namespace: Namespace,
  packet: Packet,
  at: number,
  device: Device | undefined,
  output: Device | undefined,
): number {
  const { bytes, network } = packet
  const address = bytes.slice(network + at, network + at + 16)
  const route = routeOutput6(namespace, { destination: address, outputDevice: output })
  const error = typeof route === 'string' ? route : route.error
  if (typeof route === 'string' || error !== undefined) return errorTypes[error!] ?? RouteTypeNumber.unreachable
  if (route.type === 'anycast') return RouteTypeNumber.anycast
  const local = device ? isOurs(namespace, address, 0, device) && hasIt(device, address) : route.type === 'local'
  if (local) return RouteTypeNumber.local
  if (isMulticast(address)) return RouteTypeNumber.multicast
  return isAny(address) ? 0 : RouteTypeNumber.unicast
}

function hasIt({ ipv6 }: Device, address: Uint8Array): boolean {
  return ipv6.addresses.some((each) => each.address.every((byte, i) => byte === address[i]))
}

export interface RouteQuestion6 {
  /** The address that is looked for: SOURCE6 or DESTINATION6. */
  readonly towards: number
  readonly mark: number
  /** The device that it must leave by; undefined: any. */
  readonly device: Device | undefined
}

/** ip6_route_lookup, of a packet's one address towards the other. */
export function findRoute6(
  namespace: Namespace,
  packet: Packet,
  { towards, mark, device }: RouteQuestion6,
): Fib6Result {
  const { bytes, network } = packet
  const other = network + (towards === SOURCE6 ? DESTINATION6 : SOURCE6)
  return namespace.ipv6.fib.lookup({
    destination: bytes,
    destinationAt: network + towards,
    source: isMulticast(bytes, other) || isAny(bytes, other) ? undefined : bytes,
    sourceAt: other,
    traffic: 0,
    mark,
    input: LOOPBACK_INDEX,
    device: device?.index ?? 0,
    strict: device !== undefined,
    hash: () => hashOfPacket(namespace, packet),
  })
}

/** The device of the route, where it is one that leads to others. */
export function deviceOfRoute6({ route, error }: Fib6Result): Device | undefined {
  return route && error === undefined && route.type !== 'local' && route.type !== 'anycast' ? route.device : undefined
}

export const isLinkLocalAt = ({ bytes, network }: Packet, at: number): boolean => isLinkLocal(bytes, network + at)
