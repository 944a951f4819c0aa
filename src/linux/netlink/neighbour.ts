/** Neighbours, that is ARP and NDP entries: `ip neigh`. Sources: linux/neighbour.h, net/core/neighbour.c. */
import { type Family, familyOf, parseIp } from '../../address/ip.ts'
import { formatMac, parseMac } from '../../address/mac.ts'
import type { Neighbour, NeighbourState, Neighbours } from '../../kernel/neighbour.ts'
import { DecodeError } from '../../wire/errors.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'
import { Attributes } from './attribute.ts'
import { AF_UNSPEC, familyFrom, familyNumber } from './family.ts'
import { linkNames, requireLinkIndex } from './link-index.ts'
import { MessageWriter, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './message.ts'
import type { NetlinkSocket } from './socket.ts'

export const RTM_NEWNEIGH = 28
export const RTM_DELNEIGH = 29
export const RTM_GETNEIGH = 30
/** struct ndmsg: family (1), padding (3), index (4), state (2), flags (1), type (1). */
const NDMSG_SIZE = 12

const NDA_DST = 1
const NDA_LLADDR = 2
const NDA_IFINDEX = 8
const NDA_PROTOCOL = 12
const NTF_PROXY = 0x08
const NTF_ROUTER = 0x80

/** NUD_*. */
export const NeighbourStateNumber = {
  none: 0,
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} as const satisfies Record<NeighbourState, number>

/** What struct ndmsg says; the same for a neighbour and for an entry of a forwarding database. */
export interface NeighbourHeader {
  readonly family: number
  readonly index: number
  readonly state: number
  readonly flags: number
}

export function encodeNeighbourHeader(type: number, messageFlags: number, header: NeighbourHeader): MessageWriter {
  const { family, index, state, flags } = header
  return new MessageWriter().message(type, messageFlags).u8(family).u8(0).u16(0).u32(index).u16(state).u8(flags).u8(0)
}

export function decodeNeighbourHeader(payload: Uint8Array): NeighbourHeader & { readonly attributes: Attributes } {
  if (payload.length < NDMSG_SIZE) throw new DecodeError('ndmsg', payload.length, 'it is cut off')
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  return {
    family: payload[0]!,
    index: view.getUint32(4, LITTLE_ENDIAN),
    state: view.getUint16(8, LITTLE_ENDIAN),
    flags: payload[10]!,
    attributes: new Attributes(payload, NDMSG_SIZE),
  }
}

/** `ip neigh add`, `replace` or `delete`. */
export function encodeNeighbour(
  operation: 'add' | 'replace' | 'delete',
  neighbour: Neighbour,
  index: number,
): Uint8Array {
  const address = parseIp(neighbour.address)
  const { type, flags } = OPERATIONS[operation]
  const writer = encodeNeighbourHeader(type, flags, {
    family: familyNumber(familyOf(address)),
    index,
    state: NeighbourStateNumber[neighbour.state ?? 'permanent'],
    flags: (neighbour.proxy ? NTF_PROXY : 0) | (neighbour.router ? NTF_ROUTER : 0),
  })
  writer.attribute(NDA_DST, address)
  if (neighbour.mac !== undefined) writer.attribute(NDA_LLADDR, parseMac(neighbour.mac))
  if (neighbour.protocol !== undefined) writer.attributeU8(NDA_PROTOCOL, neighbour.protocol)
  return writer.finish()
}

/** Index 0 means all links. Proxy entries are a table of their own, listed apart. */
export function encodeListNeighbours(family: Family | undefined, index: number, proxy: boolean): Uint8Array {
  const writer = encodeNeighbourHeader(RTM_GETNEIGH, 0, {
    family: family ? familyNumber(family) : AF_UNSPEC,
    index: 0,
    state: 0,
    flags: proxy ? NTF_PROXY : 0,
  })
  if (index > 0) writer.attributeU32(NDA_IFINDEX, index)
  return writer.finish()
}

/** The payload of an RTM_NEWNEIGH; undefined for what is no IP neighbour. */
export function decodeNeighbour(payload: Uint8Array, nameOf: (index: number) => string): Neighbour | undefined {
  const { family, index, state, flags, attributes } = decodeNeighbourHeader(payload)
  const address = attributes.ip(NDA_DST)
  if (!familyFrom(family) || address === undefined) return undefined
  const mac = attributes.bytes(NDA_LLADDR)
  const protocol = attributes.u8(NDA_PROTOCOL)
  return {
    link: nameOf(index),
    address,
    ...(mac && mac.length > 0 && { mac: formatMac(mac) }),
    state: STATES[state] ?? 'none',
    ...(flags & NTF_ROUTER && { router: true }),
    ...(flags & NTF_PROXY && { proxy: true }),
    ...(protocol && { protocol }),
  }
}

export class LinuxNeighbours implements Neighbours {
  readonly #socket: () => NetlinkSocket

  constructor(socket: () => NetlinkSocket) {
    this.#socket = socket
  }

  list(filter: { readonly link?: string; readonly family?: Family; readonly proxy?: boolean } = {}): Neighbour[] {
    const { link, family, proxy = false } = filter
    const call = link === undefined ? 'list neighbours' : `list neighbours of "${link}"`
    const socket = this.#socket()
    const index = link === undefined ? 0 : requireLinkIndex(socket.descriptor, link, call)
    const nameOf = linkNames(socket.descriptor)
    return socket
      .dump(call, encodeListNeighbours(family, index, proxy), ({ payload }) => decodeNeighbour(payload, nameOf))
      .filter((neighbour) => link === undefined || neighbour.link === link)
  }

  add(neighbour: Neighbour): void {
    this.#change('add', neighbour)
  }

  replace(neighbour: Neighbour): void {
    this.#change('replace', neighbour)
  }

  delete(neighbour: Pick<Neighbour, 'link' | 'address' | 'proxy'>): void {
    this.#change('delete', neighbour)
  }

  #change(operation: 'add' | 'replace' | 'delete', neighbour: Neighbour): void {
    const call = `${operation} neighbour "${neighbour.address}" on "${neighbour.link}"`
    const socket = this.#socket()
    const index = requireLinkIndex(socket.descriptor, neighbour.link, call)
    socket.request(call, encodeNeighbour(operation, neighbour, index))
  }
}

const OPERATIONS = {
  add: { type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_EXCL },
  replace: { type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_REPLACE },
  delete: { type: RTM_DELNEIGH, flags: 0 },
} as const

const STATES: Readonly<Record<number, NeighbourState>> = Object.fromEntries(
  Object.entries(NeighbourStateNumber).map(([state, number]) => [number, state as NeighbourState]),
)
