/** The node as a speaker sees it: which ways there are, and what becomes of its own. node/ has it on a kernel; tests make it up. */
import type { Family } from './family.ts'
import type { PrefixKey } from './nlri.ts'
import type { LocalAddress } from './rib/export.ts'
import type { Path } from './rib/path.ts'
import type { KernelSettings } from './speaker-settings.ts'

export interface Node {
  /** The metric of the way to a next hop; undefined when there is none, or it is an address of our own. As rib/next-hops.ts. */
  resolve(address: string, linkLocal: string | undefined): number | undefined
  /**
   * By what address peers know us that have a session with this one of ours: itself, the global address of the other family on
   * the same interface, and the link-local one where the peer is on the link. All undefined when the address is not ours.
   */
  localAddress(ours: string, peer: string): LocalAddress
  /** undefined: it is on the link, or may be. Else why packets cannot leave: "eth0 is down". */
  whyUnreachable(peer: string): string | undefined
  /** Calls back, a moment later, when what any of these answer may be another. */
  watch(changed: () => void): () => void
}

/** The kernel's routes, as far as they are the speaker's. */
export interface Fib {
  /** What is to be there from now on; `blackholes` are prefixes of our own. */
  configure(settings: KernelSettings, blackholes: readonly string[]): void
  /** Something has changed about these prefixes. `paths` says what a route now goes by, best first; none: no route. */
  update(family: Family, keys: Iterable<PrefixKey>, paths: (key: PrefixKey) => readonly Path[]): void
  /** Routes of ours that were there at the beginning and are not wanted may go: all has been learned again. */
  sweep(): void
  /** Every change has been written, or refused. */
  readonly isSettled: boolean
  /** Routes that the kernel does not have, with the reason. */
  readonly refused: readonly { readonly what: string; readonly why: string }[]
  /** Leaves everything as it is, or takes all of ours away. */
  close(what: 'leave' | 'remove'): void
}
