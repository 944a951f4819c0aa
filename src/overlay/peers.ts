/** Whom a node can reach: of all leases those that its backend can make something of, and for the others the reason. */
import { formatPrefix, type Prefix } from '../address/prefix.ts'
import { FAMILIES, type Lease, type LeaseAttributes } from './lease.ts'
import { isSameNode, type LeaseRecord, overlap } from './lease-table.ts'
import type { Notice } from './notice.ts'

/** This node: what it announces, its subnets, where it has any, and which keys are its own. */
export interface Self {
  readonly attributes: LeaseAttributes
  readonly prefixes: readonly Prefix[]
  isOwn(key: string): boolean
}

export interface Peers {
  /** In the order of the records. */
  readonly leases: readonly Lease[]
  /** By key, for every record that is neither a peer's nor the node's own. */
  readonly ignored: ReadonlyMap<string, Notice>
}

export function peersOf(records: readonly LeaseRecord[], self: Self): Peers {
  const leases: Lease[] = []
  const ignored = new Map<string, Notice>()
  const claims = firstClaims(records)
  for (const record of records) {
    if (self.isOwn(record.entry.key)) continue
    const problem = problemOf(record, self, claims)
    if (!problem) {
      leases.push(record.lease!)
      continue
    }
    const from = record.lease ? ` of ${addressOf(record.lease)}` : ''
    const message = `Ignoring lease ${record.name}${from}: ${problem.message}`
    ignored.set(record.entry.key, { ...problem, message, key: record.entry.key })
  }
  return { leases, ignored }
}

type Problem = Pick<Notice, 'level' | 'subject' | 'message'>

function problemOf(record: LeaseRecord, { attributes, prefixes }: Self, claims: Claims): Problem | undefined {
  const { lease } = record
  if (!lease) return { level: 'warning', subject: 'peer', message: record.problem! }
  if (overlap(record.prefixes, prefixes)) {
    const ours = prefixes.map(formatPrefix).join(' and ')
    return { level: 'error', subject: 'conflict', message: `it overlaps our own ${ours}` }
  }
  if (isSameNode(attributes, lease)) {
    return { level: 'warning', subject: 'conflict', message: twinProblem(lease) }
  }
  if (lease.backend !== attributes.backend) {
    const [theirs, ours] = [lease.backend, attributes.backend].map((type) => (type === '' ? 'udp or alloc' : type))
    return { level: 'warning', subject: 'peer', message: `its backend is ${theirs}, ours is ${ours}` }
  }
  const first = claimedBefore(record, claims)
  if (first)
    return { level: 'error', subject: 'conflict', message: `lease ${first.name} had one of its subnets before it` }
  return vniProblem(lease, attributes)
}

/** What VirtualBox gives every machine on its first card, the NAT card: VirtualBox manual, chapter 6.3. */
const VIRTUALBOX_NAT = '10.0.2.15'

function twinProblem(lease: Lease): string {
  const nat = addressOf(lease) === VIRTUALBOX_NAT ? ', which VirtualBox gives the NAT card of every machine' : ''
  return `it has our own address${nat}; it is an earlier lease of this node, or the nodes have chosen the wrong link (--iface)`
}

/** Another VNI is another network: the peer's kernel would drop what it is sent. Old flannels do not tell theirs. */
function vniProblem(lease: Lease, attributes: LeaseAttributes): Problem | undefined {
  for (const family of FAMILIES) {
    const [theirs, ours] = [lease[family]?.vtep?.vni, attributes[family]?.vtep?.vni]
    if (theirs === undefined || ours === undefined || theirs === ours) continue
    return { level: 'warning', subject: 'peer', message: `its VNI is ${theirs}, ours is ${ours}` }
  }
  return undefined
}

/** By subnet: whose lease was the first that has it. Two keys can name it: with another subnet of the other family. */
type Claims = ReadonlyMap<string, LeaseRecord>

function firstClaims(records: readonly LeaseRecord[]): Claims {
  const claims = new Map<string, LeaseRecord>()
  for (const record of records) {
    if (!record.lease) continue
    for (const family of FAMILIES) {
      const subnet = record.subnets?.[family]
      if (subnet === undefined) continue
      const first = claims.get(subnet)
      if (!first || record.entry.revision < first.entry.revision) claims.set(subnet, record)
    }
  }
  return claims
}

function claimedBefore({ name, subnets }: LeaseRecord, claims: Claims): LeaseRecord | undefined {
  for (const family of FAMILIES) {
    const subnet = subnets?.[family]
    const first = subnet === undefined ? undefined : claims.get(subnet)
    if (first && first.name !== name) return first
  }
  return undefined
}

function addressOf({ ipv4, ipv6 }: Lease): string {
  return (ipv4 ?? ipv6)!.publicIp
}
