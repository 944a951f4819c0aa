/**
 * Addresses: `ip address`. Sources: rtnetlink(7), linux/if_addr.h, net/ipv4/devinet.c, net/ipv6/addrconf.c.
 *
 * IFA_LOCAL is the link's own address and IFA_ADDRESS the other end's, of a point-to-point link; elsewhere both are the
 * same, and IPv6 then sends IFA_ADDRESS alone.
 */
import { familyOf, formatIp, parseIp } from '../../address/ip.ts'
import { IPV4_LENGTH } from '../../address/ipv4.ts'
import { formatPrefix, lastOf, type Prefix, parsePrefix } from '../../address/prefix.ts'
import type { Address, Addresses, NewAddress, Scope } from '../../kernel/address.ts'
import { isErrno } from '../../kernel/errors.ts'
import { DecodeError } from '../../wire/errors.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'
import { Attributes } from './attribute.ts'
import { AF_UNSPEC, familyFrom, familyNumber } from './family.ts'
import { linkNames, requireLinkIndex } from './link-index.ts'
import { MessageWriter, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE } from './message.ts'
import { scopeNumber, scopeOf } from './scope.ts'
import type { NetlinkSocket } from './socket.ts'

const RTM_NEWADDR = 20
const RTM_DELADDR = 21
const RTM_GETADDR = 22
/** struct ifaddrmsg: family (1), prefix length (1), flags (1), scope (1), index (4). */
const IFADDRMSG_SIZE = 8

const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_LABEL = 3
const IFA_BROADCAST = 4
const IFA_CACHEINFO = 6
const IFA_FLAGS = 8
const IFA_PROTO = 11

const IFA_F_SECONDARY = 0x01
const IFA_F_NODAD = 0x02
const IFA_F_DADFAILED = 0x08
const IFA_F_TENTATIVE = 0x40
const IFA_F_PERMANENT = 0x80
const IFA_F_NOPREFIXROUTE = 0x200

/** INFINITY_LIFE_TIME. */
const FOREVER = 0xffff_ffff

/** RFC 3021: a /31 has no broadcast address, and a /32 has nobody to broadcast to. */
const LONGEST_BROADCAST_PREFIX = 30
const LOOPBACK_NETWORK = 127

/** `ip address add` or `replace`. */
export function encodeNewAddress(address: NewAddress, index: number, operation: 'add' | 'replace'): Uint8Array {
  const local = parsePrefix(address.prefix)
  const flags = (address.noDad ? IFA_F_NODAD : 0) | (address.noPrefixRoute ? IFA_F_NOPREFIXROUTE : 0)
  const create = NLM_F_CREATE | (operation === 'add' ? NLM_F_EXCL : NLM_F_REPLACE)
  const writer = encodeHeader(RTM_NEWADDR, create, local, flags, address.scope ?? defaultScope(local), index)
  encodeEnds(writer, local, address.peer)
  const broadcast = broadcastOf(address, local)
  if (broadcast) writer.attribute(IFA_BROADCAST, broadcast)
  if (address.label !== undefined) writer.attributeText(IFA_LABEL, address.label)
  const { validLifetime, preferredLifetime } = address
  if (validLifetime !== undefined || preferredLifetime !== undefined) {
    // struct ifa_cacheinfo: preferred, valid, created, updated.
    writer.attributeOf(IFA_CACHEINFO, () => {
      writer.u32(secondsOf(preferredLifetime)).u32(secondsOf(validLifetime)).u32(0).u32(0)
    })
  }
  if (flags > 0xff) writer.attributeU32(IFA_FLAGS, flags) // more than the header has room for
  return writer.finish()
}

/** `ip address delete`. */
export function encodeDeleteAddress(prefix: string, peer: string | undefined, index: number): Uint8Array {
  const local = parsePrefix(prefix)
  return encodeEnds(encodeHeader(RTM_DELADDR, 0, local, 0, 'global', index), local, peer).finish()
}

export function encodeListAddresses(index: number): Uint8Array {
  return new MessageWriter().message(RTM_GETADDR, 0).u8(AF_UNSPEC).u8(0).u8(0).u8(0).u32(index).finish()
}

/** The payload of an RTM_NEWADDR; undefined for a family that is not IP's. */
export function decodeAddress(payload: Uint8Array, nameOf: (index: number) => string): Address | undefined {
  if (payload.length < IFADDRMSG_SIZE) throw new DecodeError('ifaddrmsg', payload.length, 'it is cut off')
  const family = familyFrom(payload[0]!)
  const attributes = new Attributes(payload, IFADDRMSG_SIZE)
  const address = attributes.ip(IFA_ADDRESS)
  const local = attributes.ip(IFA_LOCAL) ?? address
  if (!family || local === undefined) return undefined
  const flags = attributes.u32(IFA_FLAGS) ?? payload[2]!
  const lifetimes = attributes.bytes(IFA_CACHEINFO)
  return {
    prefix: `${local}/${payload[1]}`,
    link: nameOf(new DataView(payload.buffer, payload.byteOffset).getUint32(4, LITTLE_ENDIAN)),
    scope: scopeOf(payload[3]!),
    peer: address === local ? undefined : address,
    broadcast: attributes.ip(IFA_BROADCAST),
    label: attributes.text(IFA_LABEL),
    permanent: (flags & IFA_F_PERMANENT) !== 0,
    // The same bit is IFA_F_TEMPORARY of IPv6: RFC 8981's addresses, which are not second to any.
    secondary: family === 'ipv4' && (flags & IFA_F_SECONDARY) !== 0,
    tentative: (flags & IFA_F_TENTATIVE) !== 0,
    dadFailed: (flags & IFA_F_DADFAILED) !== 0,
    flags,
    preferredLifetime: lifetimeAt(lifetimes, 0),
    validLifetime: lifetimeAt(lifetimes, 4),
    protocol: attributes.u8(IFA_PROTO) ?? 0,
  }
}

export class LinuxAddresses implements Addresses {
  readonly #socket: () => NetlinkSocket

  constructor(socket: () => NetlinkSocket) {
    this.#socket = socket
  }

  list(link?: string): Address[] {
    const call = link === undefined ? 'list addresses' : `list addresses of "${link}"`
    const socket = this.#socket()
    const index = link === undefined ? 0 : requireLinkIndex(socket.descriptor, link, call)
    const nameOf = linkNames(socket.descriptor)
    const addresses = socket.dump(call, encodeListAddresses(index), ({ payload }) => decodeAddress(payload, nameOf))
    // Kernels before 5.0 do not know the filter and list them all.
    return link === undefined ? addresses : addresses.filter((address) => address.link === link)
  }

  add(address: NewAddress): void {
    const call = `add address "${address.prefix}" to "${address.link}"`
    const socket = this.#socket()
    const index = requireLinkIndex(socket.descriptor, address.link, call)
    socket.request(call, encodeNewAddress(address, index, 'add'))
  }

  replace(address: NewAddress): void {
    const call = `replace address "${address.prefix}" of "${address.link}"`
    const socket = this.#socket()
    const index = requireLinkIndex(socket.descriptor, address.link, call)
    // IPv4 replaces lifetimes only and keeps label, scope and broadcast: such an address has to go first.
    const there = this.#find(address)
    if (there && familyOf(parsePrefix(address.prefix).address) === 'ipv4' && !looksAlike(there, address)) {
      socket.request(call, encodeDeleteAddress(there.prefix, there.peer, index))
    }
    socket.request(call, encodeNewAddress(address, index, 'replace'))
  }

  delete({ link, prefix }: { readonly link: string; readonly prefix: string }): void {
    const call = `delete address "${prefix}" from "${link}"`
    const socket = this.#socket()
    const index = requireLinkIndex(socket.descriptor, link, call)
    try {
      socket.request(call, encodeDeleteAddress(prefix, undefined, index))
    } catch (error) {
      // One with a peer is only found by naming that too.
      const peer = isErrno(error, 'EADDRNOTAVAIL') ? this.#find({ link, prefix })?.peer : undefined
      if (peer === undefined) throw error
      socket.request(call, encodeDeleteAddress(prefix, peer, index))
    }
  }

  #find({ link, prefix }: { readonly link: string; readonly prefix: string }): Address | undefined {
    const canonical = formatPrefix(parsePrefix(prefix))
    return this.list(link).find((address) => address.prefix === canonical)
  }
}

function looksAlike(there: Address, wanted: NewAddress): boolean {
  const local = parsePrefix(wanted.prefix)
  const broadcast = broadcastOf(wanted, local)
  return (
    scopeNumber(there.scope) === scopeNumber(wanted.scope ?? defaultScope(local)) &&
    there.peer === wanted.peer &&
    there.broadcast === (broadcast && formatIp(broadcast)) &&
    there.label === (wanted.label ?? wanted.link)
  )
}

function encodeHeader(
  type: number,
  messageFlags: number,
  { address, length }: Prefix,
  flags: number,
  scope: Scope,
  index: number,
): MessageWriter {
  const writer = new MessageWriter().message(type, messageFlags)
  return writer
    .u8(familyNumber(familyOf(address)))
    .u8(length)
    .u8(flags & 0xff)
    .u8(scopeNumber(scope))
    .u32(index)
}

function encodeEnds(writer: MessageWriter, local: Prefix, peer: string | undefined): MessageWriter {
  writer.attribute(IFA_LOCAL, local.address)
  return writer.attribute(IFA_ADDRESS, peer === undefined ? local.address : parseIp(peer))
}

function secondsOf(lifetime = Number.POSITIVE_INFINITY): number {
  return Math.min(lifetime, FOREVER)
}

function lifetimeAt(lifetimes: Uint8Array | undefined, at: number): number {
  if (!lifetimes || lifetimes.length < at + 4) return Number.POSITIVE_INFINITY
  const seconds = new DataView(lifetimes.buffer, lifetimes.byteOffset).getUint32(at, LITTLE_ENDIAN)
  return seconds === FOREVER ? Number.POSITIVE_INFINITY : seconds
}

function broadcastOf(address: NewAddress, local: Prefix): Uint8Array | undefined {
  if (address.broadcast === null) return undefined
  if (address.broadcast !== undefined) return parseIp(address.broadcast)
  const has = local.address.length === IPV4_LENGTH && local.length <= LONGEST_BROADCAST_PREFIX
  return has && address.peer === undefined ? lastOf(local) : undefined
}

/** As `ip address`: 127.0.0.0/8 is the host's own. */
function defaultScope({ address }: Prefix): Scope {
  return address.length === IPV4_LENGTH && address[0] === LOOPBACK_NETWORK ? 'host' : 'global'
}
