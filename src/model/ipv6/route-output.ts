/** Where a packet of this host goes, and from which address: ip6_route_output_flags, net/ipv6/route.c. */
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import { ANY, isAny, keyOf, needsDevice } from './address.ts'
import { hashOfFlow, hashOfPacket } from './ecmp.ts'
import type { Fib6Result, Flow6 } from './fib.ts'
import { type Fib6Route, routeErrors } from './fib-route.ts'
import { Ipv6Route, type RouteError6 } from './route.ts'
import { selectAddress6 } from './select-address.ts'

export interface OutputKey6 {
  readonly destination: Uint8Array
  /** Undefined: chosen by who sends. */
  readonly source?: Uint8Array | undefined
  readonly outputDevice?: Device | undefined
  readonly traffic?: number | undefined
  readonly mark?: number | undefined
  readonly protocol?: number | undefined
  readonly sourcePort?: number | undefined
  readonly destinationPort?: number | undefined
  /** The packet that an ICMP error answers: its addresses are hashed. */
  readonly about?: Packet | undefined
}

/** An errno where there is no way. */
export function routeOutput6(namespace: Namespace, key: OutputKey6): Ipv6Route | RouteError6 {
  const { fib } = namespace.ipv6
  const isPlain = !fib.hasCustomRules && key.outputDevice === undefined
  const known = isPlain ? fib.outputs.get(keyOf(key.destination)) : undefined
  if (known) return known
  const { route, error } = findOutput(namespace, key)
  if (error !== undefined || !route) return error ?? 'ENETUNREACH'
  const entry = entryOf(namespace, route, key.destination)
  if (isPlain && route.siblings.length === 0) fib.outputs.set(keyOf(key.destination), entry)
  return entry
}

/** What the tables say to a packet of this host. */
export function findOutput(namespace: Namespace, key: OutputKey6): Fib6Result {
  const { destination, source, outputDevice, about } = key
  const flow: Flow6 = {
    destination,
    destinationAt: 0,
    source: source && !isAny(source) ? source : undefined,
    sourceAt: 0,
    traffic: key.traffic ?? 0,
    mark: key.mark ?? 0,
    input: namespace.loopback.index,
    device: outputDevice?.index ?? 0,
    strict: outputDevice !== undefined && (source === undefined || isAny(source) || needsDevice(destination)),
    hash: () =>
      about
        ? hashOfPacket(namespace, about)
        : hashOfFlow(namespace, {
            source,
            destination,
            protocol: key.protocol ?? 0,
            sourcePort: key.sourcePort ?? 0,
            destinationPort: key.destinationPort ?? 0,
          }),
  }
  return namespace.ipv6.fib.lookup(flow)
}

/** ip6_create_rt_rcu, and rt6_find_cached_rt: the entry that packets by this route share, or one for the destination alone. */
export function entryOf(namespace: Namespace, route: Fib6Route, destination: Uint8Array): Ipv6Route {
  const exception = route.exceptions?.get(keyOf(destination))
  if (exception && exception.expires > namespace.model.clock.now) return makeEntry(namespace, route, exception)
  route.entry ??= makeEntry(namespace, route)
  return route.entry
}

function makeEntry(namespace: Namespace, fib: Fib6Route, exception?: { mtu: number; expires: number }): Ipv6Route {
  const { type } = fib
  const isLocal = type === 'local' || type === 'anycast'
  const error = routeErrors[type]
  if (error !== undefined) {
    const device = namespace.loopback
    return new Ipv6Route({ type: 'unreachable', device, fib, error: error === 'EAGAIN' ? 'ENETUNREACH' : error })
  }
  const kind = isLocal ? type : fib.destination[0] === 0xff ? 'multicast' : 'unicast'
  return new Ipv6Route({ type: kind, device: isLocal ? namespace.loopback : fib.device, fib, exception })
}

/** ip6_route_get_saddr: the address that a packet by this route speaks from. Undefined: there is none. */
export function sourceFor(namespace: Namespace, route: Ipv6Route, destination: Uint8Array): Uint8Array | undefined {
  const { fib } = route
  if (fib?.source) return fib.source
  const device = fib && route.isLocal ? fib.device : route.device
  return selectAddress6(namespace, device, isAny(destination) ? ANY : destination)
}
