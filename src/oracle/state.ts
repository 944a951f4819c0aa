/**
 * What stands in a kernel's tables, as its own programs list it: the real ones, spawned in the namespace, or src/command on
 * the model. Counters of rules are part of it, and say which rules the frames met.
 */
import type { Difference } from './difference.ts'
import type { Pace } from './pace.ts'
import type { Stand } from './stand.ts'

/** By namespace, then by command line. */
export type StateDump = Readonly<Record<string, Readonly<Record<string, Json>>>>

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/** What time goes on in comes first: counters, and neighbours that somebody asks for. */
const LISTS = [
  'nft -j list ruleset',
  'ip -j neighbour',
  'ip -j address',
  'ip -j route show table all',
  'ip -6 -j route show table all',
  'ip -j rule',
  'bridge -j link',
  'bridge -j fdb',
  'bridge -j vlan',
] as const

export async function dumpState(names: readonly string[], stand: Stand, pace: Pace): Promise<StateDump> {
  const dump: Record<string, Record<string, Json>> = Object.fromEntries(names.map((name) => [name, {}]))
  for (const line of LISTS) {
    for (const name of names) {
      await pace.reach()
      dump[name]![line] = normalised(line, JSON.parse((await stand.output(name, line)) || '[]'))
    }
  }
  return dump
}

/**
 * Numbers that a machine gives as they come, and what depends on the moment: how long a neighbour has been known, whether
 * anybody is just asking for it again, and what links and routes have heard of a carrier, which Linux tells once a second
 * (net/core/link_watch.c).
 */
const PASSING: readonly string[] = [
  'ifindex',
  'link_index',
  'link_netnsid',
  'valid_life_time',
  'preferred_life_time',
  'handle',
  'metainfo',
  'expires',
  'operstate',
]
/** Flags of devices and routes that are part of it. */
const HEARD_LATE: readonly Json[] = ['NO-CARRIER', 'linkdown']
const KNOWN_STATES: readonly string[] = ['REACHABLE', 'STALE', 'DELAY', 'PROBE']
/** Three seconds lie between the two, which a machine with much to do takes for what needs no time. */
const UNKNOWN_STATES: readonly string[] = ['INCOMPLETE', 'FAILED']
/** Groups that a device listens to stand in its forwarding database, in the order of a hash. */
const GROUP = /^(?:33:33|01:00:5e):/

function normalised(line: string, list: Json): Json {
  const entries = (Array.isArray(list) ? list : ((list as { nftables?: Json }).nftables ?? [])) as readonly Json[]
  const kept = entries
    .map((entry) => without(entry))
    .map((entry) => (line === 'bridge -j link' ? withoutPeer(entry) : entry))
    .filter((entry) => JSON.stringify(entry) !== '{}')
    .filter((entry) => !(line.endsWith('fdb') && GROUP.test((entry as { mac?: string }).mac ?? '')))
  // Rules and chains have an order; the rest is listed as a hash table has it.
  return line.startsWith('nft') || line.endsWith('rule') ? kept : kept.sort(byText)
}

const byText = (a: Json, b: Json) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

function without(value: Json): Json {
  if (Array.isArray(value)) return value.filter((each) => !HEARD_LATE.includes(each)).map(without)
  if (typeof value === 'string') {
    if (UNKNOWN_STATES.includes(value)) return 'UNKNOWN'
    return KNOWN_STATES.includes(value) ? 'KNOWN' : value
  }
  if (value === null || typeof value !== 'object') return value
  const kept = Object.entries(value).filter(([name]) => !PASSING.includes(name))
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, each]) => [name, without(each)]))
}

/** bridge(8) looks the index of a veth's other end up in the wrong namespace. */
function withoutPeer(entry: Json): Json {
  const { link: _, flags, ...rest } = entry as { readonly [name: string]: Json }
  // M-DOWN: the link that it takes for the other end is down.
  return Array.isArray(flags) ? { ...rest, flags: flags.filter((flag) => flag !== 'M-DOWN') } : rest
}

/** The first place where the two differ: `n1, ip -j route, entry 2: …`. */
export function stateDifference(expected: StateDump, found: StateDump): Difference | undefined {
  for (const [name, lists] of Object.entries(expected)) {
    for (const [line, wanted] of Object.entries(lists)) {
      const theirs = found[name]?.[line]
      const what = entryDifference(wanted as readonly Json[], (theirs ?? []) as readonly Json[])
      if (what !== undefined) return { kind: 'state', at: name, what: `${name}, ${line}: ${what}` }
    }
  }
  return undefined
}

function entryDifference(expected: readonly Json[], found: readonly Json[]): string | undefined {
  const [ours, theirs] = [expected, found].map((list) => list.map((entry) => JSON.stringify(entry))) as [
    string[],
    string[],
  ]
  const i = Array.from({ length: Math.max(ours.length, theirs.length) }, (_, n) => n).find((n) => ours[n] !== theirs[n])
  if (i === undefined) return undefined
  return `entry ${i + 1}: ${theirs[i] ?? 'none'}, expected ${ours[i] ?? 'none'}`
}
