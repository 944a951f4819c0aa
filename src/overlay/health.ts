/** How a daemon is: what hinders it, what should be looked at, and figures. Made of what its parts say. */
import type { NetworkConfig } from './config.ts'
import type { Lease } from './lease.ts'
import { FAMILIES } from './lease.ts'
import type { UdpCounters } from './udp/counters.ts'
import type { Uplink } from './uplink.ts'

const SECOND = 1000

/** Times are the clock's, milliseconds. */
export interface Facts {
  readonly now: number
  readonly hasConfig: boolean
  readonly setting: { readonly config: NetworkConfig; readonly uplink: Uplink } | undefined
  /** Told already, and standing. */
  readonly problems: readonly string[]
  readonly lease: Lease | undefined
  /** Those that the kernel has been told of. */
  readonly peers: number
  readonly leftOut: readonly string[]
  readonly leaseSeconds: number
  readonly renewSeconds: number
  readonly renewedAt: number | undefined
  readonly storeLostAt: number | undefined
  /** Devices that are not there, or not up. */
  readonly missing: readonly string[]
  /** What the kernel refuses. */
  readonly refused: readonly string[]
  readonly udpProblem: string | undefined
  readonly udpCounters: UdpCounters | undefined
  /** It has been ready once. */
  readonly isReady: boolean
}

export interface Condition {
  readonly isReady: boolean
  /** Why it is not ready. */
  readonly problems: readonly string[]
  /** What works all the same, but not as it should. */
  readonly warnings: readonly string[]
  readonly backend: string | undefined
  readonly uplink: Uplink | undefined
  readonly subnets: readonly string[]
  readonly peers: number
  readonly leftOut: number
  readonly refused: number
  /** Seconds that the store has been away. */
  readonly storeAway: number
  /** Seconds until the lease ends if nobody renews it; undefined for a reservation, or without a lease. */
  readonly leaseLeft: number | undefined
  readonly udp: UdpCounters | undefined
}

export function conditionOf(facts: Facts): Condition {
  const { now, setting, lease, storeLostAt, renewedAt, leaseSeconds } = facts
  const storeAway = storeLostAt === undefined ? 0 : Math.max(0, (now - storeLostAt) / SECOND)
  const leaseLeft = lease && renewedAt !== undefined ? leaseSeconds - (now - renewedAt) / SECOND : undefined
  const problems = [...problemsOf(facts, storeAway, leaseLeft)]
  return {
    isReady: problems.length === 0,
    problems,
    warnings: [...warningsOf(facts, storeAway)],
    backend: setting?.config.backend.type,
    uplink: setting?.uplink,
    subnets: FAMILIES.flatMap((family) => lease?.[family]?.subnet ?? []),
    peers: facts.peers,
    leftOut: facts.leftOut.length,
    refused: facts.refused.length,
    storeAway,
    leaseLeft,
    udp: facts.udpCounters,
  }
}

function* problemsOf(facts: Facts, storeAway: number, leaseLeft: number | undefined): Iterable<string> {
  yield* facts.problems
  if (storeAway > facts.renewSeconds) yield away(storeAway)
  if (!facts.hasConfig) yield 'there is no network configuration yet'
  else if (!facts.lease) yield 'this node has no lease'
  else if (leaseLeft !== undefined && leaseLeft <= 0) yield 'the lease has ended and could not be renewed'
  for (const name of facts.missing) yield `device ${name} is missing or down`
  if (facts.udpProblem !== undefined) yield `the data path of udp does not run: ${facts.udpProblem}`
  if (!facts.isReady) yield 'subnet.env has not been written yet'
}

function* warningsOf({ refused, leftOut, renewSeconds }: Facts, storeAway: number): Iterable<string> {
  if (storeAway > 0 && storeAway <= renewSeconds) yield away(storeAway)
  yield* refused
  yield* leftOut
}

const away = (seconds: number) => `the store has been away for ${Math.round(seconds)} s`
