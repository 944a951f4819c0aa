/** Whom a node can reach: of all leases those that its backend can make something of, and for the others the reason. */
import { familyOf, isOfHost, parseIp } from '../address/ip.ts'
import { contains, formatPrefix, hostBits, type Prefix, parsePrefix } from '../address/prefix.ts'
import type { NetworkConfig } from './config.ts'
import { FAMILIES, type Lease, type LeaseAttributes } from './lease.ts'
import { Claims } from './lease-claims.ts'
import { isSameNode, type LeaseRecord, overlap } from './lease-table.ts'
import type { Notice } from './notice.ts'

/** This node: what it announces, its subnets, where it has any, and which keys are its own. */
export interface Self {
  readonly config: Pick<NetworkConfig, 'ipv4' | 'ipv6'>
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
  const claims = new Claims(records)
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

function problemOf(record: LeaseRecord, self: Self, claims: Claims): Problem | undefined {
  const { lease } = record
  if (!lease) return { level: 'warning', subject: 'peer', message: record.problem! }
  const { attributes, config, prefixes } = self
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
  const message = placeProblem(record, config) ?? addressProblem(lease) ?? vniProblem(lease, attributes)
  if (message !== undefined) return { level: 'warning', subject: 'peer', message }
  return claimProblem(record, claims)
}

/** A route to anything else would take from the node what is not the overlay's, up to its way to the store. */
function placeProblem({ prefixes }: LeaseRecord, config: Self['config']): string | undefined {
  for (const prefix of prefixes) {
    const text = config[familyOf(prefix.address)]?.network
    if (text === undefined) continue
    const network = parsePrefix(text)
    if (prefix.length < network.length || !contains(network, prefix.address)) {
      return `${formatPrefix(prefix)} is not in the network ${text}`
    }
    if (hostBits(prefix) < LEAST_HOST_BITS) return `${formatPrefix(prefix)} has no room for pods`
  }
  return undefined
}

/** SubnetLen is below 31, and below 127: the overlay device and a bridge have an address each. */
const LEAST_HOST_BITS = 2

function addressProblem(lease: Lease): string | undefined {
  for (const family of FAMILIES) {
    const publicIp = lease[family]?.publicIp
    if (publicIp !== undefined && !isOfHost(parseIp(publicIp))) return `its address ${publicIp} is no node's`
  }
  return undefined
}

function claimProblem(record: LeaseRecord, claims: Claims): Problem | undefined {
  const first = claims.subnetBefore(record)
  if (first) {
    return { level: 'error', subject: 'conflict', message: `lease ${first.name} had one of its subnets before it` }
  }
  const last = claims.macAfter(record)
  if (!last) return undefined
  const message = `lease ${last.name} of ${addressOf(last.lease!)} has told its MAC after it`
  return { level: 'warning', subject: 'conflict', message }
}

/** What VirtualBox gives every machine on its first card, the NAT card: VirtualBox manual, chapter 6.3. */
const VIRTUALBOX_NAT = '10.0.2.15'

function twinProblem(lease: Lease): string {
  const nat = addressOf(lease) === VIRTUALBOX_NAT ? ', which VirtualBox gives the NAT card of every machine' : ''
  return `it has our own address${nat}; it is an earlier lease of this node, or the nodes have chosen the wrong link (--iface)`
}

/** Another VNI is another network: the peer's kernel would drop what it is sent. Old flannels do not tell theirs. */
function vniProblem(lease: Lease, attributes: LeaseAttributes): string | undefined {
  for (const family of FAMILIES) {
    const [theirs, ours] = [lease[family]?.vtep?.vni, attributes[family]?.vtep?.vni]
    if (theirs === undefined || ours === undefined || theirs === ours) continue
    return `its VNI is ${theirs}, ours is ${ours}`
  }
  return undefined
}

function addressOf({ ipv4, ipv6 }: Lease): string {
  return (ipv4 ?? ipv6)!.publicIp
}
