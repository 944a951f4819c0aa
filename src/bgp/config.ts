/**
 * The configuration of a speaker: what is in its file, as plain values, to what speaker.ts goes by.
 *
 * The shapes are the reference: they read the file, and `npm run schema` makes schema/bgp.schema.json of them and of those of
 * cluster/config.ts. config/ has them by subject. A file that says anything that is not known, or does not go together, is
 * refused as a whole, with a line for each thing that is wrong: a speaker that ignores half of what it is told is worse than one
 * that goes on as it was.
 */
import { didYouMean } from '../json/near.ts'
import type { BgpId } from './bgp-id.ts'
import { filters } from './config/filters.ts'
import { bmp, monitoringSettings, mrt } from './config/monitoring.ts'
import { type NeighbourContext, neighbour, neighbourSettings } from './config/neighbour.ts'
import { ConfigError, collecting, type Problem } from './config/problem.ts'
import {
  boolean,
  defaulted,
  either,
  listOf,
  mapOf,
  number,
  type Of,
  object,
  optional,
  required,
  type Shape,
  text,
  type ValuesOf,
} from './config/shape.ts'
import { address, asNumber, bgpId, community, families, port, prefix } from './config/values.ts'
import {
  type KernelSettings,
  type NeighbourSettings,
  type Network,
  ROUTE_METRIC,
  ROUTE_PROTOCOL,
  type SpeakerSettings,
} from './speaker-settings.ts'

/** RTPROT_STATIC, linux/rtnetlink.h: up to it protocols are the kernel's and people's own, whose routes are not ours to delete. */
const LAST_OF_PEOPLE = 4
/** RT_TABLE_MAIN and RT_TABLE_LOCAL. */
const MAIN = 254
const LOCAL = 255

const U32 = 0xffff_ffff

const communities = listOf(community, 'a list of communities')

const network = object('{ prefix: "10.244.1.0/26" }', {
  prefix: required(prefix, 'What is announced'),
  communities: defaulted(communities, [], 'That it is announced with'),
  blackhole: defaulted(boolean, true, 'Addresses without a longer route go nowhere, instead of round in circles'),
})

const networks = listOf(either('text', prefix, network), 'a list of prefixes')

const kernel = object('an object as { install: true, ecmp: 16 }', {
  install: defaulted(boolean, true, 'Write best paths to the kernel'),
  ecmp: defaulted(number(1, 256), 16, 'Next hops of one route at most; 1: no ECMP'),
  protocol: defaulted(
    number(LAST_OF_PEOPLE + 1, 255),
    ROUTE_PROTOCOL,
    'Route protocol number; all routes of it are ours',
  ),
  table: defaulted(number(1, U32), MAIN, 'Routing table'),
  metric: defaulted(number(1, U32), ROUTE_METRIC, 'Metric of the routes'),
  persist: defaulted(
    boolean,
    false,
    'They stay when the speaker ends in order: packets go on, the next one takes them over',
  ),
})

export const HASH = 'hash'

/** Calico has `hash`, too, for nodes without IPv4. */
export const routerId: Shape<BgpId | typeof HASH> = {
  expected: `${bgpId.expected}, or "${HASH}" of the name`,
  schema: { anyOf: [bgpId.schema, { const: HASH }] },
  read(value, path) {
    return value === HASH ? HASH : bgpId.read(value, path)
  },
}

/** Of a speaker alone. A node of a cluster is told more: cluster/config.ts. */
export const speakerMembers = {
  name: optional(text(), 'Of the node'),
  routerId: required(routerId, 'BGP identifier; "hash": made of the name, for nodes without IPv4'),
  as: required(asNumber, 'AS number of the node'),
  listenPort: defaulted(port, 179, 'TCP port, both families'),
  listenAddress: optional(
    either('text', address, listOf(address, 'a list of addresses', { min: 1 })),
    'Address, or several; left out: all',
  ),
  networks: defaulted(networks, [], 'Announced to everybody: ORIGIN IGP, next hop self'),
  families: defaulted(families, ['ipv4', 'ipv6'], 'Of the routing table and the kernel'),
  kernel: defaulted(kernel, {}, 'Routes of the kernel'),
  preferOlder: defaulted(boolean, false, 'RFC 5004: the older external path stays before identifiers are compared'),
  filters: defaulted(mapOf(filters, 'filters by their names'), {}, 'What neighbours refer to: Calico’s BGPFilter'),
  bmp: defaulted(bmp, [], 'Monitoring stations: RFC 7854'),
  mrt: defaulted(mrt, {}, 'Files in MRT: RFC 6396'),
  neighbors: defaulted(listOf(neighbour, 'a list of neighbours'), [], 'Who is spoken to'),
}

const configuration = object('an object as { routerId: "10.0.0.1", as: 64512, neighbors: [ … ] }', speakerMembers)

export type SpeakerDocument = ValuesOf<typeof speakerMembers>

/** What the reader needs of the host. */
export interface ConfigHost {
  /** Text of a file that has a password. Throws Error, whose message goes on after the file's name: `cannot be read: …`. */
  readSecret(file: string): string
}

/** ConfigError when it cannot be used. */
export function readConfig(value: unknown, host: ConfigHost): SpeakerSettings {
  return speakerSettings(configuration.read(value, []), host)
}

/** What a neighbour's settings depend on beside its own members. */
export function neighbourContext(given: SpeakerDocument, host: ConfigHost): NeighbourContext {
  const names = [...given.filters.keys()]
  return {
    ...given,
    readSecret: host.readSecret,
    unknownFilter: (name) => `is "${name}", which is not in filters${didYouMean(name, names)}`,
  }
}

/** ConfigError for what does not go together. */
export function speakerSettings(given: SpeakerDocument, host: ConfigHost): SpeakerSettings {
  const problems: Problem[] = []
  const context = neighbourContext(given, host)
  const neighbours = given.neighbors.map((each, i) =>
    collecting(problems, () => neighbourSettings(each, ['neighbors', i], context)),
  )
  refuseTwins(
    problems,
    'neighbors',
    'address',
    neighbours.map((each) => each?.session.address),
  )
  const ownNetworks = given.networks.map(networkSettings)
  refuseTwins(
    problems,
    'networks',
    undefined,
    ownNetworks.map(({ prefix }) => prefix),
  )
  for (const [i, { prefix }] of ownNetworks.entries()) {
    if (given.families.includes(prefix.includes(':') ? 'ipv6' : 'ipv4')) continue
    problems.push({ path: ['networks', i], what: `is "${prefix}", whose family the top-level families lack` })
  }
  if (given.kernel.table === LOCAL) {
    problems.push({ path: ['kernel', 'table'], what: `is ${LOCAL}, which is the kernel's own` })
  }
  const id = given.routerId === HASH ? idOfName(given.name) : given.routerId
  if (id === undefined) problems.push({ path: ['routerId'], what: `is "${HASH}", which needs a name` })
  if (problems.length > 0) throw new ConfigError(problems)

  const { name, as, listenAddress, listenPort, families, preferOlder } = given
  const monitoring = monitoringSettings(given.bmp, given.mrt)
  return {
    name,
    routerId: id!,
    as,
    listen: { addresses: typeof listenAddress === 'string' ? [listenAddress] : listenAddress, port: listenPort },
    families,
    networks: ownNetworks,
    kernel: kernelSettings(given.kernel),
    preferOlder,
    neighbours: neighbours as NeighbourSettings[],
    ...(monitoring && { monitoring }),
  }
}

/** A list of networks alone, as that of a configuration. ConfigError. */
export function readNetworks(value: unknown): readonly Network[] {
  return networks.read(value, []).map(networkSettings)
}

function networkSettings(given: string | Of<typeof network>): Network {
  return typeof given === 'string' ? { prefix: given, communities: [], blackhole: true } : given
}

function kernelSettings({ install, ...settings }: Of<typeof kernel>): KernelSettings | undefined {
  return install ? settings : undefined
}

function refuseTwins(
  problems: Problem[],
  list: string,
  member: string | undefined,
  values: readonly (string | undefined)[],
): void {
  const first = new Map<string, number>()
  for (const [i, value] of values.entries()) {
    if (value === undefined) continue
    const before = first.get(value)
    if (before === undefined) first.set(value, i)
    else {
      const path = member === undefined ? [list, i] : [list, i, member]
      problems.push({ path, what: `is "${value}", as that of ${list}[${before}]` })
    }
  }
}

/** Of the offsets of FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/. */
const FNV_BASIS = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** Numbers of hosts, as Calico's: above 223 are groups. Never 0. */
function idOfName(name: string | undefined): BgpId | undefined {
  if (name === undefined) return undefined
  let hash = FNV_BASIS
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), FNV_PRIME)
  const id = hash >>> 0
  return (id >>> 24 > 223 ? id - 0x2000_0000 : id) || 1
}
