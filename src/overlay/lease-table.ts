/** What a store has below `<prefix>/subnets/`, as a watch tells it: every key once read, also those that are no leases. */
import { overlaps, type Prefix, parsePrefix } from '../address/prefix.ts'
import { JsonError } from '../json/errors.ts'
import type { Change, Entry, Listing, Revision } from '../store/store.ts'
import { FAMILIES, type Lease, type LeaseAttributes, leaseOf, parseLeaseAttributes } from './lease.ts'
import { parseLeaseKey, type Subnets } from './lease-key.ts'

export interface LeaseRecord {
  readonly entry: Entry
  /** The last part of the key: `10.5.7.0-24`. */
  readonly name: string
  /** Nobody else can have them, whatever the value is. Undefined when the key names none. */
  readonly subnets: Subnets | undefined
  readonly prefixes: readonly Prefix[]
  readonly attributes: LeaseAttributes | undefined
  /** The same object as long as the value is the same. */
  readonly lease: Lease | undefined
  /** Why there is no lease. */
  readonly problem: string | undefined
}

export class LeaseTable {
  readonly #prefix: string
  #records = new Map<string, LeaseRecord>()
  #seen: Revision = 0n
  #listings = 0

  /** `prefix` is what the keys of leases begin with. */
  constructor(prefix: string) {
    this.#prefix = prefix
  }

  get isListed(): boolean {
    return this.#listings > 0
  }

  /** How often it began anew. */
  get listings(): number {
    return this.#listings
  }

  /** Of the store, until which all changes are here. */
  get seen(): Revision {
    return this.#seen
  }

  get records(): Iterable<LeaseRecord> {
    return this.#records.values()
  }

  get(key: string): LeaseRecord | undefined {
    return this.#records.get(key)
  }

  list({ entries, revision }: Listing): void {
    this.#records = new Map(entries.map((entry) => [entry.key, this.#read(entry)]))
    this.#seen = revision
    this.#listings++
  }

  change(changes: readonly Change[]): void {
    for (const change of changes) {
      if (change.operation === 'put') {
        this.#records.set(change.entry.key, this.#read(change.entry))
        this.#seen = change.entry.revision
      } else {
        this.#records.delete(change.key)
        this.#seen = change.revision
      }
    }
  }

  #read(entry: Entry): LeaseRecord {
    const known = this.#records.get(entry.key)
    if (known && known.entry.value === entry.value) return { ...known, entry }
    const name = entry.key.slice(this.#prefix.length)
    const subnets = parseLeaseKey(name)
    const prefixes = FAMILIES.flatMap((family) => subnets?.[family] ?? []).map(parsePrefix)
    return { entry, name, subnets, prefixes, ...readValue(entry.value, subnets) }
  }
}

function readValue(value: string, subnets: Subnets | undefined): Pick<LeaseRecord, 'attributes' | 'lease' | 'problem'> {
  let attributes: LeaseAttributes | undefined
  try {
    attributes = parseLeaseAttributes(value)
    if (subnets) return { attributes, lease: leaseOf(subnets, attributes), problem: undefined }
    return { attributes: undefined, lease: undefined, problem: 'the key names no subnets' }
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    return { attributes, lease: undefined, problem: error.message }
  }
}

/** Whether an address is of both. */
export function overlap(a: readonly Prefix[], b: readonly Prefix[]): boolean {
  return a.some((one) => b.some((other) => overlaps(one, other)))
}

/**
 * Whether both are of one node: that is its public address. Nodes without IPv4 all have 0.0.0.0 as PublicIP, so that for them
 * it is the IPv6 address; flannel compares PublicIP all the same, and gives every such node the same subnet.
 */
export function isSameNode(ours: LeaseAttributes, other: LeaseAttributes): boolean {
  if (ours.ipv4 && other.ipv4) return ours.ipv4.publicIp === other.ipv4.publicIp
  return ours.ipv6 !== undefined && ours.ipv6.publicIp === other.ipv6?.publicIp
}
