/**
 * Where reservations are kept: what an allocator needs of such a place. disk-store.ts is the one that the reference
 * plugin shares with us.
 */
import type { Family, Ip } from '../address/ip.ts'
import type { Attachment } from '../cni/plugin.ts'
import type { Run } from './run.ts'

/** The reservations of one network. */
export interface Store {
  /** Whether anything has ever been reserved here. Changes nothing. */
  exists(): boolean
  /** CniError when no reservation can be made here. Changes nothing. */
  requireUsable(): void
  /** Runs `body` while nobody else changes a reservation of this network. */
  locked<T>(body: (reservations: Reservations) => T): T
}

/** Who holds a reservation. */
export interface Holder {
  readonly containerId: string
  /** Undefined in reservations by plugins from before CNI 0.7: they stand for all interfaces of the container. */
  readonly ifName: string | undefined
}

export function isHeldBy(holder: Holder, { containerId, ifName }: Attachment): boolean {
  return holder.containerId === containerId && (holder.ifName === undefined || holder.ifName === ifName)
}

/** The reservations while the network is locked. */
export interface Reservations {
  /** The address that was last reserved out of the range set with this number. */
  lastReserved(set: number): Ip | undefined
  /** False when the address is taken. */
  reserve(ip: Ip, set: number, attachment: Attachment): boolean
  /** Gives one address back, whoever holds it. */
  release(ip: Ip): void
  holderOf(ip: Ip): Holder | undefined
  /**
   * Addresses that the attachment holds, fast: what another program reserved for this very attachment a moment ago may be
   * missing.
   */
  heldBy(attachment: Attachment): readonly Ip[]
  /** Whether the attachment holds any reservation, looking everywhere. */
  isHolder(attachment: Attachment): boolean
  /** Gives back all that the attachment holds, looking everywhere. */
  releaseAll(attachment: Attachment): void
  /** Gives back all whose holder is not wanted any more; goes on past errors and throws the first one. */
  releaseUnless(isWanted: (holder: Holder) => boolean): void
  /** Removes reservations that a dying process left without a holder. False when there was none. */
  reclaim(): boolean
  /** Runs of taken addresses that are known without looking: any may have got shorter or longer since. */
  knownRuns(family: Family): readonly Run[]
  /** All taken addresses, from one look at the store. */
  takenRuns(family: Family): readonly Run[]
}
