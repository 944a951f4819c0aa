/** Policy rules, which choose the routing table: `ip rule`. Sources: linux/fib_rules.h, net/core/fib_rules.c. */
import { bitsOf, type Family } from '../../address/ip.ts'
import { parsePrefix } from '../../address/prefix.ts'
import type { Rule, RuleAction, Rules } from '../../kernel/route.ts'
import { DecodeError } from '../../wire/errors.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'
import { Attributes } from './attribute.ts'
import { defined } from './defined.ts'
import { familyFrom, familyNumber } from './family.ts'
import { MessageWriter, NLM_F_CREATE, NLM_F_EXCL } from './message.ts'
import type { NetlinkSocket } from './socket.ts'

const RTM_NEWRULE = 32
const RTM_DELRULE = 33
const RTM_GETRULE = 34
/** struct fib_rule_hdr: family, destination length, source length, tos, table, 2 reserved, action (1 each), flags (4). */
const FIB_RULE_HDR_SIZE = 12

const FRA_DST = 1
const FRA_SRC = 2
const FRA_IIFNAME = 3
const FRA_GOTO = 4
const FRA_PRIORITY = 6
const FRA_FWMARK = 10
const FRA_SUPPRESS_PREFIXLEN = 14
const FRA_TABLE = 15
const FRA_FWMASK = 16
const FRA_OIFNAME = 17
const FRA_PROTOCOL = 21
const FIB_RULE_INVERT = 2
const NO_SUPPRESSION = 0xffff_ffff

/** FR_ACT_*. */
const ACTIONS = { table: 1, goto: 2, nop: 3, blackhole: 6, unreachable: 7, prohibit: 8 } as const satisfies Record<
  RuleAction,
  number
>

/** `ip rule add` or `delete`. What a rule to delete leaves out, its action too, is not compared. */
export function encodeRule(operation: 'add' | 'delete', rule: Rule): Uint8Array {
  const source = rule.source === undefined ? undefined : parsePrefix(rule.source)
  const destination = rule.destination === undefined ? undefined : parsePrefix(rule.destination)
  const action = rule.action ?? (operation === 'add' || rule.table !== undefined ? 'table' : undefined)
  const writer =
    operation === 'add'
      ? new MessageWriter().message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL)
      : new MessageWriter().message(RTM_DELRULE, 0)
  writer
    .u8(familyNumber(rule.family))
    .u8(destination?.length ?? 0)
    .u8(source?.length ?? 0)
    .u8(rule.tos ?? 0)
  const { table = 0 } = rule
  writer.u8(table < 256 ? table : 0).u16(0)
  writer.u8(action ? ACTIONS[action] : 0).u32(rule.invert ? FIB_RULE_INVERT : 0)
  if (destination) writer.attribute(FRA_DST, destination.address)
  if (source) writer.attribute(FRA_SRC, source.address)
  if (rule.inputLink !== undefined) writer.attributeText(FRA_IIFNAME, rule.inputLink)
  if (rule.outputLink !== undefined) writer.attributeText(FRA_OIFNAME, rule.outputLink)
  if (rule.priority !== undefined) writer.attributeU32(FRA_PRIORITY, rule.priority)
  if (table >= 256) writer.attributeU32(FRA_TABLE, table)
  if (rule.goto !== undefined) writer.attributeU32(FRA_GOTO, rule.goto)
  if (rule.mark !== undefined) writer.attributeU32(FRA_FWMARK, rule.mark)
  if (rule.mask !== undefined) writer.attributeU32(FRA_FWMASK, rule.mask)
  if (rule.protocol !== undefined) writer.attributeU8(FRA_PROTOCOL, rule.protocol)
  if (rule.suppressPrefixLength !== undefined) {
    writer.attributeU32(FRA_SUPPRESS_PREFIXLEN, rule.suppressPrefixLength)
  }
  return writer.finish()
}

export function encodeListRules(family: Family): Uint8Array {
  const writer = new MessageWriter().message(RTM_GETRULE, 0)
  return writer.u8(familyNumber(family)).u8(0).u8(0).u8(0).u8(0).u16(0).u8(0).u32(0).finish()
}

/** The payload of an RTM_NEWRULE; undefined for a family that is not IP's or an action that ip-rule(8) does not know. */
export function decodeRule(payload: Uint8Array): Rule | undefined {
  if (payload.length < FIB_RULE_HDR_SIZE) throw new DecodeError('fib_rule_hdr', payload.length, 'it is cut off')
  const family = familyFrom(payload[0]!)
  const action = (Object.keys(ACTIONS) as RuleAction[]).find((name) => ACTIONS[name] === payload[7])
  if (!family || !action) return undefined
  const flags = new DataView(payload.buffer, payload.byteOffset).getUint32(8, LITTLE_ENDIAN)
  const attributes = new Attributes(payload, FIB_RULE_HDR_SIZE)
  const any = family === 'ipv4' ? '0.0.0.0' : '::'
  const prefix = (type: number, length: number) => {
    if (length > bitsOf(family)) throw new DecodeError('fib_rule_hdr', 1, `prefix length ${length} is too long`)
    const address = attributes.ip(type)
    return address !== undefined || length > 0 ? `${address ?? any}/${length}` : undefined
  }
  const mark = attributes.u32(FRA_FWMARK)
  const suppress = attributes.u32(FRA_SUPPRESS_PREFIXLEN)
  return defined<Rule>({
    family,
    priority: attributes.u32(FRA_PRIORITY) ?? 0,
    action,
    table: action === 'table' ? (attributes.u32(FRA_TABLE) ?? payload[4]!) : undefined,
    source: prefix(FRA_SRC, payload[2]!),
    destination: prefix(FRA_DST, payload[1]!),
    inputLink: attributes.text(FRA_IIFNAME),
    outputLink: attributes.text(FRA_OIFNAME),
    mark,
    mask: mark === undefined ? undefined : attributes.u32(FRA_FWMASK),
    tos: payload[3] || undefined,
    invert: flags & FIB_RULE_INVERT ? true : undefined,
    goto: attributes.u32(FRA_GOTO),
    protocol: attributes.u8(FRA_PROTOCOL) || undefined,
    suppressPrefixLength: suppress === NO_SUPPRESSION ? undefined : suppress,
  })
}

export class LinuxRules implements Rules {
  readonly #socket: () => NetlinkSocket

  constructor(socket: () => NetlinkSocket) {
    this.#socket = socket
  }

  list(family?: Family): Rule[] {
    const families: Family[] = family ? [family] : ['ipv4', 'ipv6']
    return families.flatMap((family) =>
      this.#socket()
        .dump(`list ${family} rules`, encodeListRules(family), ({ payload }) => decodeRule(payload))
        // A kernel without IPv6 answers with all the rules it has.
        .filter((rule) => rule.family === family),
    )
  }

  add(rule: Rule): void {
    this.#socket().request(`add ${describe(rule)}`, encodeRule('add', rule))
  }

  delete(rule: Rule): void {
    this.#socket().request(`delete ${describe(rule)}`, encodeRule('delete', rule))
  }
}

function describe({ family, priority, source, destination }: Rule): string {
  const from = source === undefined ? '' : ` from "${source}"`
  const to = destination === undefined ? '' : ` to "${destination}"`
  return `${family} rule${priority === undefined ? '' : ` ${priority}`}${from}${to}`
}
