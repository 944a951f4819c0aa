/**
 * The allocator: one address of each range set for an attachment.
 *
 * Addresses are given out in turn, beginning behind the last one reserved, so that a released address rests as long as
 * possible. Candidates are simply tried; when several in a row are taken, the runs that the store knows, and then one
 * look at all of the store, lead over the taken ones. Requests are served in the order in which they were made, each by
 * the first range set that holds the address.
 */
import { familyOf, formatIp, type Ip, ipFromBigInt, ipToBigInt } from '../address/ip.ts'
import { CniCode, CniError } from '../cni/errors.ts'
import type { Attachment } from '../cni/plugin.ts'
import { withRollback } from '../cni/rollback.ts'
import { formatRangeSet, type Range, type RangeSet, rangeOf, roundRobin, type Stretch } from './range.ts'
import { type Run, runHolding } from './run.ts'
import type { Reservations } from './store.ts'

/** Candidates tried one by one before looking further: as many as the shortest run has that a store remembers. */
const TRIES = 8

export interface Allocation {
  readonly ip: Ip
  /** The range that the address is from. */
  readonly range: Range
}

/** An allocation of each set, in their order. CniError when one cannot be made: then none is. */
export function allocate(
  sets: readonly RangeSet[],
  requests: readonly Ip[],
  attachment: Attachment,
  reservations: Reservations,
): Allocation[] {
  return withRollback((undo) => {
    const open = new Map(requests.map((ip) => [formatIp(ip), ip]))
    const allocations = sets.map((set, index) => {
      const requested = [...open].find(([, ip]) => rangeOf(set, ip))
      if (requested) open.delete(requested[0])
      const allocation = requested
        ? allocateRequested(requested[1], set, index, attachment, reservations)
        : allocateNext(set, index, attachment, reservations)
      undo(() => reservations.release(allocation.ip))
      return allocation
    })
    if (open.size > 0) {
      const left = [...open.keys()].join(' ')
      throw new CniError(CniCode.conflict, `failed to allocate all requested IPs: ${left}`)
    }
    return allocations
  })
}

/** Whether the set has no address left to give. */
export function isExhausted(set: RangeSet, reservations: Reservations): boolean {
  const { family } = set[0]!
  const isFull = () => freeAddresses(roundRobin(set, undefined), reservations.takenRuns(family)).next().done === true
  return isFull() && !(reservations.reclaim() && !isFull())
}

function allocateRequested(
  ip: Ip,
  set: RangeSet,
  index: number,
  attachment: Attachment,
  reservations: Reservations,
): Allocation {
  const range = rangeOf(set, ip)!
  const text = formatIp(ip)
  if (text === formatIp(range.gateway)) {
    throw refused(CniCode.conflict, index, `requested ip ${text} is subnet's gateway`)
  }
  const reserve = () => reservations.reserve(ip, index, attachment)
  if (reserve() || (reservations.reclaim() && reserve())) return { ip, range }
  const message = `requested IP address ${text} is not available in range set ${formatRangeSet(set)}`
  throw refused(CniCode.conflict, index, message)
}

function allocateNext(set: RangeSet, index: number, attachment: Attachment, reservations: Reservations): Allocation {
  const held = reservations.heldBy(attachment).find((ip) => rangeOf(set, ip))
  if (held) {
    const { containerId } = attachment
    const message = `${formatIp(held)} has been allocated to ${containerId}, duplicate allocation is not allowed`
    throw refused(CniCode.conflict, index, message)
  }

  const { family } = set[0]!
  const order = roundRobin(set, reservations.lastReserved(index))
  const tryFree = (runs: readonly Run[], tries: number): Allocation | undefined => {
    for (const allocation of freeAddresses(order, runs)) {
      if (tries-- === 0) return undefined
      if (reservations.reserve(allocation.ip, index, attachment)) return allocation
    }
    return undefined
  }
  const tryAll = () => tryFree(reservations.takenRuns(family), Number.POSITIVE_INFINITY)
  const allocation =
    tryFree([], TRIES) ??
    tryFree(reservations.knownRuns(family), TRIES) ??
    tryAll() ??
    (reservations.reclaim() ? tryAll() : undefined)
  if (!allocation) {
    throw refused(CniCode.exhausted, index, `no IP addresses available in range set: ${formatRangeSet(set)}`)
  }
  return allocation
}

/** The addresses of these stretches that may be given out and are in none of the runs. */
function* freeAddresses(stretches: readonly Stretch[], taken: readonly Run[]): Generator<Allocation, undefined> {
  for (const { range, from, to } of stretches) {
    const gateway = familyOf(range.gateway) === range.family ? ipToBigInt(range.gateway) : undefined
    for (let address = from; address <= to; address++) {
      const run = runHolding(taken, address)
      if (run) address = run.to
      else if (address !== gateway) yield { ip: ipFromBigInt(address, range.family), range }
    }
  }
}

function refused(code: number, set: number, message: string): CniError {
  return new CniError(code, `failed to allocate for range ${set}: ${message}`)
}
