/** What an operation of a rule answers: NF_* and NFT_* share one number space. Source: linux/netfilter/nf_tables.h. */
import type { NftVerdict } from '../../../kernel/nftables.ts'
import { Verdict } from '../hooks.ts'

export const DROP = Verdict.drop
export const ACCEPT = Verdict.accept
export const STOLEN = Verdict.stolen
/** The next expression, and behind the last one the next rule. */
export const CONTINUE = -1
/** The rule does not match: the next rule. */
export const BREAK = -2
export const JUMP = -3
export const GOTO = -4
export const RETURN = -5

const CODES = { accept: ACCEPT, drop: DROP, return: RETURN, continue: CONTINUE, jump: JUMP, goto: GOTO } as const

export function codeOf(verdict: NftVerdict): number {
  return verdict.verdict === 'other' ? verdict.code : CODES[verdict.verdict]
}

/** nft_verdict_init: whether the kernel takes a verdict of this code. */
export function isVerdict(code: number): boolean {
  return code === DROP || code === ACCEPT || (code < 0 && code >= RETURN)
}
