/**
 * IP sets over nfnetlink: linux/netfilter/ipset/ip_set.h, protocol 7.
 *
 *   IPSET_ATTR_PROTOCOL  SETNAME  TYPENAME  REVISION  FAMILY  DATA { attributes.ts }
 *
 * A list comes as a dump: a message with each set's header and its first entries, more messages where these do not fit.
 */
import type { Family } from '../../../address/ip.ts'
import { isErrno, KernelError } from '../../../kernel/errors.ts'
import {
  IP_SET_TYPES,
  type IpSet,
  type IpSetDefinition,
  type IpSetEntry,
  type IpSetListing,
  type IpSetOptions,
  type IpSets,
  type IpSetType,
} from '../../../kernel/ipset.ts'
import { Attributes } from '../../netlink/attribute.ts'
import { MessageWriter } from '../../netlink/message.ts'
import type { NetlinkSocket } from '../../netlink/socket.ts'
import { NFGENMSG_SIZE } from '../header.ts'
import { decodeEntry, decodeHeader, encodeDefinition, encodeEntry, writeU32 } from './attributes.ts'
import { ipSetErrno } from './errno.ts'

const NFNL_SUBSYS_IPSET = 6
const IPSET_PROTOCOL = 7

const IPSET_CMD_CREATE = 2
const IPSET_CMD_DESTROY = 3
const IPSET_CMD_FLUSH = 4
const IPSET_CMD_RENAME = 5
const IPSET_CMD_SWAP = 6
const IPSET_CMD_LIST = 7
const IPSET_CMD_ADD = 9
const IPSET_CMD_DEL = 10
const IPSET_CMD_TEST = 11
const IPSET_CMD_TYPE = 13
const IPSET_CMD_GET_BYNAME = 14
const IPSET_CMD_GET_BYINDEX = 15

const IPSET_ATTR_PROTOCOL = 1
const IPSET_ATTR_SETNAME = 2
const IPSET_ATTR_TYPENAME = 3
const IPSET_ATTR_SETNAME2 = 3
const IPSET_ATTR_REVISION = 4
const IPSET_ATTR_FAMILY = 5
const IPSET_ATTR_FLAGS = 6
const IPSET_ATTR_DATA = 7
const IPSET_ATTR_ADT = 8
const IPSET_ATTR_INDEX = 11
const IPSET_FLAG_LIST_HEADER = 1 << 2

/** Refuses what is there already; without it that is as good as done: flag_exist(). */
const NLM_F_EXCL = 0x200

/** NFPROTO_*, linux/netfilter.h. */
const FAMILIES: Readonly<Record<Family, number>> = { ipv4: 2, ipv6: 10 }
const NFPROTO_UNSPEC = 0

export class LinuxIpSets implements IpSets {
  readonly #socket: () => NetlinkSocket

  constructor(socket: () => NetlinkSocket) {
    this.#socket = socket
  }

  add(set: IpSetDefinition, options?: IpSetOptions): void {
    const call = `add set "${set.name}"`
    const family = set.type === 'bitmap:port' ? NFPROTO_UNSPEC : FAMILIES[set.family ?? 'ipv4']
    const revision = this.#revisionOf(call, set.type, family)
    const message = ipSetMessage(IPSET_CMD_CREATE, options)
      .attributeText(IPSET_ATTR_SETNAME, set.name)
      .attributeText(IPSET_ATTR_TYPENAME, set.type)
      .attributeU8(IPSET_ATTR_REVISION, revision)
      .attributeU8(IPSET_ATTR_FAMILY, family)
    message.nested(IPSET_ATTR_DATA, () => encodeDefinition(message, set))
    this.#request(call, message, set.type)
  }

  delete(name?: string): void {
    this.#request(name === undefined ? 'delete all sets' : `delete set "${name}"`, named(IPSET_CMD_DESTROY, name))
  }

  flush(name?: string): void {
    this.#request(name === undefined ? 'flush all sets' : `flush set "${name}"`, named(IPSET_CMD_FLUSH, name))
  }

  rename(name: string, to: string): void {
    this.#request(
      `rename set "${name}" to "${to}"`,
      named(IPSET_CMD_RENAME, name).attributeText(IPSET_ATTR_SETNAME2, to),
    )
  }

  swap(name: string, other: string): void {
    this.#request(
      `swap sets "${name}" and "${other}"`,
      named(IPSET_CMD_SWAP, name).attributeText(IPSET_ATTR_SETNAME2, other),
    )
  }

  list(listing?: IpSetListing): IpSet[] {
    return this.#list('list sets', listMessage(undefined, listing))
  }

  get(name: string, listing?: IpSetListing): IpSet | undefined {
    try {
      return this.#list(`get set "${name}"`, listMessage(name, listing))[0]
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return undefined
      throw error
    }
  }

  addEntry(set: string, entry: IpSetEntry, options?: IpSetOptions): void {
    this.#ofEntry(IPSET_CMD_ADD, `add an entry to set "${set}"`, set, entry, options)
  }

  deleteEntry(set: string, entry: IpSetEntry, options?: IpSetOptions): void {
    this.#ofEntry(IPSET_CMD_DEL, `delete an entry of set "${set}"`, set, entry, options)
  }

  hasEntry(set: string, entry: IpSetEntry): boolean {
    try {
      this.#ofEntry(IPSET_CMD_TEST, `look for an entry of set "${set}"`, set, entry)
      return true
    } catch (error) {
      if (isErrno(error, 'IPSET_ERR_EXIST')) return false
      throw error
    }
  }

  /** What rules know a set by. KernelError ENOENT. */
  indexOf(name: string): number {
    const call = `find set "${name}"`
    const message = named(IPSET_CMD_GET_BYNAME, name).finish()
    const read = (payload: Uint8Array) => new Attributes(payload, NFGENMSG_SIZE).u16be(IPSET_ATTR_INDEX) ?? 0
    return this.#named(call, undefined, () => this.#socket().get(call, message, ({ payload }) => read(payload)))
  }

  /** KernelError ENOENT. */
  nameAt(index: number): string {
    const call = `find set ${index}`
    const message = ipSetMessage(IPSET_CMD_GET_BYINDEX).attributeU16be(IPSET_ATTR_INDEX | NLA_F_NET_BYTEORDER, index)
    const read = (payload: Uint8Array) => new Attributes(payload, NFGENMSG_SIZE).text(IPSET_ATTR_SETNAME) ?? ''
    return this.#named(call, undefined, () =>
      this.#socket().get(call, message.finish(), ({ payload }) => read(payload)),
    )
  }

  #ofEntry(command: number, call: string, set: string, entry: IpSetEntry, options?: IpSetOptions): void {
    const message = ipSetMessage(command, options).attributeText(IPSET_ATTR_SETNAME, set)
    message.nested(IPSET_ATTR_DATA, () => encodeEntry(message, entry))
    const type = entry.first ? 'hash:ip' : 'bitmap:port' // as far as their refusals differ
    this.#request(call, message, type)
  }

  /** The highest that the kernel has. */
  #revisionOf(call: string, type: IpSetType, family: number): number {
    const message = ipSetMessage(IPSET_CMD_TYPE)
      .attributeText(IPSET_ATTR_TYPENAME, type)
      .attributeU8(IPSET_ATTR_FAMILY, family)
      .finish()
    const read = (payload: Uint8Array) => new Attributes(payload, NFGENMSG_SIZE).u8(IPSET_ATTR_REVISION) ?? 0
    return this.#named(call, type, () => this.#socket().get(call, message, ({ payload }) => read(payload)))
  }

  #list(call: string, message: MessageWriter): IpSet[] {
    const parts = this.#named(call, undefined, () =>
      this.#socket().dump(call, message.finish(), ({ payload }) => decodePart(payload)),
    )
    const sets: { name: string; set: IpSet | undefined; entries: IpSetEntry[] }[] = []
    for (const { name, set, entries } of parts) {
      const last = sets.at(-1)
      if (last?.name === name) last.entries.push(...entries)
      else sets.push({ name, set, entries })
    }
    return sets.flatMap(({ set, entries }) => (set ? [{ ...set, entries }] : []))
  }

  #request(call: string, message: MessageWriter, type?: IpSetType): void {
    this.#named(call, type, () => this.#socket().request(call, message.finish()))
  }

  /** With the names of ipset's own errors. */
  #named<T>(call: string, type: IpSetType | undefined, ask: () => T): T {
    try {
      return ask()
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      throw new KernelError(ipSetErrno(error.errno, type), call, error.explanation)
    }
  }
}

const NLA_F_NET_BYTEORDER = 1 << 14

function ipSetMessage(command: number, { exist = true }: IpSetOptions = { exist: false }): MessageWriter {
  return new MessageWriter()
    .message((NFNL_SUBSYS_IPSET << 8) | command, exist ? 0 : NLM_F_EXCL)
    .u8(FAMILIES.ipv4)
    .u8(0)
    .u16be(0)
    .attributeU8(IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL)
}

function named(command: number, name: string | undefined): MessageWriter {
  const message = ipSetMessage(command)
  return name === undefined ? message : message.attributeText(IPSET_ATTR_SETNAME, name)
}

function listMessage(name: string | undefined, { headerOnly = false }: IpSetListing = {}): MessageWriter {
  const message = named(IPSET_CMD_LIST, name)
  if (headerOnly) writeU32(message, IPSET_ATTR_FLAGS, IPSET_FLAG_LIST_HEADER)
  return message
}

/** Of a set: its header, where the message has one, and entries. The set is undefined, too, for a type that is not here. */
function decodePart(payload: Uint8Array): { name: string; set: IpSet | undefined; entries: IpSetEntry[] } {
  const from = new Attributes(payload, NFGENMSG_SIZE)
  const name = from.text(IPSET_ATTR_SETNAME) ?? ''
  const entries = from.list(IPSET_ATTR_ADT).map(({ value }) => decodeEntry(new Attributes(value)))
  return { name, set: decodeSet(name, from), entries }
}

function decodeSet(name: string, from: Attributes): IpSet | undefined {
  const type = IP_SET_TYPES.find((each) => each === from.text(IPSET_ATTR_TYPENAME))
  const header = from.nested(IPSET_ATTR_DATA)
  if (!type || !header) return undefined
  const family = from.u8(IPSET_ATTR_FAMILY) === FAMILIES.ipv6 ? 'ipv6' : 'ipv4'
  return {
    name,
    type,
    ...(type !== 'bitmap:port' && { family }),
    revision: from.u8(IPSET_ATTR_REVISION) ?? 0,
    ...decodeHeader(header),
    entries: [],
  }
}
