/**
 * iptables' extensions as nf_tables carries them: the expressions `match` and `target`, NFTA_MATCH_*, NFTA_TARGET_*.
 *
 *   name "conntrack"   revision 3   info  struct xt_conntrack_mtinfo3
 *
 * To the rest of this room they are expressions that it does not know: `other`, with their bytes. Here those become values
 * and values become those, for the live kernel; a plugin, which needs none of them, does without this file.
 *
 * xt-match.ts and xt-target.ts say how the values stand in the structures. A structure that says more than our values can
 * stays `other`.
 */
import type {
  Nftables,
  NftChain,
  NftElement,
  NftExpression,
  NftFamily,
  NftFilter,
  NftOperation,
  NftRule,
  NftRuleset,
  NftSet,
} from '../../kernel/nftables.ts'
import type { XtMatch, XtTarget } from '../../kernel/xtables.ts'
import { Attributes } from '../netlink/attribute.ts'
import { MessageWriter } from '../netlink/message.ts'
import { MATCHES } from './xt-match.ts'
import { type SetNumbers, Structure, type StructureCodec } from './xt-structure.ts'
import { targetsOf } from './xt-target.ts'

/** The same numbers for NFTA_MATCH_* and NFTA_TARGET_*. */
const NAME = 1
const REVISION = 2
const INFO = 3

type Other = Extract<NftExpression, { type: 'other' }>
type Extension = Extract<NftExpression, { type: 'xt match' | 'xt target' }>

/** The kernel's names where ours are other: two of ours for one of the kernel's. */
const KERNEL_NAMES: Readonly<Record<string, string>> = { state: 'conntrack', NOTRACK: 'CT' }

/** nf_tables that understands extensions. */
export function withExtensions(nftables: Nftables, sets: SetNumbers): Nftables {
  return new ExtendedNftables(nftables, sets)
}

class ExtendedNftables implements Nftables {
  readonly #nftables: Nftables
  readonly #sets: SetNumbers

  constructor(nftables: Nftables, sets: SetNumbers) {
    this.#nftables = nftables
    this.#sets = sets
  }

  commit(operations: readonly NftOperation[]): void {
    this.#nftables.commit(operations.map((operation) => encodeOperation(operation, this.#sets)))
  }

  list(filter?: NftFilter): NftRuleset {
    const ruleset = this.#nftables.list(filter)
    return { ...ruleset, rules: ruleset.rules.map((rule) => decodeRule(rule, this.#sets)) }
  }

  chain(name: Pick<NftChain, 'family' | 'table' | 'name'>): NftChain | undefined {
    return this.#nftables.chain(name)
  }

  rules(chain: Pick<NftChain, 'family' | 'table' | 'name'>): NftRule[] {
    return this.#nftables.rules(chain).map((rule) => decodeRule(rule, this.#sets))
  }

  elements(set: Pick<NftSet, 'family' | 'table' | 'name'>): NftElement[] {
    return this.#nftables.elements(set)
  }

  element(set: Pick<NftSet, 'family' | 'table' | 'name'>, key: Uint8Array): NftElement | undefined {
    return this.#nftables.element(set, key)
  }
}

function encodeOperation(operation: NftOperation, sets: SetNumbers): NftOperation {
  if (operation.operation !== 'add rule' && operation.operation !== 'insert rule') return operation
  const { rule } = operation
  return {
    ...operation,
    rule: { ...rule, expressions: rule.expressions.map((one) => encodeExtension(one, rule.family, sets)) },
  }
}

function decodeRule(rule: NftRule, sets: SetNumbers): NftRule {
  return { ...rule, expressions: rule.expressions.map((one) => decodeExtension(one, rule.family, sets)) }
}

/** The expression as the kernel has it, where it is an extension; otherwise itself. */
export function encodeExtension(expression: NftExpression, family: NftFamily, sets: SetNumbers): NftExpression {
  if (expression.type === 'xt match') {
    return encode('match', expression.match, expression, MATCHES[expression.match] as StructureCodec<XtMatch>, sets)
  }
  if (expression.type === 'xt target') {
    const codec = targetsOf(family)[expression.target] as StructureCodec<XtTarget>
    return encode('target', expression.target, expression, codec, sets)
  }
  return expression
}

function encode<T extends XtMatch | XtTarget>(
  type: 'match' | 'target',
  name: string,
  value: T,
  { revision, size, write }: StructureCodec<T>,
  sets: SetNumbers,
): Other {
  const structure = new Structure(size)
  write(structure, value, sets)
  const data = new MessageWriter(64 + size)
    .attributeText(NAME, KERNEL_NAMES[name] ?? name)
    .attributeU32be(REVISION, revision)
    .attribute(INFO, structure.bytes)
    .finish()
  return { type: 'other', name: type, data: data.slice() }
}

/** The extension as a value, where it is one that we know; otherwise the expression itself. */
export function decodeExtension(expression: NftExpression, family: NftFamily, sets: SetNumbers): NftExpression {
  if (expression.type !== 'other' || (expression.name !== 'match' && expression.name !== 'target')) return expression
  const from = new Attributes(expression.data)
  const name = from.text(NAME) ?? ''
  const info = from.bytes(INFO) ?? new Uint8Array()
  const decoded =
    expression.name === 'match' ? readMatch(name, info, family, sets) : readTarget(name, info, family, sets)
  return decoded && from.u32be(REVISION) === revisionOf(decoded, family) ? decoded : expression
}

function readMatch(name: string, info: Uint8Array, family: NftFamily, sets: SetNumbers): Extension | undefined {
  if (!Object.hasOwn(MATCHES, name)) return undefined
  const match = read(MATCHES[name as XtMatch['match']] as StructureCodec<XtMatch>, info, family, sets)
  return match && { type: 'xt match', ...match }
}

function readTarget(name: string, info: Uint8Array, family: NftFamily, sets: SetNumbers): Extension | undefined {
  const targets = targetsOf(family)
  if (!Object.hasOwn(targets, name)) return undefined
  const target = read(targets[name as XtTarget['target']] as StructureCodec<XtTarget>, info, family, sets)
  return target && { type: 'xt target', ...target }
}

function revisionOf(extension: Extension, family: NftFamily): number {
  return extension.type === 'xt match'
    ? MATCHES[extension.match].revision
    : targetsOf(family)[extension.target].revision
}

/** What is written again is what was read: a structure that says anything else besides is not ours. */
function read<T>(codec: StructureCodec<T>, info: Uint8Array, family: NftFamily, sets: SetNumbers): T | undefined {
  if (info.length !== codec.size) return undefined
  const value = codec.read(new Structure(info), family, sets)
  if (value === undefined) return undefined
  const again = new Structure(codec.size)
  codec.write(again, value, sets)
  const [expected, found] = [telling(codec, again.bytes), telling(codec, info)]
  return expected.every((byte, i) => byte === found[i]) ? value : undefined
}

/** The structure without the bytes that say nothing. */
function telling({ text, idle }: StructureCodec<unknown>, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice()
  if (idle) copy.fill(0, idle[0], idle[0] + idle[1])
  if (text) {
    const end = copy.indexOf(0, text[0])
    if (end >= 0 && end < text[0] + text[1]) copy.fill(0, end, text[0] + text[1])
  }
  return copy
}
