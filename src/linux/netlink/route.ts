/**
 * Routes: `ip route`. Sources: rtnetlink(7), linux/rtnetlink.h, net/ipv4/fib_frontend.c, net/ipv6/route.c.
 *
 * A message is a struct rtmsg and attributes:
 *
 *   RTA_DST, RTA_GATEWAY, RTA_OIF, RTA_PRIORITY, RTA_PREFSRC …
 *   RTA_METRICS                   attributes again: RTAX_MTU …
 *   RTA_MULTIPATH                 two or more next hops, each a struct rtnexthop and attributes (RTA_GATEWAY)
 *   RTA_VIA                       a gateway of the other family: RFC 8950's IPv4 by way of IPv6
 */
import { bitsOf, type Family, familyOf, formatIp, parseIp } from '../../address/ip.ts'
import { parsePrefix } from '../../address/prefix.ts'
import type { Scope } from '../../kernel/address.ts'
import type { NextHop, Route, RouteFilter, RouteMetrics, RouteType } from '../../kernel/route.ts'
import { RouteProtocol, RouteTable } from '../../kernel/route.ts'
import { DecodeError } from '../../wire/errors.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'
import { Attributes } from './attribute.ts'
import { defined } from './defined.ts'
import { familyFrom, familyNumber } from './family.ts'
import {
  align,
  MessageWriter,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  NLMSG_HEADER_SIZE,
} from './message.ts'
import { scopeNumber, scopeOf } from './scope.ts'

const RTM_NEWROUTE = 24
const RTM_DELROUTE = 25
const RTM_GETROUTE = 26
/** struct rtmsg: family, destination length, source length, tos, table, protocol, scope, type (1 each), flags (4). */
const RTMSG_SIZE = 12
/** As many bytes as one by a gateway of IPv4 takes: no more, since batches are of thousands. */
const ROUTE_SIZE = 64
/** Where it has the protocol. */
export const RTM_PROTOCOL = 5
/** Where a message of encodeRoute has the length of its destination, and the destination, unless that is 0. */
export const DESTINATION_LENGTH_AT = NLMSG_HEADER_SIZE + 1
export const DESTINATION_AT = NLMSG_HEADER_SIZE + RTMSG_SIZE + 4
/** struct rtnexthop: length (2), flags (1), weight - 1 (1), index (4). */
const RTNEXTHOP_SIZE = 8

const RTA_DST = 1
const RTA_SRC = 2
const RTA_IIF = 3
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PRIORITY = 6
const RTA_PREFSRC = 7
const RTA_METRICS = 8
const RTA_MULTIPATH = 9
const RTA_CACHEINFO = 12
const RTA_TABLE = 15
const RTA_MARK = 16
const RTA_VIA = 18
const RTA_PREF = 20

const RTNH_F_DEAD = 1
const RTNH_F_ONLINK = 4
const RTNH_F_LINKDOWN = 16
/** struct rta_cacheinfo: uses (4), last use (4), expires (4) … in clock ticks for user space, USER_HZ. */
const EXPIRES_AT = 8
const TICKS_PER_SECOND = 100
/** An entry of the routing cache, cloned from a route. */
const RTM_F_CLONED = 0x200
/** The answer tells the table that the route was found in. */
const RTM_F_LOOKUP_TABLE = 0x1000

/** RTN_*. */
const TYPES = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
  nat: 10,
} as const satisfies Record<RouteType, number>
/** ICMPV6_ROUTER_PREF_*, a number of two bits with a sign: RFC 4191 §2.1. */
const PREFERENCES = { low: 3, medium: 0, high: 1 } as const
const TYPE_NAMES = Object.keys(TYPES) as RouteType[]

/** RTAX_*. */
const RTAX_LOCK = 1
const METRICS = {
  mtu: 2,
  window: 3,
  advmss: 8,
  hoplimit: 10,
  initcwnd: 11,
  rtoMin: 13,
  initrwnd: 14,
} as const
type NumericMetric = keyof typeof METRICS
const METRIC_NAMES = Object.keys(METRICS) as NumericMetric[]
const RTAX_QUICKACK = 15

const OPERATIONS = {
  add: { type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_EXCL },
  append: { type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_APPEND },
  prepend: { type: RTM_NEWROUTE, flags: NLM_F_CREATE },
  replace: { type: RTM_NEWROUTE, flags: NLM_F_CREATE | NLM_F_REPLACE },
  delete: { type: RTM_DELROUTE, flags: 0 },
} as const

export type RouteOperation = keyof typeof OPERATIONS

/** `ip route add`, `append`, `prepend`, `replace` or `delete`. What a route to delete leaves out is not compared, but for its table. */
export function encodeRoute(operation: RouteOperation, route: Route, indexOf: (link: string) => number): Uint8Array {
  const destination = parsePrefix(route.destination)
  const family = familyOf(destination.address)
  const { table = RouteTable.main } = route
  const { type, flags } = OPERATIONS[operation]
  const writer = new MessageWriter(ROUTE_SIZE).message(type, flags)
  writer
    .u8(familyNumber(family))
    .u8(destination.length)
    .u8(0)
    .u8(route.tos ?? 0)
  writer.u8(table < 256 ? table : 0) // RT_TABLE_UNSPEC, and RTA_TABLE says it
  if (operation === 'delete') {
    writer
      .u8(route.protocol ?? 0)
      .u8(scopeNumber(route.scope ?? 'nowhere'))
      .u8(route.type ? TYPES[route.type] : 0)
  } else {
    writer.u8(route.protocol ?? RouteProtocol.boot).u8(scopeNumber(route.scope ?? defaultScope(route, family)))
    writer.u8(TYPES[route.type ?? 'unicast'])
  }
  writer.u32(route.onlink ? RTNH_F_ONLINK : 0)
  // The first attribute: DESTINATION_AT.
  if (destination.length > 0) writer.attribute(RTA_DST, destination.address)
  if (route.gateway !== undefined) encodeGateway(writer, route.gateway, family)
  if (route.link !== undefined) writer.attributeU32(RTA_OIF, indexOf(route.link))
  if (route.source !== undefined) writer.attribute(RTA_PREFSRC, parseIp(route.source))
  if (route.metric !== undefined) writer.attributeU32(RTA_PRIORITY, route.metric)
  if (table >= 256) writer.attributeU32(RTA_TABLE, table)
  if (route.preference !== undefined) writer.attributeU8(RTA_PREF, PREFERENCES[route.preference])
  const { metrics, nextHops } = route
  if (metrics) writer.nested(RTA_METRICS, () => encodeMetrics(writer, metrics))
  if (nextHops) writer.attributeOf(RTA_MULTIPATH, () => encodeNextHops(writer, nextHops, family, indexOf))
  return writer.finish()
}

/** The filters are the kernel's from 4.20 on; older ones list everything. */
export function encodeListRoutes(family: Family, filter: RouteFilter, index: number): Uint8Array {
  const writer = new MessageWriter().message(RTM_GETROUTE, 0)
  writer
    .u8(familyNumber(family))
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(filter.protocol ?? 0)
    .u8(0)
    .u8(0)
    .u32(0)
  if (filter.table !== undefined) writer.attributeU32(RTA_TABLE, filter.table)
  if (index > 0) writer.attributeU32(RTA_OIF, index)
  return writer.finish()
}

export interface LookupOptions {
  readonly source?: string
  readonly inputLink?: string
  readonly outputLink?: string
  readonly mark?: number
}

/** `ip route get`. */
export function encodeLookup(
  destination: string,
  options: LookupOptions,
  indexOf: (link: string) => number,
): Uint8Array {
  const address = parseIp(destination)
  const bits = bitsOf(familyOf(address))
  const writer = new MessageWriter().message(RTM_GETROUTE, 0)
  writer
    .u8(familyNumber(familyOf(address)))
    .u8(bits)
    .u8(options.source === undefined ? 0 : bits)
    .u8(0)
  // IPv6 tells the table in any case, and a socket that is strict with dumps is so with this flag of IPv4's.
  writer
    .u8(0)
    .u8(0)
    .u8(0)
    .u8(0)
    .u32(bits === 32 ? RTM_F_LOOKUP_TABLE : 0)
  writer.attribute(RTA_DST, address)
  if (options.source !== undefined) writer.attribute(RTA_SRC, parseIp(options.source))
  if (options.inputLink !== undefined) writer.attributeU32(RTA_IIF, indexOf(options.inputLink))
  if (options.outputLink !== undefined) writer.attributeU32(RTA_OIF, indexOf(options.outputLink))
  if (options.mark !== undefined) writer.attributeU32(RTA_MARK, options.mark)
  return writer.finish()
}

/** The payload of an RTM_NEWROUTE; undefined for what is no route of IP's, and for a clone unless that is `wanted`. */
export function decodeRoute(
  payload: Uint8Array,
  nameOf: (index: number) => string,
  wanted: 'routes' | 'clones' = 'routes',
): Route | undefined {
  if (payload.length < RTMSG_SIZE) throw new DecodeError('rtmsg', payload.length, 'it is cut off')
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  const family = familyFrom(payload[0]!)
  const type = TYPE_NAMES.find((name) => TYPES[name] === payload[7])
  const flags = view.getUint32(8, LITTLE_ENDIAN)
  if (!family || !type || (flags & RTM_F_CLONED && wanted === 'routes')) return undefined
  const attributes = new Attributes(payload, RTMSG_SIZE)
  const index = attributes.u32(RTA_OIF)
  const metrics = attributes.nested(RTA_METRICS)
  const multipath = attributes.bytes(RTA_MULTIPATH)
  return defined<Route>({
    destination: `${attributes.ip(RTA_DST) ?? (family === 'ipv4' ? '0.0.0.0' : '::')}/${payload[1]}`,
    type,
    table: attributes.u32(RTA_TABLE) ?? payload[4]!,
    protocol: payload[RTM_PROTOCOL]!,
    scope: scopeOf(payload[6]!),
    metric: attributes.u32(RTA_PRIORITY) ?? 0,
    tos: payload[3]!,
    source: attributes.ip(RTA_PREFSRC),
    gateway: decodeGateway(attributes),
    link: index === undefined ? undefined : nameOf(index),
    ...decodeFlags(flags),
    preference: decodePreference(attributes.u8(RTA_PREF)),
    expires: decodeExpires(attributes.bytes(RTA_CACHEINFO)),
    metrics: metrics && decodeMetrics(metrics),
    nextHops: multipath && decodeNextHops(multipath, nameOf),
  })
}

function decodeFlags(flags: number): Partial<NextHop> {
  return {
    ...(flags & RTNH_F_ONLINK && { onlink: true }),
    ...(flags & RTNH_F_DEAD && { dead: true }),
    ...(flags & RTNH_F_LINKDOWN && { linkDown: true }),
  }
}

function decodePreference(preference: number | undefined): 'low' | 'high' | undefined {
  if (preference === PREFERENCES.low) return 'low'
  return preference === PREFERENCES.high ? 'high' : undefined
}

function decodeExpires(cache: Uint8Array | undefined): number | undefined {
  if (!cache || cache.length < EXPIRES_AT + 4) return undefined
  const ticks = new DataView(cache.buffer, cache.byteOffset).getInt32(EXPIRES_AT, LITTLE_ENDIAN)
  return ticks > 0 ? Math.floor(ticks / TICKS_PER_SECOND) : undefined
}

/** As `ip route`: as far as the destination is away. IPv6 has no scopes. */
function defaultScope(route: Route, family: Family): Scope {
  if (family === 'ipv6') return 'global'
  switch (route.type) {
    case 'local':
    case 'nat':
      return 'host'
    case 'broadcast':
    case 'multicast':
    case 'anycast':
      return 'link'
    case 'unicast':
    case undefined:
      return route.gateway === undefined && !route.nextHops ? 'link' : 'global'
    default:
      return 'global'
  }
}

function encodeGateway(writer: MessageWriter, gateway: string, family: Family): void {
  const address = parseIp(gateway)
  if (familyOf(address) === family) {
    writer.attribute(RTA_GATEWAY, address)
    return
  }
  writer.attributeOf(RTA_VIA, () => writer.u16(familyNumber(familyOf(address))).bytes(address)) // struct rtvia
}

function decodeGateway(attributes: Attributes): string | undefined {
  const via = attributes.bytes(RTA_VIA)
  if (!via) return attributes.ip(RTA_GATEWAY)
  const family =
    via.length < 2 ? undefined : familyFrom(new DataView(via.buffer, via.byteOffset).getUint16(0, LITTLE_ENDIAN))
  if (!family || via.length !== 2 + bitsOf(family) / 8) throw new DecodeError('rtvia', 0, 'it is no IP address')
  return formatIp(via.subarray(2))
}

function encodeNextHops(
  writer: MessageWriter,
  nextHops: readonly NextHop[],
  family: Family,
  indexOf: (link: string) => number,
): void {
  for (const { gateway, link, weight = 1, onlink } of nextHops) {
    writer.structure(() => {
      writer
        .u8(onlink ? RTNH_F_ONLINK : 0)
        .u8(weight - 1)
        .u32(link === undefined ? 0 : indexOf(link))
      if (gateway !== undefined) encodeGateway(writer, gateway, family)
    })
  }
}

function decodeNextHops(bytes: Uint8Array, nameOf: (index: number) => string): NextHop[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const nextHops: NextHop[] = []
  for (let at = 0; at + RTNEXTHOP_SIZE <= bytes.length; ) {
    const length = view.getUint16(at, LITTLE_ENDIAN)
    if (length < RTNEXTHOP_SIZE || at + length > bytes.length) {
      throw new DecodeError('rtnexthop', at, `length ${length} does not fit`)
    }
    const index = view.getUint32(at + 4, LITTLE_ENDIAN)
    nextHops.push(
      defined<NextHop>({
        gateway: decodeGateway(new Attributes(bytes.subarray(at, at + length), RTNEXTHOP_SIZE)),
        link: index === 0 ? undefined : nameOf(index),
        weight: bytes[at + 3]! + 1,
        ...decodeFlags(bytes[at + 2]!),
      }),
    )
    at += align(length)
  }
  return nextHops
}

function encodeMetrics(writer: MessageWriter, metrics: RouteMetrics): void {
  // TCP heeds a least timeout only where it is locked.
  const locks = (metrics.mtuLocked ? 1 << METRICS.mtu : 0) | (metrics.rtoMin === undefined ? 0 : 1 << METRICS.rtoMin)
  if (locks) writer.attributeU32(RTAX_LOCK, locks)
  for (const name of METRIC_NAMES) {
    const value = metrics[name]
    if (value !== undefined) writer.attributeU32(METRICS[name], value)
  }
  if (metrics.quickack !== undefined) writer.attributeU32(RTAX_QUICKACK, Number(metrics.quickack))
}

function decodeMetrics(attributes: Attributes): RouteMetrics {
  const metrics: { -readonly [K in keyof RouteMetrics]: RouteMetrics[K] } = {}
  for (const name of METRIC_NAMES) {
    const value = attributes.u32(METRICS[name])
    if (value !== undefined) metrics[name] = value
  }
  if ((attributes.u32(RTAX_LOCK) ?? 0) & (1 << METRICS.mtu)) metrics.mtuLocked = true
  const quickack = attributes.u32(RTAX_QUICKACK)
  if (quickack !== undefined) metrics.quickack = quickack === 1
  return metrics
}
