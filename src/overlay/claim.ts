/** Which subnets a node asks for: those that it has, or had, or else free ones. Pure: the registry makes it so in the store. */
import { parsePrefix } from '../address/prefix.ts'
import { allocateSubnet, isAllocatable } from './allocate.ts'
import type { NetworkConfig } from './config.ts'
import { FAMILIES, formatLeaseAttributes, type LeaseAttributes } from './lease.ts'
import type { Subnets } from './lease-key.ts'
import { isSameNode, type LeaseRecord, overlap } from './lease-table.ts'

/** What a node wants to be known by. */
export interface Announcement {
  readonly config: NetworkConfig
  /** An endpoint for every family of the configuration. */
  readonly attributes: LeaseAttributes
}

/** Whether a node of this configuration may keep these subnets. */
export function fits(config: NetworkConfig, subnets: Subnets): boolean {
  return FAMILIES.every((family) => {
    const [network, subnet] = [config[family], subnets[family]]
    return network ? subnet !== undefined && isAllocatable(network, subnet) : subnet === undefined
  })
}

/**
 * The node's own leases, the best first: of those that fit, a reservation (a key without etcd lease), the one that it had last,
 * one that says what it says now.
 */
export function ownRecords(records: Iterable<LeaseRecord>, own: Announcement, previous: Subnets): LeaseRecord[] {
  const value = formatLeaseAttributes(own.attributes)
  const rank = (record: LeaseRecord) => {
    if (!fits(own.config, record.subnets!)) return 4
    if (record.entry.lease === undefined) return 0
    if (isPrevious(record.subnets!, previous)) return 1
    return record.entry.value === value ? 2 : 3
  }
  return [...records]
    .filter(({ subnets, attributes }) => subnets && attributes && isOwn(subnets, attributes, own, previous))
    .map((record) => ({ record, rank: rank(record) }))
    .sort((a, b) => a.rank - b.rank)
    .map(({ record }) => record)
}

/** A node whose address has changed is known by the subnets that it had and the MAC of its VXLAN device, together. */
function isOwn(subnets: Subnets, attributes: LeaseAttributes, own: Announcement, previous: Subnets): boolean {
  if (isSameNode(own.attributes, attributes)) return true
  const macs = FAMILIES.map((family) => own.attributes[family]?.vtep?.mac)
  return (
    isPrevious(subnets, previous) &&
    FAMILIES.some((family, i) => macs[i] !== undefined && macs[i] === attributes[family]?.vtep?.mac)
  )
}

/** Whether they are what a node had before it started, so that a lease of them with its address is indeed its own. */
export function isPrevious(subnets: Subnets, previous: Subnets): boolean {
  return FAMILIES.every((family) => subnets[family] === previous[family])
}

export interface Choice {
  /** Subnets that it would rather have than others, the best first. */
  readonly preferred: readonly Subnets[]
  /** What somebody has. */
  readonly taken: readonly Subnets[]
  readonly random: () => number
}

/** Of every family one that is free: a preferred one, or any. OutOfSubnets when there is none. */
export function chooseSubnets(config: NetworkConfig, { preferred, taken, random }: Choice): Subnets {
  const chosen: { ipv4?: string; ipv6?: string } = {}
  for (const family of FAMILIES) {
    const network = config[family]
    if (!network) continue
    const others = taken.flatMap((subnets) => subnets[family] ?? [])
    const isFree = (subnet: string) => !overlap([parsePrefix(subnet)], others.map(parsePrefix))
    const own = preferred
      .map((subnets) => subnets[family])
      .find((subnet) => subnet !== undefined && isAllocatable(network, subnet) && isFree(subnet))
    chosen[family] = own ?? allocateSubnet(network, others, random)
  }
  return chosen
}

/** A lease of another node that has an address of this one, and was written before it. */
export function rivalOf(own: LeaseRecord, records: Iterable<LeaseRecord>): LeaseRecord | undefined {
  for (const other of records) {
    if (other.entry.revision >= own.entry.revision || !overlap(other.prefixes, own.prefixes)) continue
    if (!other.attributes || !isSameNode(own.attributes!, other.attributes)) return other
  }
  return undefined
}
