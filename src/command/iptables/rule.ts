/**
 * A rule in iptables' own terms: what a command line says, what a listing shows. encode.ts and decode.ts turn it into
 * nftables' expressions and back.
 */
import type { XtMatch, XtTarget } from '../../kernel/xtables.ts'
import type { Network } from './address.ts'

/** nftables' names for what `iptables` and `ip6tables` speak of. */
export type Family = 'ip' | 'ip6'

export interface Invertible<T> {
  readonly value: T
  readonly invert: boolean
}

export type Target =
  /** To a chain of the user's. `goto`: without coming back here. */
  { readonly jump: string; readonly goto: boolean } | { readonly verdict: 'ACCEPT' | 'DROP' | 'RETURN' } | XtTarget

export interface Rule {
  readonly source?: Invertible<Network>
  readonly destination?: Invertible<Network>
  /** Names of interfaces; a `+` at the end stands for anything. */
  readonly input?: Invertible<string>
  readonly output?: Invertible<string>
  readonly protocol?: Invertible<number>
  /** Fragments but the first, IPv4 only. */
  readonly fragment?: Invertible<true>
  readonly matches: readonly XtMatch[]
  readonly target?: Target
  readonly packets: bigint
  readonly bytes: bigint
}
