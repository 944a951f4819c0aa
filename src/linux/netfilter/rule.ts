/** Rules: NFTA_RULE_*, linux/netfilter/nf_tables.h. */
import type { NftExpression, NftFamily, NftRule } from '../../kernel/nftables.ts'
import type { Attributes } from '../netlink/attribute.ts'
import type { MessageWriter } from '../netlink/message.ts'
import { required } from './codec.ts'
import { COMMENT, decodeComment, writeComment } from './comment.ts'
import { decodeExpressions, encodeExpressions } from './expression.ts'

const NFTA_RULE_TABLE = 1
const NFTA_RULE_CHAIN = 2
const NFTA_RULE_HANDLE = 3
const NFTA_RULE_EXPRESSIONS = 4
const NFTA_RULE_COMPAT = 5
const NFTA_RULE_POSITION = 6
const NFTA_RULE_USERDATA = 7
const NFTA_RULE_COMPAT_PROTO = 1
const NFTA_RULE_COMPAT_FLAGS = 2
const NFT_RULE_COMPAT_F_INV = 2

/** `at`: the handle of the rule that it goes behind or before. */
export function encodeRule(to: MessageWriter, rule: NftRule, at: bigint | undefined): void {
  encodeRuleName(to, { table: rule.table, chain: rule.chain })
  encodeExpressions(to, NFTA_RULE_EXPRESSIONS, rule.expressions)
  encodeCompat(to, rule.expressions)
  if (at !== undefined) to.attributeU64be(NFTA_RULE_POSITION, at)
  writeComment(to, NFTA_RULE_USERDATA, COMMENT.rule, rule.comment)
}

/**
 * To extensions of iptables the kernel says which protocol their rule is for, and some are only for one: it is told that
 * apart from the expressions. They are the expressions `match` and `target`.
 */
function encodeCompat(to: MessageWriter, expressions: readonly NftExpression[]): void {
  const hasExtension = expressions.some(
    (one) => one.type === 'other' && (one.name === 'match' || one.name === 'target'),
  )
  if (!hasExtension) return
  const index = expressions.findIndex((one) => one.type === 'meta' && one.key === 'l4proto')
  const comparison = index < 0 ? undefined : expressions[index + 1]
  const isCompared = comparison?.type === 'cmp'
  to.nested(NFTA_RULE_COMPAT, () => {
    to.attributeU32be(NFTA_RULE_COMPAT_PROTO, isCompared ? comparison.value[0]! : 0)
    to.attributeU32be(NFTA_RULE_COMPAT_FLAGS, isCompared && comparison.operator === 'neq' ? NFT_RULE_COMPAT_F_INV : 0)
  })
}

/** Which rule is meant; without a handle all of the chain, without a chain all of the table. */
export function encodeRuleName(
  to: MessageWriter,
  { table, chain, handle }: { readonly table: string; readonly chain?: string; readonly handle?: bigint },
): void {
  to.attributeText(NFTA_RULE_TABLE, table)
  if (chain !== undefined) to.attributeText(NFTA_RULE_CHAIN, chain)
  if (handle !== undefined) to.attributeU64be(NFTA_RULE_HANDLE, handle)
}

export function decodeRule(family: NftFamily, from: Attributes): NftRule {
  return {
    family,
    table: required('rule', 'table', from.text(NFTA_RULE_TABLE)),
    chain: required('rule', 'chain', from.text(NFTA_RULE_CHAIN)),
    expressions: decodeExpressions(from, NFTA_RULE_EXPRESSIONS),
    ...decodeComment(from.bytes(NFTA_RULE_USERDATA), COMMENT.rule),
    handle: required('rule', 'handle', from.u64be(NFTA_RULE_HANDLE)),
  }
}
