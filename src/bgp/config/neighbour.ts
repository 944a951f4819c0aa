/** A neighbour as a configuration has it. */
import { readIp } from '../../address/ip.ts'
import { contains, parsePrefix } from '../../address/prefix.ts'
import type { CapabilityName } from '../capability/capabilities.ts'
import type { Family } from '../family.ts'
import type { BfdSettings, NeighbourFilters, NeighbourSettings } from '../speaker-settings.ts'
import { filters, joinFilters } from './filters.ts'
import { ConfigError, type Path, type Problem } from './problem.ts'
import {
  boolean,
  choice,
  defaulted,
  either,
  listOf,
  number,
  type Of,
  object,
  optional,
  required,
  type Shape,
  text,
} from './shape.ts'
import { address, asNumber, bgpId, community, families, port, prefix } from './values.ts'

/** TCP_MD5SIG_MAXKEYLEN, linux/tcp.h. */
const LONGEST_PASSWORD = 80
/** RFC 4724 §3: 12 bits; RFC 9494 §3.1: 24. */
const LONGEST_RESTART = 2 ** 12 - 1
const LONGEST_STALE = 2 ** 24 - 1
/** Calico's `nodeMeshMaxRestartTime`. */
const RESTART = 120
/** Neighbours of a range at once: FRR's `bgp listen limit`. */
const RANGE_LIMIT = 100

const addressOrPrefix: Shape<string> = {
  expected: address.expected,
  schema: { anyOf: [address.schema, prefix.schema] },
  read: (value, path) =>
    typeof value === 'string' && value.includes('/') ? prefix.read(value, path) : address.read(value, path),
}

/** Packets of BFD, in milliseconds: RFC 5880 §6.8.1 has microseconds. */
const bfd = object('{ minTx: 100, minRx: 100, multiplier: 3 }', {
  minTx: defaulted(number(10, 60_000), 100, 'Milliseconds between packets that we send, at least'),
  minRx: defaulted(number(10, 60_000), 100, 'Milliseconds between packets that we can take'),
  multiplier: defaulted(number(1, 255), 3, 'Packets that may be missed'),
})

/** The suite's names of capabilities. */
const CAPABILITIES = {
  as4: 'four-octet-as',
  'route-refresh': 'route-refresh',
  'graceful-restart': 'graceful-restart',
  'enhanced-route-refresh': 'enhanced-route-refresh',
} as const satisfies Readonly<Record<string, CapabilityName>>

const capability = choice(...(Object.keys(CAPABILITIES) as (keyof typeof CAPABILITIES)[]))

/** Who it is. */
export const identity = {
  name: optional(text(), 'For people'),
  address: optional(addressOrPrefix, 'Of the peer; of a range, the range again'),
  remoteAs: optional(asNumber, 'AS of the peer, checked against its OPEN; left out, with dynamicRange: any'),
  localAddress: optional(
    address,
    'Source of our connections, and the next hop "self"; left out: as the routing table says',
  ),
  localAs: optional(asNumber, 'Our AS towards this peer, in place of "as"'),
  families: optional(families, 'Address families to offer; left out: that of the address'),
  rrClient: defaulted(boolean, false, 'The peer is a client of ours: RFC 4456'),
  clusterId: optional(bgpId, 'Of the cluster that the client is in; left out: the router id'),
  exportAll: defaulted(boolean, true, 'false: only what begins here is announced, nothing learned'),
  dynamicRange: optional(
    prefix,
    'Whoever dials from this prefix is a neighbour with these settings; nobody is dialled',
  ),
  dynamicLimit: defaulted(number(1, 100_000), RANGE_LIMIT, 'Neighbours of the range at once'),
}

/** How one is dealt with, whoever it is. */
export const manners = {
  port: defaulted(port, 179, 'TCP port of the peer'),
  passive: defaulted(boolean, false, 'Never dial, only accept'),
  multihop: optional(number(1, 255), 'TTL for eBGP over routers; left out: eBGP peers are directly connected'),
  ttlSecurity: optional(number(1, 254), 'RFC 5082: hops to the peer; takes nothing from farther away'),
  password: optional(text({ max: LONGEST_PASSWORD, secret: true }), 'TCP MD5, RFC 2385'),
  passwordFile: optional(text(), 'File with the password, in place of it; read again with every reload'),
  holdTime: defaulted(
    number(3, 0xffff, { or: 0 }),
    90,
    'Seconds of silence after which the peer is given up; 0: never',
  ),
  keepalive: optional(number(1, 0xffff), 'Seconds between KEEPALIVEs; left out: a third of the negotiated hold time'),
  connectRetry: defaulted(number(1, 0xffff), 5, 'Seconds between attempts to connect'),
  addPath: optional(choice('receive', 'send', 'both'), 'RFC 7911, for all its families'),
  gracefulRestart: optional(
    object('{ time: 120, restarting: true }', {
      time: defaulted(number(0, LONGEST_RESTART), RESTART, 'Seconds that the peer keeps our routes for'),
      restarting: defaulted(boolean, true, 'Both roles; false: only help the peer'),
    }),
    'RFC 4724; left out: the capability is not offered',
  ),
  longLivedGR: optional(
    object('{ time: 3600 }', { time: required(number(0, LONGEST_STALE), 'Seconds that stale routes are kept for') }),
    'RFC 9494; needs gracefulRestart',
  ),
  nextHopSelf: defaulted(
    boolean,
    false,
    'Our address is the next hop also of routes passed on to iBGP: nextHop "self"',
  ),
  nextHop: optional(choice('auto', 'self', 'keep'), 'Calico’s nextHopMode: our own towards eBGP, always, or never'),
  maxPrefixes: optional(number(1, 0xffff_ffff), 'Accepted per family; one more ends the session with Cease 6/1'),
  requireCapabilities: defaulted(
    listOf(capability, 'a list of capabilities'),
    [],
    'Without one of them no session: 2/7',
  ),
  extendedNextHop: defaulted(boolean, false, 'RFC 8950: IPv4 routes with an IPv6 next hop'),
  extendedMessages: defaulted(boolean, false, 'RFC 8654: messages of up to 65535 octets'),
  enhancedRouteRefresh: defaulted(boolean, true, 'RFC 7313'),
  importAll: defaulted(boolean, true, 'false: nothing is accepted'),
  allowAsIn: defaulted(number(0, 255), 0, 'How often our own AS may stand in an AS_PATH'),
  bfd: defaulted(
    either('boolean', boolean, bfd),
    false,
    'RFC 5880, 5881: a dead peer is noticed within minTx × multiplier; true: 100 ms × 3',
  ),
  communitiesOut: defaulted(listOf(community, 'a list of communities'), [], 'Added to every route that it is sent'),
  filters: defaulted(
    listOf(either('text', text(), filters), 'a list of filters, by name or as they are'),
    [],
    'What is taken and sent, and what is changed about it; the first rule of the first filter that fits decides',
  ),
  priorityAsLocalPref: defaulted(
    boolean,
    false,
    'As Calico: towards iBGP LOCAL_PREF is 2147483647 − the metric of the route in the kernel',
  ),
}

export const neighbour = object('a neighbour as { address: "10.0.0.2", remoteAs: 64512 }', { ...identity, ...manners })

export type NeighbourDocument = Of<typeof neighbour>

export interface NeighbourContext {
  readonly as: number
  readonly families: readonly Family[]
  readonly filters: ReadonlyMap<string, NeighbourFilters>
  /** The password in this file. Throws Error. */
  readonly readSecret: (file: string) => string
  /** `is not known; did you mean …`. */
  readonly unknownFilter: (name: string) => string
}

/** ConfigError with all that does not go together. */
export function neighbourSettings(given: NeighbourDocument, path: Path, context: NeighbourContext): NeighbourSettings {
  const problems: Problem[] = []
  const refuse = (member: string, what: string) => problems.push({ path: [...path, member], what })

  const { dynamicRange } = given
  const peer = given.address ?? dynamicRange
  if (peer === undefined) refuse('address', `is missing, expected ${address.expected}`)
  if (dynamicRange === undefined && given.remoteAs === undefined) {
    refuse('remoteAs', `is missing, expected ${asNumber.expected}; only with dynamicRange it may be any`)
  }
  if (peer?.includes('/') && dynamicRange === undefined) {
    refuse('address', `is the prefix "${peer}", which needs the member dynamicRange`)
  }
  if (dynamicRange !== undefined && given.address?.includes('/') && given.address !== dynamicRange) {
    refuse('address', `is "${given.address}", and dynamicRange is "${dynamicRange}"`)
  }
  if (dynamicRange !== undefined && given.address !== undefined && !given.address.includes('/')) {
    const ip = readIp(given.address)!
    if (!contains(parsePrefix(dynamicRange), ip)) refuse('address', `is not in dynamicRange "${dynamicRange}"`)
  }
  const isIpv6 = peer?.includes(':') ?? false
  if (peer && given.localAddress !== undefined && given.localAddress.includes(':') !== isIpv6) {
    refuse('localAddress', `is "${given.localAddress}", which is not of the family of "${peer}"`)
  }
  const offered: readonly Family[] = given.families ?? [isIpv6 ? 'ipv6' : 'ipv4']
  for (const family of offered) {
    if (!context.families.includes(family)) refuse('families', `has "${family}", which the top-level families lack`)
  }
  if (given.longLivedGR && !given.gracefulRestart) refuse('longLivedGR', 'needs gracefulRestart: RFC 9494 §4.1')
  const nextHop = given.nextHop ?? (given.nextHopSelf ? 'self' : 'auto')
  if (given.nextHopSelf && nextHop !== 'self') refuse('nextHop', `is "${nextHop}", and nextHopSelf is true`)

  let { password } = given
  if (given.passwordFile !== undefined) {
    if (password !== undefined) refuse('passwordFile', 'is there beside password, expected one of them')
    try {
      password = text({ max: LONGEST_PASSWORD, secret: true }).read(context.readSecret(given.passwordFile), [])
    } catch (error) {
      const why = error instanceof ConfigError ? error.problems[0]!.what : (error as Error).message
      refuse('passwordFile', `"${given.passwordFile}" ${why}`)
    }
  }
  const own = given.filters.map((each, i) => {
    if (typeof each !== 'string') return each
    const named = context.filters.get(each)
    if (!named) problems.push({ path: [...path, 'filters', i], what: context.unknownFilter(each) })
    return named
  })
  if (problems.length > 0) throw new ConfigError(problems)

  return {
    session: {
      name: given.name,
      address: peer!,
      remoteAs: given.remoteAs,
      localAs: given.localAs ?? context.as,
      localAddress: given.localAddress,
      port: given.port,
      passive: given.passive,
      multihop: given.multihop,
      ttlSecurity: given.ttlSecurity,
      password,
      holdTime: given.holdTime,
      keepalive: given.keepalive,
      connectRetry: given.connectRetry,
      families: offered,
      addPath: given.addPath,
      gracefulRestart: given.gracefulRestart,
      longLivedGracefulRestart: given.longLivedGR,
      required: given.requireCapabilities.map((name) => CAPABILITIES[name]),
      extendedNextHop: given.extendedNextHop,
      extendedMessages: given.extendedMessages,
      enhancedRouteRefresh: given.enhancedRouteRefresh,
    },
    range: dynamicRange === undefined ? undefined : { prefix: dynamicRange, limit: given.dynamicLimit },
    isClient: given.rrClient,
    clusterId: given.clusterId,
    nextHop,
    maxPrefixes: given.maxPrefixes,
    importAll: given.importAll,
    exportAll: given.exportAll,
    allowAsIn: given.allowAsIn,
    communities: given.communitiesOut,
    filters: joinFilters(own.filter((each) => each !== undefined)),
    priorityAsLocalPref: given.priorityAsLocalPref,
    bfd: bfdSettings(given.bfd),
  }
}

function bfdSettings(given: NeighbourDocument['bfd']): BfdSettings | undefined {
  if (given === false) return undefined
  return given === true ? bfd.read({}, []) : given
}
