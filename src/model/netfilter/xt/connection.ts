/** `conntrack`, `state`, `connmark`. Source: net/netfilter/xt_conntrack.c, xt_state.c, xt_connmark.c. */
import { readIp } from '../../../address/ip.ts'
import type { XtConntrackState, XtMatch, XtRange } from '../../../kernel/xtables.ts'
import { u32 } from '../../bytes.ts'
import { type Connection, directionOf, Status } from '../conntrack/connection.ts'
import type { Address } from '../conntrack/tuple.ts'
import { StateBit, stateBit } from '../vm/ct.ts'
import type { Operation } from '../vm/machine.ts'
import { refusal } from '../vm/refusal.ts'
import { BREAK, CONTINUE } from '../vm/verdict.ts'

type Of<M extends XtMatch['match']> = Extract<XtMatch, { match: M }>
type Conntrack = Of<'conntrack' | 'state'>
type Condition = (connection: Connection, info: number) => boolean

/** XT_CONNTRACK_STATE_SNAT and …_DNAT have bits of their own. */
const STATES: { readonly [S in XtConntrackState]: number } = {
  INVALID: StateBit.invalid,
  ESTABLISHED: StateBit.established,
  RELATED: StateBit.related,
  NEW: StateBit.new,
  UNTRACKED: StateBit.untracked,
  SNAT: 1 << 7,
  DNAT: 1 << 8,
}

const STATUSES = {
  NONE: 0,
  EXPECTED: Status.expected,
  SEEN_REPLY: Status.seenReply,
  ASSURED: Status.assured,
  CONFIRMED: Status.confirmed,
} as const

export function conntrackMatch(match: Conntrack): Operation {
  const { states } = match
  const wanted = states?.value.reduce((bits, state) => bits | STATES[state], 0) ?? 0
  const conditions = conditionsOf(match)
  return ({ packet: { connection, connectionInfo, untracked } }) => {
    if (states) {
      const bits = stateBit(connection, connectionInfo, untracked) | translationBits(connection)
      if (((bits & wanted) !== 0) === states.invert) return BREAK
    }
    // Without a connection the state is all there is to ask for.
    if (connection === undefined) return states ? CONTINUE : BREAK
    for (let i = 0; i < conditions.length; i++) if (!conditions[i]!(connection, connectionInfo)) return BREAK
    return CONTINUE
  }
}

export function connmarkMatch({ mark, mask, invert }: Of<'mark' | 'connmark'>): Operation {
  return ({ packet: { connection } }) =>
    connection !== undefined && ((connection.mark & mask) >>> 0 === mark) !== invert ? CONTINUE : BREAK
}

function translationBits(connection: Connection | undefined): number {
  if (connection === undefined) return 0
  const { status } = connection
  return (status & Status.sourceNat ? STATES.SNAT : 0) | (status & Status.destinationNat ? STATES.DNAT : 0)
}

/** In the order of conntrack_mt. */
function conditionsOf(match: Conntrack): Condition[] {
  const { direction, protocol, status } = match
  const conditions: (Condition | undefined)[] = [
    direction && ((_connection, info) => (directionOf(info) === 0) === (direction === 'ORIGINAL')),
    address(match.originalSource, ({ original }) => original.source),
    address(match.originalDestination, ({ original }) => original.destination),
    address(match.replySource, ({ reply }) => reply.source),
    address(match.replyDestination, ({ reply }) => reply.destination),
    protocol && (({ original }) => (original.protocol === protocol.value) !== protocol.invert),
    port(match.originalSourcePort, ({ original }) => original.sourcePart),
    port(match.originalDestinationPort, ({ original }) => original.destinationPart),
    port(match.replySourcePort, ({ reply }) => reply.sourcePart),
    port(match.replyDestinationPort, ({ reply }) => reply.destinationPart),
    status && statusCondition(status),
  ]
  return conditions.filter((condition) => condition !== undefined)
}

function statusCondition({ value, invert }: NonNullable<Conntrack['status']>): Condition {
  const wanted = value.reduce((bits, name) => bits | STATUSES[name], 0)
  return ({ status }) => ((status & wanted) !== 0) !== invert
}

function port(
  wanted: { readonly value: XtRange; readonly invert: boolean } | undefined,
  of: (connection: Connection) => number,
): Condition | undefined {
  if (!wanted) return undefined
  const { value, invert } = wanted
  return (connection) => {
    const seen = of(connection)
    return (seen >= value.from && seen <= value.to) !== invert
  }
}

/** An address, or one with the length of its prefix or its mask behind a slash. */
function address(
  wanted: { readonly value: string; readonly invert: boolean } | undefined,
  of: (connection: Connection) => Address,
): Condition | undefined {
  if (!wanted) return undefined
  const { value, mask } = readMasked(wanted.value)
  const bytes = new Uint8Array(16)
  return (connection) => {
    const seen = of(connection)
    if ((typeof seen === 'number' ? 4 : 16) !== value.length) return wanted.invert
    if (typeof seen === 'number') return (((seen ^ u32(value, 0)) & u32(mask, 0)) === 0) !== wanted.invert
    bytes.set(seen)
    return value.every((byte, i) => ((bytes[i]! ^ byte) & mask[i]!) === 0) !== wanted.invert
  }
}

function readMasked(text: string): { readonly value: Uint8Array; readonly mask: Uint8Array } {
  const [host = '', suffix] = text.split('/')
  const value = readIp(host)
  if (!value) throw refusal('EINVAL', `"${text}" is no address`)
  if (suffix === undefined) return { value, mask: new Uint8Array(value.length).fill(0xff) }
  const mask = readIp(suffix)
  if (mask) return { value, mask }
  const length = Number(suffix)
  const bits = (i: number) => 0xff & ~(0xff >> Math.min(8, Math.max(0, length - 8 * i)))
  return { value, mask: value.map((_byte, i) => bits(i)) }
}
