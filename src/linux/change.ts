/**
 * What a notification tells: the messages of rtnetlink(7)'s and nf_tables' multicast groups, as far as Change wants to know.
 *
 * A row says for RTM_NEW… and RTM_DEL… of a kind, which follow each other, what it is about and where the link's index
 * stands. Any message gives a Change, or nothing, or a DecodeError.
 */
import type { Change } from '../kernel/live.ts'
import { DecodeError } from '../wire/errors.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { Attributes } from './netlink/attribute.ts'
import { decodeFdbEntry } from './netlink/fdb.ts'
import type { NetlinkMessage } from './netlink/message.ts'
import { decodeNeighbour } from './netlink/neighbour.ts'
import { decodeRoute } from './netlink/route.ts'

type Subject = Change['subject']

const AF_BRIDGE = 7
const RTM_NEWLINK = 16
/** struct ifinfomsg: family (2), type (2), index (4), flags (4), which of them changed (4). */
const IFINFOMSG_SIZE = 16
/** linux/if.h */
const IFF_UP = 1
const IFLA_IFNAME = 3
/** struct rtmsg, and struct fib_rule_hdr. */
const RTMSG_SIZE = 12
const RTA_OIF = 4
const FRA_IIFNAME = 3
const FRA_OIFNAME = 17

/** Bits of sockaddr_nl.nl_groups: RTNLGRP_* and NFNLGRP_*, counted from 1. */
const group = (...numbers: number[]) => numbers.reduce((bits, number) => bits | (1 << (number - 1)), 0)

export const ROUTE_GROUPS: { readonly [S in Exclude<Subject, 'nftables'>]: number } = {
  link: group(1),
  neighbour: group(3),
  fdb: group(3),
  address: group(5, 9),
  route: group(7, 11),
  rule: group(8, 19),
}
export const NFTABLES_GROUP = group(7)

/** NFT_MSG_DEL…: table, chain, rule, set, elements, object, flow table. */
const NFT_DELETIONS = [2, 5, 8, 11, 14, 20, 24]
/** NFT_MSG_NEW…, in the same order. What else comes is the generation and traces. */
const NFT_ADDITIONS = [0, 3, 6, 9, 12, 18, 22]

/** Names of links by index, learnt from what comes by. */
export type LinkNames = Map<number, string>

interface Row {
  readonly subject: (payload: Uint8Array) => Subject
  readonly link: (payload: Uint8Array, names: LinkNames) => string | undefined
  readonly thing?: (payload: Uint8Array, nameOf: (index: number) => string) => Change['thing']
}

const ROWS: Readonly<Record<number, Row>> = {
  16: {
    subject: () => 'link',
    link: (payload, names) => decodeLinkName(payload)?.name ?? names.get(indexAt(payload, 4)),
  },
  20: { subject: () => 'address', link: (payload, names) => names.get(indexAt(payload, 4)) },
  24: {
    subject: () => 'route',
    link: (payload, names) => names.get(new Attributes(payload, RTMSG_SIZE).u32(RTA_OIF) ?? 0),
    thing: (payload, nameOf) => decodeRoute(payload, nameOf),
  },
  28: {
    subject: (payload) => (payload[0] === AF_BRIDGE ? 'fdb' : 'neighbour'),
    link: (payload, names) => names.get(indexAt(payload, 4)),
    thing: (payload, nameOf) =>
      payload[0] === AF_BRIDGE ? decodeFdbEntry(payload, nameOf) : decodeNeighbour(payload, nameOf),
  },
  32: {
    subject: () => 'rule',
    link: (payload) => {
      const attributes = new Attributes(payload, RTMSG_SIZE)
      return attributes.text(FRA_IIFNAME) ?? attributes.text(FRA_OIFNAME)
    },
  },
}

/** Undefined where the message is none of these. Learns the names of links from it. */
export function decodeRouteChange({ type, payload }: NetlinkMessage, names: LinkNames): Change | undefined {
  const row = ROWS[type & ~3]
  if (!row || (type & 3) > 1) return undefined
  const told = type & 1 ? 'delete' : 'new'
  const isLink = (type & ~3) === RTM_NEWLINK
  if (isLink) learn(payload, names)
  const link = row.link(payload, names)
  // A bridge's RTM_DELLINK says that the link is no port of it any more.
  const operation = isLink && payload[0] === AF_BRIDGE ? 'new' : told
  if (isLink && operation === 'delete') names.delete(indexAt(payload, 4))
  const thing = row.thing?.(payload, (index) => names.get(index) ?? `if${index}`)
  const up = isLink && told === 'new' ? { up: (indexAt(payload, 8) & IFF_UP) !== 0 } : undefined
  return { subject: row.subject(payload), operation, link, ...up, ...(thing && { thing }) }
}

/** Undefined where the message tells of no change: the end of a batch, a trace. */
export function decodeNftablesChange({ type }: NetlinkMessage): Change | undefined {
  const message = type & 0xff
  if (NFT_ADDITIONS.includes(message)) return { subject: 'nftables', operation: 'new', link: undefined }
  if (NFT_DELETIONS.includes(message)) return { subject: 'nftables', operation: 'delete', link: undefined }
  return undefined
}

/** Of a message about a link. */
export function decodeLinkName(payload: Uint8Array): { readonly index: number; readonly name: string } | undefined {
  const index = indexAt(payload, 4)
  const name = new Attributes(payload, IFINFOMSG_SIZE).text(IFLA_IFNAME)
  return name === undefined ? undefined : { index, name }
}

function learn(payload: Uint8Array, names: LinkNames): void {
  const link = decodeLinkName(payload)
  if (link) names.set(link.index, link.name)
}

function indexAt(payload: Uint8Array, at: number): number {
  if (payload.length < at + 4) throw new DecodeError('rtnetlink', payload.length, 'the header is cut off')
  return new DataView(payload.buffer, payload.byteOffset).getInt32(at, LITTLE_ENDIAN)
}
