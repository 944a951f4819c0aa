/**
 * Leases that claim the same thing. A subnet is whose lease was the first that had it; a VTEP's MAC is where the lease says that
 * told it last, because a device keeps its MAC when its node gets another address.
 */
import { FAMILIES, type Family } from './lease.ts'
import type { LeaseRecord } from './lease-table.ts'

export class Claims {
  /** Two keys can name one subnet: with another one of the other family. */
  readonly #subnets = new Map<string, LeaseRecord>()
  readonly #macs: Readonly<Record<Family, Map<string, LeaseRecord>>> = { ipv4: new Map(), ipv6: new Map() }

  constructor(records: readonly LeaseRecord[]) {
    for (const record of records) {
      if (!record.lease) continue
      for (const family of FAMILIES) {
        const [subnet, mac] = [record.subnets?.[family], record.lease[family]?.vtep?.mac]
        if (subnet !== undefined) keep(this.#subnets, subnet, record, isBefore)
        if (mac !== undefined) keep(this.#macs[family], mac, record, (one, other) => isBefore(other, one))
      }
    }
  }

  /** The lease that had one of its subnets before it. */
  subnetBefore({ name, subnets }: LeaseRecord): LeaseRecord | undefined {
    for (const family of FAMILIES) {
      const first = this.#subnets.get(subnets?.[family] ?? '')
      if (first && first.name !== name) return first
    }
    return undefined
  }

  /** The lease that has told its MAC after it, and another address for that. */
  macAfter({ lease }: LeaseRecord): LeaseRecord | undefined {
    for (const family of FAMILIES) {
      const its = lease?.[family]
      const last = this.#macs[family].get(its?.vtep?.mac ?? '')
      if (last && last.lease![family]!.publicIp !== its!.publicIp) return last
    }
    return undefined
  }
}

function isBefore(one: LeaseRecord, other: LeaseRecord): boolean {
  return one.entry.revision < other.entry.revision
}

function keep(
  claims: Map<string, LeaseRecord>,
  key: string,
  record: LeaseRecord,
  isBetter: (one: LeaseRecord, other: LeaseRecord) => boolean,
): void {
  const known = claims.get(key)
  if (!known || isBetter(record, known)) claims.set(key, record)
}
