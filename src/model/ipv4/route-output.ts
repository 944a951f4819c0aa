/** Where a packet of this host goes, and from which address: ip_route_output_key_hash_rcu, net/ipv4/route.c. */
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import { multipathHash, selectHop } from './ecmp.ts'
import type { Fib } from './fib.ts'
import type { FibNextHop, FibRoute } from './fib-route.ts'
import { RtScope } from './fib-route.ts'
import { clearFlow } from './fib-rule.ts'
import { Ipv4Route } from './route.ts'
import { deviceOf, selectAddress, sourceOf } from './select-address.ts'

export interface OutputKey {
  /** 0: this host. */
  readonly destination: number
  /** 0 or left out: chosen. */
  readonly source?: number | undefined
  readonly outputDevice?: Device | undefined
  readonly tos?: number | undefined
  readonly mark?: number | undefined
  /** For rules and hashes that look at them. */
  readonly protocol?: number | undefined
  readonly sourcePort?: number | undefined
  readonly destinationPort?: number | undefined
  /** FLOWI_FLAG_ANYSRC: the source need not be ours. */
  readonly anySource?: boolean | undefined
  /** RT_SCOPE_LINK where only neighbours will do (RTO_ONLINK). */
  readonly scope?: number | undefined
  /** The packet that an ICMP error answers: its addresses are hashed. */
  readonly about?: Packet | undefined
}

export type OutputError = 'EINVAL' | 'ENETUNREACH' | 'EHOSTUNREACH' | 'EACCES' | 'ENODEV' | 'EAGAIN'

const LIMITED_BROADCAST = 0xffffffff
const LOOPBACK_ADDRESS = 0x7f000001
const IGMP = 2

const isMulticast = (address: number) => address >>> 28 === 0xe
/** ipv4_is_zeronet: the rest of 0.0.0.0/8 is as good as any address. */
const isZero = (address: number) => address === 0
const isLoopback = (address: number) => address >>> 24 === 127

/** An errno where there is no way. */
export function routeOutput(namespace: Namespace, key: OutputKey): Ipv4Route | OutputError {
  const { fib } = namespace
  const source = key.source ?? 0
  const isPlain = fib.onlyDestinationMatters && key.outputDevice === undefined && !key.scope && !key.anySource
  if (!isPlain) return findOutputRoute(namespace, key)
  const known = rememberedOutput(fib, source, key.destination)
  if (known !== undefined) return known
  const route = findOutputRoute(namespace, key)
  if (typeof route === 'string' || route.type === 'multicast' || (route.fib?.hops.length ?? 1) > 1) return route
  // Whether a loopback address may be spoken from is a setting.
  if (route.hop && !route.hop.linkdown && !isLoopback(source)) remember(fib, source, key.destination, route)
  return route
}

/** What every plain key with these two addresses is answered, for as long as Fib.generation stays; undefined: not known. */
export function rememberedOutput(fib: Fib, source: number, destination: number): Ipv4Route | undefined {
  const cache = source === 0 ? fib.outputCache : fib.boundOutputCache
  const known = cache?.get(destination | 0)
  return known !== undefined && (source === 0 || source === known.source) ? known : undefined
}

const CACHE_LIMIT = 65_536

function remember(fib: Fib, source: number, destination: number, route: Ipv4Route): void {
  const cache = (source === 0 ? fib.outputCache : fib.boundOutputCache) ?? new Map<number, Ipv4Route>()
  if (source === 0) fib.outputCache = cache
  else fib.boundOutputCache = cache
  if (cache.size >= CACHE_LIMIT) cache.clear()
  cache.set(destination | 0, route)
}

function findOutputRoute(namespace: Namespace, key: OutputKey): Ipv4Route | OutputError {
  const { fib, loopback } = namespace
  const scope = key.scope ?? RtScope.universe
  let { destination } = key
  let source = key.source ?? 0
  let output = key.outputDevice
  if (source !== 0) {
    if (isMulticast(source) || source === LIMITED_BROADCAST || isZero(source)) return 'EINVAL'
    if (output === undefined && (isMulticast(destination) || destination === LIMITED_BROADCAST)) {
      output = deviceOf(namespace, source)
      if (!output) return 'ENETUNREACH'
      return make(namespace, output, destination, source, undefined, undefined)
    }
    if (!key.anySource && !deviceOf(namespace, source)) return 'ENETUNREACH'
  }
  if (output !== undefined) {
    if (output.namespace !== namespace) return 'ENODEV'
    if (!output.up) return 'ENETUNREACH'
    const isLocalGroup = destination >>> 8 === 0xe00000
    if (isLocalGroup || destination === LIMITED_BROADCAST || key.protocol === IGMP) {
      source ||= selectAddress(output, 0, RtScope.link)
      return make(namespace, output, destination, source, undefined, undefined)
    }
    if (source === 0) {
      if (isMulticast(destination)) source = selectAddress(output, 0, scope)
      else if (destination === 0) source = selectAddress(output, 0, RtScope.host)
    }
  }
  if (destination === 0) {
    destination = source || LOOPBACK_ADDRESS
    source = destination
    return make(namespace, loopback, destination, source, undefined, undefined, true)
  }

  const flow = clearFlow(fib.flow, destination)
  flow.source = source
  flow.tos = key.tos ?? 0
  flow.mark = key.mark ?? 0
  flow.input = loopback.index
  flow.output = output?.index ?? 0
  flow.scope = scope
  flow.protocol = key.protocol ?? 0
  flow.sourcePort = key.sourcePort ?? 0
  flow.destinationPort = key.destinationPort ?? 0
  const found = fib.lookup(flow)
  if (found.error !== undefined) {
    if (output === undefined) return found.error
    // Where a device is named, what no route leads to is taken to be on its link.
    source ||= selectAddress(output, 0, RtScope.link)
    return make(namespace, output, destination, source, undefined, undefined)
  }
  const route = found.route!
  if (route.type === 'local') {
    source ||= route.source || destination
    return make(namespace, loopback, destination, source, route, found.hop, true)
  }
  const hop = route.hops.length > 1 && output === undefined ? chooseHop(namespace, key, route, source) : found.hop!
  source ||= sourceOf(route, hop)
  return make(namespace, hop.device, destination, source, route, hop)
}

function chooseHop(namespace: Namespace, key: OutputKey, route: FibRoute, source: number): FibNextHop {
  const { settings } = namespace.ipv4
  const flow = {
    source,
    destination: key.destination,
    protocol: key.protocol ?? 0,
    sourcePort: key.sourcePort ?? 0,
    destinationPort: key.destinationPort ?? 0,
  }
  const hash = multipathHash(
    settings.fib_multipath_hash_policy,
    settings.fib_multipath_hash_seed,
    settings.fib_multipath_hash_fields,
    flow,
    key.about,
  )
  return selectHop(route.hops, hash, source, (hop) => sourceOf(route, hop))
}

/** __mkroute_output */
function make(
  namespace: Namespace,
  device: Device,
  destination: number,
  source: number,
  route: FibRoute | undefined,
  hop: FibNextHop | undefined,
  local = false,
): Ipv4Route | OutputError {
  const isLo = device === namespace.loopback
  const localnet = device.ipv4.conf.route_localnet !== 0 || namespace.ipv4.all.route_localnet !== 0
  if (!localnet && isLoopback(source) && !isLo) return 'EINVAL'
  let type: Ipv4Route['type'] = local ? 'local' : route?.type === 'broadcast' ? 'broadcast' : 'unicast'
  let [fib, way] = [route, hop]
  if (destination === LIMITED_BROADCAST) {
    type = 'broadcast'
    fib = way = undefined
  } else if (isMulticast(destination)) {
    type = 'multicast'
    // Of a default route, the device is taken and not the gateway.
    if (fib && fib.length < 4) fib = way = undefined
  } else if (isZero(destination)) return 'EINVAL'
  const exception = way?.exceptions && namespace.ipv4.pathMtus.find(way, destination)
  return new Ipv4Route({
    type,
    device,
    gateway: type === 'local' ? 0 : (way?.gateway ?? 0),
    source,
    isInput: false,
    isLocal: isLo || type === 'local' || type === 'broadcast',
    fib,
    hop: way,
    exception,
  })
}
