/**
 * Connections over nfnetlink: linux/netfilter/nfnetlink_conntrack.h.
 *
 *   CTA_TUPLE_ORIG, CTA_TUPLE_REPLY    CTA_STATUS  CTA_TIMEOUT  CTA_MARK  CTA_ZONE    CTA_PROTOINFO
 *     CTA_TUPLE_IP   CTA_TUPLE_PROTO                                                    CTA_PROTOINFO_TCP
 *       addresses      number, ports or ICMP's identifier, type, code                     state
 */
import { type Family, parseIp } from '../../address/ip.ts'
import {
  type Conntrack,
  type ConntrackEntry,
  type ConntrackTuple,
  TCP_CONNTRACK_STATES,
} from '../../kernel/conntrack.ts'
import { DecodeError } from '../../wire/errors.ts'
import { Attributes } from '../netlink/attribute.ts'
import { MessageWriter } from '../netlink/message.ts'
import type { NetlinkSocket } from '../netlink/socket.ts'
import { NFGENMSG_SIZE } from './header.ts'

const NFNL_SUBSYS_CTNETLINK = 1
const IPCTNL_MSG_CT_GET = 1
const IPCTNL_MSG_CT_DELETE = 2

const CTA_TUPLE_ORIG = 1
const CTA_TUPLE_REPLY = 2
const CTA_STATUS = 3
const CTA_PROTOINFO = 4
const CTA_TIMEOUT = 7
const CTA_MARK = 8
const CTA_ZONE = 18

const CTA_TUPLE_IP = 1
const CTA_TUPLE_PROTO = 2
const CTA_IP_V4_SRC = 1
const CTA_IP_V4_DST = 2
const CTA_IP_V6_SRC = 3
const CTA_IP_V6_DST = 4
const CTA_PROTO_NUM = 1
const CTA_PROTO_SRC_PORT = 2
const CTA_PROTO_DST_PORT = 3
/** Of ICMP and of ICMPv6: identifier, type, code. */
const CTA_PROTO_ICMP = { id: 4, type: 5, code: 6 } as const
const CTA_PROTO_ICMPV6 = { id: 7, type: 8, code: 9 } as const

const CTA_PROTOINFO_TCP = 1
const CTA_PROTOINFO_TCP_STATE = 1

const IPS_SEEN_REPLY = 1 << 1
const IPS_ASSURED = 1 << 2

/** NFPROTO_*, linux/netfilter.h. */
const FAMILIES: Readonly<Record<Family, number>> = { ipv4: 2, ipv6: 10 }

export class LinuxConntrack implements Conntrack {
  readonly #socket: () => NetlinkSocket

  constructor(socket: () => NetlinkSocket) {
    this.#socket = socket
  }

  list({ family, protocol }: Parameters<Conntrack['list']>[0] = {}): ConntrackEntry[] {
    const message = conntrackMessage(IPCTNL_MSG_CT_GET, family).finish()
    const entries = this.#socket().dump('list connections', message, ({ payload }) => decodeConnection(payload))
    return protocol === undefined ? entries : entries.filter((entry) => entry.protocol === protocol)
  }

  flush(): void {
    this.#socket().request('flush connections', conntrackMessage(IPCTNL_MSG_CT_DELETE).finish())
  }

  delete({ family, protocol, original }: Parameters<Conntrack['delete']>[0]): void {
    const call = `delete the connection from "${original.source}" to "${original.destination}"`
    const message = conntrackMessage(IPCTNL_MSG_CT_DELETE, family)
    encodeTuple(message, CTA_TUPLE_ORIG, family, protocol, original)
    this.#socket().request(call, message.finish())
  }
}

function conntrackMessage(type: number, family?: Family): MessageWriter {
  return new MessageWriter()
    .message((NFNL_SUBSYS_CTNETLINK << 8) | type, 0)
    .u8(family === undefined ? 0 : FAMILIES[family])
    .u8(0)
    .u16be(0)
}

function encodeTuple(
  message: MessageWriter,
  type: number,
  family: Family,
  protocol: number,
  { source, destination, sourcePort, destinationPort, icmpId, icmpType, icmpCode }: ConntrackTuple,
): void {
  const [from, to] = family === 'ipv4' ? [CTA_IP_V4_SRC, CTA_IP_V4_DST] : [CTA_IP_V6_SRC, CTA_IP_V6_DST]
  const icmp = family === 'ipv4' ? CTA_PROTO_ICMP : CTA_PROTO_ICMPV6
  message.nested(type, () => {
    message.nested(CTA_TUPLE_IP, () => message.attribute(from, parseIp(source)).attribute(to, parseIp(destination)))
    message.nested(CTA_TUPLE_PROTO, () => {
      message.attributeU8(CTA_PROTO_NUM, protocol)
      if (sourcePort !== undefined) message.attributeU16be(CTA_PROTO_SRC_PORT, sourcePort)
      if (destinationPort !== undefined) message.attributeU16be(CTA_PROTO_DST_PORT, destinationPort)
      if (icmpId !== undefined) message.attributeU16be(icmp.id, icmpId)
      if (icmpType !== undefined) message.attributeU8(icmp.type, icmpType)
      if (icmpCode !== undefined) message.attributeU8(icmp.code, icmpCode)
    })
  })
}

/** Of an IPCTNL_MSG_CT_NEW; undefined for a family that is neither IPv4 nor IPv6. DecodeError when it is cut off. */
export function decodeConnection(payload: Uint8Array): ConntrackEntry | undefined {
  if (payload.length < NFGENMSG_SIZE) throw new DecodeError('conntrack', payload.length, 'the header is cut off')
  const family = payload[0] === FAMILIES.ipv4 ? 'ipv4' : payload[0] === FAMILIES.ipv6 ? 'ipv6' : undefined
  if (family === undefined) return undefined
  const attributes = new Attributes(payload, NFGENMSG_SIZE)
  const original = decodeTuple(attributes, CTA_TUPLE_ORIG, family)
  const reply = decodeTuple(attributes, CTA_TUPLE_REPLY, family)
  const status = attributes.u32be(CTA_STATUS) ?? 0
  const tcp = attributes.nested(CTA_PROTOINFO)?.nested(CTA_PROTOINFO_TCP)
  const state = tcp && TCP_CONNTRACK_STATES[tcp.u8(CTA_PROTOINFO_TCP_STATE) ?? 0]
  const zone = attributes.u16be(CTA_ZONE)
  return {
    family,
    protocol: original.protocol,
    original: original.tuple,
    reply: reply.tuple,
    ...(state !== undefined && { state }),
    timeout: attributes.u32be(CTA_TIMEOUT) ?? 0,
    mark: attributes.u32be(CTA_MARK) ?? 0,
    seenReply: (status & IPS_SEEN_REPLY) !== 0,
    assured: (status & IPS_ASSURED) !== 0,
    ...(zone !== undefined && zone !== 0 && { zone }),
  }
}

function decodeTuple(
  attributes: Attributes,
  type: number,
  family: Family,
): { readonly protocol: number; readonly tuple: ConntrackTuple } {
  const tuple = attributes.nested(type)
  const addresses = tuple?.nested(CTA_TUPLE_IP)
  const parts = tuple?.nested(CTA_TUPLE_PROTO)
  const [from, to] = family === 'ipv4' ? [CTA_IP_V4_SRC, CTA_IP_V4_DST] : [CTA_IP_V6_SRC, CTA_IP_V6_DST]
  const source = addresses?.ip(from)
  const destination = addresses?.ip(to)
  const protocol = parts?.u8(CTA_PROTO_NUM)
  if (source === undefined || destination === undefined || protocol === undefined)
    throw new DecodeError('conntrack', 0, 'a tuple lacks its addresses or its protocol')
  const icmp = family === 'ipv4' ? CTA_PROTO_ICMP : CTA_PROTO_ICMPV6
  const sourcePort = parts?.u16be(CTA_PROTO_SRC_PORT)
  const destinationPort = parts?.u16be(CTA_PROTO_DST_PORT)
  const icmpId = parts?.u16be(icmp.id)
  const icmpType = parts?.u8(icmp.type)
  const icmpCode = parts?.u8(icmp.code)
  return {
    protocol,
    tuple: {
      source,
      destination,
      ...(sourcePort !== undefined && { sourcePort }),
      ...(destinationPort !== undefined && { destinationPort }),
      ...(icmpType !== undefined && { icmpType }),
      ...(icmpCode !== undefined && { icmpCode }),
      ...(icmpId !== undefined && { icmpId }),
    },
  }
}
