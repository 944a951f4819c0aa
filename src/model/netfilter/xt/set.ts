/** `set`, `SET`: whether a packet is in an IP set, and putting it there. Source: net/netfilter/xt_set.c, ipset/ip_set_getport.c. */
import { bitsOf, type Ip } from '../../../address/ip.ts'
import type { XtMatch, XtSet, XtTarget } from '../../../kernel/xtables.ts'
import { IpProtocol } from '../../../wire/ipv4.ts'
import { u16 } from '../../bytes.ts'
import type { Namespace } from '../../namespace.ts'
import type { Packet } from '../../packet.ts'
import { type Element, partOf } from '../ipset/element.ts'
import type { IpSetPlace } from '../ipset/ipsets.ts'
import type { IpSetContent } from '../ipset/set.ts'
import type { Compiled } from '../vm/compile.ts'
import { type Machine, NetfilterProtocol } from '../vm/machine.ts'
import { refusal } from '../vm/refusal.ts'
import { BREAK, CONTINUE } from '../vm/verdict.ts'

type Match = Extract<XtMatch, { match: 'set' }>
type Target = Extract<XtTarget, { target: 'SET' }>

/** Bytes that must be there of a transport header. */
const HEADERS: Readonly<Record<number, number>> = {
  [IpProtocol.tcp]: 20,
  [IpProtocol.udp]: 8,
  [IpProtocol.udpLite]: 8,
  [IpProtocol.sctp]: 12,
  [IpProtocol.icmp]: 8,
  [IpProtocol.icmpv6]: 8,
}

/** set_match_v4. */
export function setMatch(
  { set, invert, returnNoMatch = false, keepsCounters = false }: Match,
  namespace: Namespace,
): Compiled {
  const place = open(set, namespace)
  const operation = (machine: Machine) => {
    const { content } = place
    const element = elementOf(machine, content, set.sides, undefined)
    const member = element && content.find(element)
    if (member && !keepsCounters) {
      member.packets++
      member.bytes += machine.packet.end - machine.packet.network
    }
    // What is in it as a network that is not meant is what --return-nomatch asks for, and nothing else is.
    const isIn = member !== undefined && member.noMatch === (returnNoMatch && hasNetworks(content))
    return isIn !== invert ? CONTINUE : BREAK
  }
  return { operation, ipSets: [place] }
}

/** set_target_v3. What cannot be added is not. */
export function setTarget({ add, delete: removed, exist = false, timeout }: Target, namespace: Namespace): Compiled {
  const [adding, removing] = [add && open(add, namespace), removed && open(removed, namespace)]
  const operation = (machine: Machine) => {
    const bytes = machine.packet.end - machine.packet.network
    if (adding) {
      const { content } = adding
      const element = elementOf(machine, content, add!.sides, content.longestPrefix)
      const time = timeout === undefined ? {} : { timeout }
      if (element) ignoringRefusal(() => content.add(element, { ...time, packets: 1, bytes }, exist))
    }
    if (removing) {
      const { content } = removing
      const element = elementOf(machine, content, removed!.sides, content.longestPrefix)
      if (element) ignoringRefusal(() => content.delete(element, true))
    }
    return CONTINUE
  }
  return { operation, ipSets: [adding, removing].filter((place) => place !== undefined) }
}

const hasNetworks = ({ shape }: IpSetContent) => shape.first === 'network' || shape.second === 'network'

function open({ name }: XtSet, { ipsets }: Namespace): IpSetPlace {
  const place = ipsets.find(name)
  if (!place) throw refusal('ENOENT', `there is no set "${name}"`)
  return place
}

function ignoringRefusal(run: () => void): void {
  try {
    run()
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'KernelError') throw error
  }
}

/**
 * What of a packet is looked for; undefined where the packet has no such thing, or the rule says too little of it. Networks
 * have the prefix length given, that of an address where none is.
 */
function elementOf(
  machine: Machine,
  { definition, shape }: IpSetContent,
  sides: XtSet['sides'],
  prefix: number | undefined,
): Element | undefined {
  if (sides.length < shape.dimension) return undefined
  const { type, netmask } = definition
  const family = machine.protocol === NetfilterProtocol.ip6 ? 'ipv6' : 'ipv4'
  if (type !== 'bitmap:port' && definition.family !== family) return undefined
  const bits = bitsOf(family)
  const part = (kind: 'address' | 'network' | undefined, at: number) => {
    if (kind === undefined) return undefined
    const address = addressOf(machine, sides[at] === 'src')
    if (kind === 'network') return partOf(address, prefix ?? bits)
    return { ...partOf(address, netmask ?? bits), length: bits }
  }
  const first = part(shape.first, 0)
  if (type === 'hash:ip' && first?.address.every((byte) => byte === 0)) return undefined
  if (!shape.hasPort) return { first, protocol: 0, port: 0, second: undefined }
  const found = portOf(machine, sides[shape.first === undefined ? 0 : 1] === 'src')
  if (!found) return undefined
  if (type !== 'bitmap:port') return { first, ...found, second: part(shape.second, 2) }
  const { protocol, port } = found
  const { from, to } = definition.ports!
  if ((protocol !== IpProtocol.tcp && protocol !== IpProtocol.udp) || port < from || port > to) return undefined
  return { first: undefined, protocol: 0, port, second: undefined }
}

function addressOf({ packet: { bytes, network }, protocol }: Machine, isSource: boolean): Ip {
  const [length, at] = protocol === NetfilterProtocol.ip6 ? [16, 8] : [4, 12]
  const start = network + at + (isSource ? 0 : length)
  return bytes.slice(start, start + length)
}

interface Port {
  readonly protocol: number
  readonly port: number
}

/** Undefined where the packet has none that could be looked for. */
function portOf(machine: Machine, isSource: boolean): Port | undefined {
  if (machine.protocol === NetfilterProtocol.ip6) return portOf6(machine, isSource)
  const { packet, transport, transportProtocol: protocol, fragmentOffset } = machine
  if (protocol <= 0) return undefined
  if (fragmentOffset !== 0) return HEADERS[protocol] === undefined ? { protocol, port: 0 } : undefined
  return portAt(packet, transport, protocol, isSource)
}

/** NEXTHDR_*, linux/ipv6.h. */
const EXTENSIONS: readonly number[] = [0, 43, 44, 51, 59, 60]
const FRAGMENT = 44
const AUTHENTICATION = 51
const NONE = 59
const IPV6_HEADER = 40

/** ip_set_get_ip6_port: ipv6_skip_exthdr goes past authentication headers, too. */
function portOf6({ packet }: Machine, isSource: boolean): Port | undefined {
  const { bytes, network, end } = packet
  let next = bytes[network + 6]!
  let at = network + IPV6_HEADER
  while (EXTENSIONS.includes(next)) {
    if (next === NONE || at + (next === FRAGMENT ? 4 : 2) > end) return undefined
    if (next === FRAGMENT && (u16(bytes, at + 2) & ~7) !== 0) return undefined
    const units = bytes[at + 1]!
    const length = next === FRAGMENT ? 8 : next === AUTHENTICATION ? (units + 2) << 2 : (units + 1) << 3
    next = bytes[at]!
    at += length
  }
  return portAt(packet, at, next, isSource)
}

/** get_port. */
function portAt({ bytes, end }: Packet, at: number, protocol: number, isSource: boolean): Port | undefined {
  const needed = HEADERS[protocol]
  if (needed === undefined) return { protocol, port: 0 }
  if (at + needed > end) return undefined
  const isIcmp = protocol === IpProtocol.icmp || protocol === IpProtocol.icmpv6
  return { protocol, port: u16(bytes, at + (isIcmp || isSource ? 0 : 2)) }
}
