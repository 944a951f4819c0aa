/**
 * Links: `ip link`, `bridge link`. Sources: rtnetlink(7), linux/if_link.h, rtnl_newlink() in net/core/rtnetlink.c.
 *
 * A message is a struct ifinfomsg and attributes:
 *
 *   IFLA_IFNAME, IFLA_MTU, IFLA_MASTER …      what every link has
 *   IFLA_LINKINFO
 *     IFLA_INFO_KIND                          "veth"
 *     IFLA_INFO_DATA                          of this kind: link-kind.ts; for veth:
 *       VETH_INFO_PEER                        the other end: a struct ifinfomsg and attributes again
 *     IFLA_INFO_SLAVE_KIND                    "bridge": the link is a port of one
 *     IFLA_INFO_SLAVE_DATA                    of such a port
 *
 * A link is named by IFLA_IFNAME beside index 0; with an index, the attribute is its new name.
 */
import { sys } from '#sys'
import { formatMac, parseMac } from '../../address/mac.ts'
import { ignoring, isErrno, KernelError } from '../../kernel/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Link, LinkChange, LinkStatistics, Links, NewLink, OperState } from '../../kernel/link.ts'
import { DecodeError } from '../../wire/errors.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'
import { isLinkName } from '../ifreq.ts'
import type { Namespace } from '../netns.ts'
import { addPersistentTun } from '../persistent-tun.ts'
import { Attributes } from './attribute.ts'
import { decodeLinkDetails } from './link-details.ts'
import { getLinkName, requireLinkIndex } from './link-index.ts'
import {
  decodeBridge,
  decodeIpip,
  decodeMacvlan,
  decodePort,
  decodeVlan,
  decodeVxlan,
  encodeBridge,
  encodeKindData,
  encodePort,
  encodeVxlanChange,
  hasKindData,
} from './link-kind.ts'
import { decodeLinkStatistics } from './link-statistics.ts'
import { readMacOrigin } from './mac-origin.ts'
import { MessageWriter, NLM_F_CREATE, NLM_F_EXCL } from './message.ts'
import { findNamespaceName } from './namespace-id.ts'
import type { NetlinkSocket } from './socket.ts'

const RTM_NEWLINK = 16
const RTM_DELLINK = 17
const RTM_GETLINK = 18
/** struct ifinfomsg: family (1), padding (1), type (2), index (4), flags (4), change mask (4). */
const IFINFOMSG_SIZE = 16

const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINK = 5
const IFLA_QDISC = 6
const IFLA_MASTER = 10
const IFLA_TXQLEN = 13
const IFLA_OPERSTATE = 16
const IFLA_LINKINFO = 18
const IFLA_IFALIAS = 20
const IFLA_GROUP = 27
const IFLA_NET_NS_FD = 28
const IFLA_EXT_MASK = 29
const IFLA_LINK_NETNSID = 37
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const IFLA_INFO_SLAVE_KIND = 4
const IFLA_INFO_SLAVE_DATA = 5
const VETH_INFO_PEER = 1
/** Counters are left out of answers: they are a third of their bytes. */
const RTEXT_FILTER_SKIP_STATS = 8

/** IFF_*, linux/if.h. */
const IFF_UP = 0x1
const IFF_LOOPBACK = 0x8
const IFF_PROMISC = 0x100
const IFF_ALLMULTI = 0x200

/** IF_OPER_*, linux/if.h, in the order of their numbers. */
const OPER_STATES: readonly OperState[] = [
  'unknown',
  'notpresent',
  'down',
  'lowerlayerdown',
  'testing',
  'dormant',
  'up',
]

/** What stands in a message as a number and in a NewLink or LinkChange as something else. */
export interface LinkReferences {
  indexOf(name: string): number
  descriptorOf(namespace: Kernel): number
}

/** Asks for one link, by its name or its index. */
export function encodeGetLink(which: string | number, filter = RTEXT_FILTER_SKIP_STATS): Uint8Array {
  const writer = begin(RTM_GETLINK, 0, typeof which === 'number' ? { index: which } : {})
  if (typeof which === 'string') writer.attributeText(IFLA_IFNAME, which)
  return writer.attributeU32(IFLA_EXT_MASK, filter).finish()
}

/** `ip link add`. An alias is no part of it: the kernel takes one only for a link that is there. */
export function encodeNewLink(link: NewLink, { indexOf, descriptorOf }: LinkReferences): Uint8Array {
  const writer = begin(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, link.up ? { flags: IFF_UP, change: IFF_UP } : {})
  writer.attributeText(IFLA_IFNAME, link.name)
  encodeCommon(writer, link)
  if (link.master !== undefined) writer.attributeU32(IFLA_MASTER, indexOf(link.master))
  if ('parent' in link) writer.attributeU32(IFLA_LINK, indexOf(link.parent))
  if ('namespace' in link && link.namespace) writer.attributeU32(IFLA_NET_NS_FD, descriptorOf(link.namespace))
  writer.nested(IFLA_LINKINFO, () => {
    writer.attribute(IFLA_INFO_KIND, sys.encode(link.kind))
    if (link.kind === 'veth') {
      writer.nested(IFLA_INFO_DATA, () => {
        const { peer } = link
        writer.attributeOf(VETH_INFO_PEER, () => {
          encodeHeader(writer, {})
          writer.attributeText(IFLA_IFNAME, peer.name)
          encodeCommon(writer, peer)
          if (peer.namespace) writer.attributeU32(IFLA_NET_NS_FD, descriptorOf(peer.namespace))
        })
      })
    } else if (hasKindData(link)) {
      writer.nested(IFLA_INFO_DATA, () => encodeKindData(writer, link, indexOf))
    }
  })
  return writer.finish()
}

/** `ip link set`. `index` is needed to give a new name and may be left out otherwise; the port's attributes are encodePortChange's. */
export function encodeLinkChange(
  name: string,
  change: LinkChange,
  { indexOf, descriptorOf }: LinkReferences,
): Uint8Array {
  const flag = (value: boolean | undefined, bit: number) => ({
    flags: value ? bit : 0,
    change: value === undefined ? 0 : bit,
  })
  const flags = [
    flag(change.up, IFF_UP),
    flag(change.promiscuous, IFF_PROMISC),
    flag(change.allMulticast, IFF_ALLMULTI),
  ]
  const writer = begin(RTM_NEWLINK, 0, {
    index: change.name === undefined ? 0 : indexOf(name),
    flags: flags.reduce((sum, { flags }) => sum | flags, 0),
    change: flags.reduce((sum, { change }) => sum | change, 0),
  })
  writer.attributeText(IFLA_IFNAME, change.name ?? name)
  encodeCommon(writer, change)
  if (change.alias !== undefined) writer.attribute(IFLA_IFALIAS, sys.encode(change.alias ?? ''))
  if (change.master !== undefined) writer.attributeU32(IFLA_MASTER, change.master === null ? 0 : indexOf(change.master))
  if (change.namespace) writer.attributeU32(IFLA_NET_NS_FD, descriptorOf(change.namespace))
  const { bridge, vxlan } = change
  if (bridge) {
    writer.nested(IFLA_LINKINFO, () => {
      writer.attribute(IFLA_INFO_KIND, sys.encode('bridge'))
      writer.nested(IFLA_INFO_DATA, () => encodeBridge(writer, bridge))
    })
  }
  if (vxlan) {
    writer.nested(IFLA_LINKINFO, () => {
      writer.attribute(IFLA_INFO_KIND, sys.encode('vxlan'))
      writer.nested(IFLA_INFO_DATA, () => encodeVxlanChange(writer, vxlan))
    })
  }
  return writer.finish()
}

/** `ip link set … type bridge_slave`. */
export function encodePortChange(name: string, port: NonNullable<LinkChange['port']>): Uint8Array {
  const writer = begin(RTM_NEWLINK, 0, {}).attributeText(IFLA_IFNAME, name)
  writer.nested(IFLA_LINKINFO, () => {
    writer.attribute(IFLA_INFO_SLAVE_KIND, sys.encode('bridge'))
    writer.nested(IFLA_INFO_SLAVE_DATA, () => encodePort(writer, port))
  })
  return writer.finish()
}

/** `ip link delete`, of one link or of a whole group. */
export function encodeDeleteLink(which: { readonly name: string } | { readonly group: number }): Uint8Array {
  const writer = begin(RTM_DELLINK, 0, {})
  if ('name' in which) writer.attributeText(IFLA_IFNAME, which.name)
  else writer.attributeU32(IFLA_GROUP, which.group)
  return writer.finish()
}

/**
 * The payload of an RTM_NEWLINK. `nameOf` knows the links of the same namespace, `namespaceOf` the names of those that it
 * has numbers for. What few ask for is looked up, or decoded, when it is asked for.
 */
export function decodeLink(
  payload: Uint8Array,
  nameOf: (index: number) => string | undefined,
  namespaceOf: (id: number) => string | undefined = () => undefined,
): Link {
  if (payload.length < IFINFOMSG_SIZE) throw new DecodeError('ifinfomsg', payload.length, 'it is cut off')
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length)
  const index = view.getInt32(4, LITTLE_ENDIAN)
  const flags = view.getUint32(8, LITTLE_ENDIAN)
  const attributes = new Attributes(payload, IFINFOMSG_SIZE)
  const info = attributes.nested(IFLA_LINKINFO)
  const kind = info?.text(IFLA_INFO_KIND) ?? (flags & IFF_LOOPBACK ? 'loopback' : undefined)
  const kindData = info?.nested(IFLA_INFO_DATA)
  const parentNamespaceId = attributes.i32(IFLA_LINK_NETNSID)
  const portData = info?.text(IFLA_INFO_SLAVE_KIND) === 'bridge' ? info.nested(IFLA_INFO_SLAVE_DATA) : undefined
  const name = attributes.text(IFLA_IFNAME) ?? ''
  const mac = formatMac(attributes.bytes(IFLA_ADDRESS) ?? new Uint8Array())
  const of = <T>(wanted: string, decode: (data: Attributes) => T): T | undefined =>
    kind === wanted && kindData ? decode(kindData) : undefined
  return {
    index,
    name,
    kind,
    mac,
    get macOrigin() {
      return readMacOrigin(name, index, mac)
    },
    mtu: attributes.u32(IFLA_MTU) ?? 0,
    up: (flags & IFF_UP) !== 0,
    flags,
    operState: OPER_STATES[attributes.u8(IFLA_OPERSTATE) ?? 0] ?? 'unknown',
    promiscuous: (flags & IFF_PROMISC) !== 0,
    allMulticast: (flags & IFF_ALLMULTI) !== 0,
    master: attributes.u32(IFLA_MASTER) || undefined,
    parent: attributes.u32(IFLA_LINK) || undefined,
    parentNamespaceId,
    get parentNamespace() {
      return parentNamespaceId === undefined ? undefined : namespaceOf(parentNamespaceId)
    },
    alias: attributes.text(IFLA_IFALIAS),
    txQueueLength: attributes.u32(IFLA_TXQLEN) ?? 0,
    qdisc: attributes.text(IFLA_QDISC) ?? '',
    group: attributes.u32(IFLA_GROUP) ?? 0,
    get details() {
      const port = portData ? info!.list(IFLA_INFO_SLAVE_DATA) : []
      return decodeLinkDetails(attributes, kind, info?.list(IFLA_INFO_DATA) ?? [], port)
    },
    bridge: of('bridge', decodeBridge),
    port: portData && decodePort(portData),
    vxlan: of('vxlan', (data) => decodeVxlan(data, nameOf)),
    macvlan: of('macvlan', decodeMacvlan),
    vlan: of('vlan', decodeVlan),
    ipip: of('ipip', (data) => decodeIpip(data, nameOf)),
  }
}

export class LinuxLinks implements Links {
  readonly #socket: () => NetlinkSocket
  readonly #namespace: Namespace
  readonly #descriptorOf: (kernel: Kernel) => number

  constructor(socket: () => NetlinkSocket, namespace: Namespace, descriptorOf: (kernel: Kernel) => number) {
    this.#socket = socket
    this.#namespace = namespace
    this.#descriptorOf = descriptorOf
  }

  get(name: string): Link | undefined {
    // The kernel would call such a name out of range, but it only means that no link has it.
    return isLinkName(name) ? this.#get(`get link "${name}"`, name) : undefined
  }

  getByIndex(index: number): Link | undefined {
    return index > 0 ? this.#get(`get link ${index}`, index) : undefined
  }

  list(): Link[] {
    const socket = this.#socket()
    const message = begin(RTM_GETLINK, 0, {}).attributeU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS).finish()
    return socket.dump('list links', message, ({ payload }) => this.#decode(payload.slice()))
  }

  statistics(name: string): LinkStatistics {
    const call = `read counters of link "${name}"`
    if (!isLinkName(name)) throw new KernelError('ENODEV', call)
    return this.#socket().get(call, encodeGetLink(name, 0), ({ payload }) => decodeLinkStatistics(payload))
  }

  add(link: NewLink): Link {
    const call = `add ${link.kind} link "${link.name}"`
    if (link.kind === 'tun') this.#addTun(link, call)
    else this.#socket().request(call, encodeNewLink(link, this.#references(call)))
    const links = ('namespace' in link && link.namespace?.links) || this
    if (link.alias !== undefined) links.set(link.name, { alias: link.alias })
    const added = links.get(link.name)
    if (!added) throw new KernelError('ENODEV', call, 'somebody deleted it at once')
    return added
  }

  set(name: string, change: LinkChange): void {
    const call = `set link "${name}"`
    const { port, ...rest } = change
    if (!port || Object.keys(rest).length > 0) {
      this.#socket().request(call, encodeLinkChange(name, rest, this.#references(call)))
    }
    // By itself and last: the kernel looks for the link's bridge before it gives it one.
    if (port) this.#socket().request(call, encodePortChange(change.name ?? name, port))
  }

  delete(name: string): void {
    this.#socket().request(`delete link "${name}"`, encodeDeleteLink({ name }))
  }

  deleteGroup(group: number): void {
    if (group === 0) throw new RangeError('Cannot delete link group 0: every link that has no other group is in it')
    const message = encodeDeleteLink({ group })
    ignoring('ENODEV', () => this.#socket().request(`delete link group ${group}`, message)) // an empty group
  }

  #get(call: string, which: string | number): Link | undefined {
    try {
      return this.#socket().get(call, encodeGetLink(which), ({ payload }) => this.#decode(payload.slice()))
    } catch (error) {
      if (isErrno(error, 'ENODEV')) return undefined
      throw error
    }
  }

  #addTun(link: NewLink & { readonly kind: 'tun' }, call: string): void {
    // The kernel says EINVAL or EBUSY of a name that is taken, depending on whose it is.
    if (this.get(link.name)) throw new KernelError('EEXIST', call)
    addPersistentTun(link, this.#namespace, call)
    const { kind: _kind, tun: _tun, name, alias: _alias, ...change } = link
    if (Object.keys(change).length === 0) return
    try {
      this.set(name, change)
    } catch (error) {
      this.delete(name)
      throw error
    }
  }

  /** The payload must be the link's own: some of it is decoded when it is asked for. */
  #decode(payload: Uint8Array): Link {
    return decodeLink(payload, this.#nameOf, (id) => findNamespaceName(this.#socket(), id))
  }

  #nameOf = (index: number): string | undefined => getLinkName(this.#socket().descriptor, index)

  #references(call: string): LinkReferences {
    return {
      indexOf: (name) => requireLinkIndex(this.#socket().descriptor, name, call),
      descriptorOf: this.#descriptorOf,
    }
  }
}

interface Header {
  readonly index?: number
  readonly flags?: number
  /** Which of the flags count. */
  readonly change?: number
}

function begin(type: number, flags: number, header: Header): MessageWriter {
  return encodeHeader(new MessageWriter().message(type, flags), header)
}

function encodeHeader(writer: MessageWriter, { index = 0, flags = 0, change = 0 }: Header): MessageWriter {
  return writer.u8(0).u8(0).u16(0).u32(index).u32(flags).u32(change)
}

function encodeCommon(
  writer: MessageWriter,
  link: { readonly mac?: string; readonly mtu?: number; readonly txQueueLength?: number; readonly group?: number },
): void {
  if (link.mac !== undefined) writer.attribute(IFLA_ADDRESS, parseMac(link.mac))
  if (link.mtu !== undefined) writer.attributeU32(IFLA_MTU, link.mtu)
  if (link.txQueueLength !== undefined) writer.attributeU32(IFLA_TXQLEN, link.txQueueLength)
  if (link.group !== undefined) writer.attributeU32(IFLA_GROUP, link.group)
}
