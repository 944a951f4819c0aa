/**
 * Forwarding databases: `bridge fdb`. Source: linux/neighbour.h.
 *
 * The kernel keeps them in the shape of neighbours, of family AF_BRIDGE: which port, and for vxlan which remote VTEP, a MAC
 * is behind.
 */
import { parseIp } from '../../address/ip.ts'
import { formatMac, parseMac } from '../../address/mac.ts'
import type { Fdb, FdbEntry } from '../../kernel/neighbour.ts'
import { AF_BRIDGE } from './family.ts'
import { linkNames, requireLinkIndex } from './link-index.ts'
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './message.ts'
import {
  decodeNeighbourHeader,
  encodeNeighbourHeader,
  NeighbourStateNumber,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
} from './neighbour.ts'
import type { NetlinkSocket } from './socket.ts'

const NDA_DST = 1
const NDA_LLADDR = 2
const NDA_VLAN = 5
const NDA_PORT = 6
const NDA_VNI = 7
const NDA_IFINDEX = 8
const NTF_SELF = 0x02
const NTF_MASTER = 0x04
const NTF_EXT_LEARNED = 0x10

/** As bridge(8) says them. vxlan wants NUD_REACHABLE of what is not permanent; a bridge looks at NUD_NOARP first. */
const STATES = {
  permanent: NeighbourStateNumber.permanent | NeighbourStateNumber.noarp,
  static: NeighbourStateNumber.noarp | NeighbourStateNumber.reachable,
  dynamic: NeighbourStateNumber.reachable,
} as const

const OPERATIONS = {
  add: { type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_EXCL },
  append: { type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_APPEND },
  replace: { type: RTM_NEWNEIGH, flags: NLM_F_CREATE | NLM_F_REPLACE },
  delete: { type: RTM_DELNEIGH, flags: 0 },
} as const

/** `bridge fdb add`, `append`, `replace` or `delete`. */
export function encodeFdbEntry(
  operation: keyof typeof OPERATIONS,
  entry: FdbEntry,
  index: number,
  viaIndex?: number,
): Uint8Array {
  const { type, flags } = OPERATIONS[operation]
  const writer = encodeNeighbourHeader(type, flags, {
    family: AF_BRIDGE,
    index,
    state: STATES[entry.state ?? 'permanent'],
    flags: entry.owner === 'self' ? NTF_SELF : NTF_MASTER,
  })
  writer.attribute(NDA_LLADDR, parseMac(entry.mac))
  if (entry.destination !== undefined) writer.attribute(NDA_DST, parseIp(entry.destination))
  if (entry.vlan !== undefined) writer.attributeU16(NDA_VLAN, entry.vlan)
  if (entry.port !== undefined) writer.attributeU16be(NDA_PORT, entry.port)
  if (entry.vni !== undefined) writer.attributeU32(NDA_VNI, entry.vni)
  if (viaIndex !== undefined) writer.attributeU32(NDA_IFINDEX, viaIndex)
  return writer.finish()
}

/** Index 0 means all links. */
export function encodeListFdb(index: number): Uint8Array {
  return encodeNeighbourHeader(RTM_GETNEIGH, 0, { family: AF_BRIDGE, index, state: 0, flags: 0 }).finish()
}

/** The payload of an RTM_NEWNEIGH; undefined for what is no entry of a forwarding database. */
export function decodeFdbEntry(payload: Uint8Array, nameOf: (index: number) => string): FdbEntry | undefined {
  const { family, index, state, flags, attributes } = decodeNeighbourHeader(payload)
  const mac = attributes.bytes(NDA_LLADDR)
  if (family !== AF_BRIDGE || !mac) return undefined
  const destination = attributes.ip(NDA_DST)
  const vlan = attributes.u16(NDA_VLAN)
  const port = attributes.u16be(NDA_PORT)
  const vni = attributes.u32(NDA_VNI)
  const via = attributes.u32(NDA_IFINDEX)
  const named = stateOf(state)
  return {
    link: nameOf(index),
    mac: formatMac(mac),
    owner: flags & NTF_SELF ? 'self' : 'master',
    state: named,
    ...(destination !== undefined && { destination }),
    ...(vlan !== undefined && { vlan }),
    ...(port !== undefined && { port }),
    ...(vni !== undefined && { vni }),
    ...(via && { via: nameOf(via) }),
    ...(named === 'dynamic' && !(flags & NTF_EXT_LEARNED) && { learnt: true }),
    ...(named === 'dynamic' && state & NeighbourStateNumber.stale && { stale: true }),
  }
}

export class LinuxFdb implements Fdb {
  readonly #socket: () => NetlinkSocket

  constructor(socket: () => NetlinkSocket) {
    this.#socket = socket
  }

  list(filter: { readonly link?: string } = {}): FdbEntry[] {
    const { link } = filter
    const call = link === undefined ? 'list forwarding databases' : `list forwarding database of "${link}"`
    const socket = this.#socket()
    const index = link === undefined ? 0 : requireLinkIndex(socket.descriptor, link, call)
    const nameOf = linkNames(socket.descriptor)
    return socket
      .dump(call, encodeListFdb(index), ({ payload }) => decodeFdbEntry(payload, nameOf))
      .filter((entry) => link === undefined || entry.link === link)
  }

  add(entry: FdbEntry): void {
    this.#change('add', entry)
  }

  append(entry: FdbEntry): void {
    this.#change('append', entry)
  }

  replace(entry: FdbEntry): void {
    this.#change('replace', entry)
  }

  delete(entry: Pick<FdbEntry, 'link' | 'mac' | 'owner' | 'destination' | 'vlan'>): void {
    this.#change('delete', entry)
  }

  #change(operation: keyof typeof OPERATIONS, entry: FdbEntry): void {
    const call = `${operation} forwarding entry "${entry.mac}" of "${entry.link}"`
    const socket = this.#socket()
    const index = requireLinkIndex(socket.descriptor, entry.link, call)
    const via = entry.via === undefined ? undefined : requireLinkIndex(socket.descriptor, entry.via, call)
    socket.request(call, encodeFdbEntry(operation, entry, index, via))
  }
}

function stateOf(state: number): NonNullable<FdbEntry['state']> {
  if (state & NeighbourStateNumber.permanent) return 'permanent'
  return state & NeighbourStateNumber.noarp ? 'static' : 'dynamic'
}
