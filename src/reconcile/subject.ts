/** What must be known of a kind of thing to reconcile it: a row of the table in subjects.ts. */
import type { Owned } from './state.ts'

export interface Subject<D, S> {
  /** The same for the desired and the seen thing, where they are one. */
  key(item: D | S): string
  /** What is not as desired, in words. */
  differences(desired: D, seen: S): readonly string[]
  /** Whether it may be removed when it is not desired. */
  owned(seen: S, owned: Owned): boolean
  /** `route 0.0.0.0/0 via 10.1.2.1 dev eth0` */
  describe(item: D | S): string
  /** The link that it goes down with. */
  link?(seen: S): string | undefined
  /** Can only be made anew: see `birthmarks` for what it does not survive. */
  unchangeable?(desired: D, seen: S): boolean
}
