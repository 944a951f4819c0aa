/** struct xt_conntrack_mtinfo3: linux/netfilter/xt_conntrack.h. */
import { formatIp, type Ip, parseIp } from '../../address/ip.ts'
import { formatPrefix, hostPrefix, maskOf, readPrefix } from '../../address/prefix.ts'
import type { XtConntrackState, XtMatch } from '../../kernel/xtables.ts'
import { type Structure, type StructureCodec, withoutUndefined } from './xt-structure.ts'

type Conntrack = Extract<XtMatch, { readonly match: 'conntrack' | 'state' }>
type Invertible<T> = { readonly value: T; readonly invert: boolean }

/** union nf_inet_addr. */
const INET_ADDRESS = 16

/** XT_CONNTRACK_*: the conditions' bits, and where their values stand. */
const CT_STATE = 1 << 0
const CT_PROTOCOL = 1 << 1
const CT_STATUS = 1 << 6
const CT_DIRECTION = 1 << 12
const CT_STATE_ALIAS = 1 << 13
const CT_ADDRESSES = [
  ['originalSource', 1 << 2, 0],
  ['originalDestination', 1 << 3, 32],
  ['replySource', 1 << 4, 64],
  ['replyDestination', 1 << 5, 96],
] as const
const CT_PORTS = [
  ['originalSourcePort', 1 << 8, 138, 154],
  ['originalDestinationPort', 1 << 9, 140, 156],
  ['replySourcePort', 1 << 10, 142, 158],
  ['replyDestinationPort', 1 << 11, 144, 160],
] as const
/** All but XT_CONNTRACK_EXPIRES. */
const CT_KNOWN = 0x3f7f
const CT_STATES: readonly (readonly [XtConntrackState, number])[] = [
  ['INVALID', 1],
  ['NEW', 8],
  ['RELATED', 4],
  ['ESTABLISHED', 2],
  ['UNTRACKED', 256],
  ['SNAT', 64],
  ['DNAT', 128],
]
const CT_STATUSES = [
  ['EXPECTED', 1],
  ['SEEN_REPLY', 2],
  ['ASSURED', 4],
  ['CONFIRMED', 8],
] as const

export const conntrack: StructureCodec<Conntrack> = {
  revision: 3,
  size: 168,
  write(to, match) {
    const { states, protocol, status, direction } = match
    let flags = match.match === 'state' ? CT_STATE_ALIAS : 0
    let inverted = 0
    const say = (bit: number, condition: Invertible<unknown>) => {
      flags |= bit
      if (condition.invert) inverted |= bit
    }
    if (states) {
      say(CT_STATE, states)
      to.setU16(
        150,
        CT_STATES.reduce((sum, [name, bit]) => (states.value.includes(name) ? sum | bit : sum), 0),
      )
    }
    if (protocol) {
      say(CT_PROTOCOL, protocol)
      to.setU16(136, protocol.value)
    }
    for (const [field, bit, at] of CT_ADDRESSES) {
      const condition = match[field]
      if (!condition) continue
      say(bit, condition)
      const { address, mask } = readNetwork(condition.value)
      to.setBytes(at, address).setBytes(at + INET_ADDRESS, mask)
    }
    for (const [field, bit, low, high] of CT_PORTS) {
      const condition = match[field]
      if (!condition) continue
      say(bit, condition)
      to.setU16(low, condition.value.from).setU16(high, condition.value.to)
    }
    if (status) {
      say(CT_STATUS, status)
      to.setU16(
        152,
        CT_STATUSES.reduce((sum, [name, bit]) => (status.value.includes(name) ? sum | bit : sum), 0),
      )
    }
    if (direction) say(CT_DIRECTION, { value: direction, invert: direction === 'REPLY' })
    to.setU16(146, flags).setU16(148, inverted)
  },
  read(from, family) {
    const flags = from.u16(146)
    const inverted = from.u16(148)
    if (flags & ~CT_KNOWN) return undefined
    const told = <T>(bit: number, read: () => T): Invertible<T> | undefined =>
      flags & bit ? { value: read(), invert: (inverted & bit) !== 0 } : undefined
    const found: Record<string, unknown> = {
      states: told(CT_STATE, () => CT_STATES.filter(([, bit]) => from.u16(150) & bit).map(([name]) => name)),
      protocol: told(CT_PROTOCOL, () => from.u16(136)),
      status: told(CT_STATUS, () => {
        const statuses = CT_STATUSES.filter(([, bit]) => from.u16(152) & bit).map(([name]) => name)
        return statuses.length === 0 ? ['NONE'] : statuses
      }),
      direction: flags & CT_DIRECTION ? (inverted & CT_DIRECTION ? 'REPLY' : 'ORIGINAL') : undefined,
    }
    for (const [field, bit, at] of CT_ADDRESSES) {
      const text = flags & bit ? formatNetwork(from, at, family === 'ip6' ? 16 : 4) : ''
      if (text === undefined) return undefined
      found[field] = told(bit, () => text)
    }
    for (const [field, bit, low, high] of CT_PORTS) {
      found[field] = told(bit, () => ({ from: from.u16(low), to: from.u16(high) }))
    }
    const isState = flags === (CT_STATE | CT_STATE_ALIAS)
    return { match: isState ? 'state' : 'conntrack', ...withoutUndefined(found) } as Conntrack
  },
}

/** A whole address has a mask of ones to the end of the union, as iptables fills it. */
function readNetwork(text: string): { readonly address: Ip; readonly mask: Ip } {
  const prefix = readPrefix(text)
  if (!prefix) return { address: parseIp(text), mask: new Uint8Array(INET_ADDRESS).fill(0xff) }
  return { address: prefix.address, mask: maskOf(prefix) }
}

/** Undefined where the mask's ones are not all at its start. */
function formatNetwork(from: Structure, at: number, addressLength: number): string | undefined {
  const address = from.bytes.slice(at, at + addressLength)
  const mask = from.bytes.subarray(at + INET_ADDRESS, at + INET_ADDRESS + addressLength)
  const whole = hostPrefix(address)
  for (let length = whole.length; length >= 0; length--) {
    if (!maskOf({ address, length }).every((byte, i) => byte === mask[i])) continue
    return length === whole.length ? formatIp(address) : formatPrefix({ address, length })
  }
  return undefined
}
