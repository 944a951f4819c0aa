/**
 * The hash by which a flow takes one of several next hops: rt6_multipath_hash, net/ipv6/route.c; flow_hash_from_keys_seed,
 * net/core/flow_dissector.c.
 */
import { extensionLength } from '../../wire/ipv6.ts'
import { u16, u32 } from '../bytes.ts'
import { portsOffset } from '../ipv4/ecmp.ts'
import { siphash } from '../ipv4/siphash.ts'
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import { DESTINATION_AT, FRAGMENT_HEADER, HEADER_LENGTH, NEXT_HEADER_AT, NextHeader, SOURCE_AT } from './header.ts'

/** struct flow_keys from its field `basic` on, as 32-bit words in memory order. Filled anew for each flow. */
const keys = new Uint32Array(18)
const PROTOCOL = 0
const LABEL = 1
const PORTS = 7
const ADDRESSES = 9
const LABEL_MASK = 0xfffff

/** What is known of a flow that has no packet. */
export interface MultipathFlow6 {
  readonly source: Uint8Array | undefined
  readonly destination: Uint8Array
  readonly protocol: number
  readonly sourcePort: number
  readonly destinationPort: number
}

export function hashOfFlow(namespace: Namespace, flow: MultipathFlow6): number {
  keys.fill(0)
  const { source, destination, protocol, sourcePort, destinationPort } = flow
  keys[PROTOCOL] = protocol << 16
  if (policyOf(namespace) !== 0) ports(sourcePort, destinationPort)
  addresses(source ?? new Uint8Array(16), 0, destination, 0)
  return finish(namespace)
}

/**
 * Of a packet that came in; of an ICMPv6 error that no extension header comes before, the addresses of the packet that it is about
 * (ip6_multipath_l3_keys).
 */
export function hashOfPacket(namespace: Namespace, { bytes, network, end }: Packet): number {
  keys.fill(0)
  if (policyOf(namespace) === 0) {
    const icmp = network + HEADER_LENGTH
    const isIcmp = bytes[network + NEXT_HEADER_AT] === NextHeader.icmp && icmp + 48 <= end
    const at = isIcmp && isKnownError(bytes[icmp]!) ? icmp + 8 : network
    keys[PROTOCOL] = bytes[at + NEXT_HEADER_AT]! << 16
    keys[LABEL] = littleEndian(u32(bytes, at) & LABEL_MASK)
    addresses(bytes, at + SOURCE_AT, bytes, at + DESTINATION_AT)
    return finish(namespace)
  }
  const { protocol, at } = dissect(bytes, network, end)
  keys[PROTOCOL] = protocol << 16
  const offset = portsOffset(protocol)
  if (offset !== undefined && at >= 0 && at + offset + 4 <= end)
    ports(u16(bytes, at + offset), u16(bytes, at + offset + 2))
  addresses(bytes, network + SOURCE_AT, bytes, network + DESTINATION_AT)
  return finish(namespace)
}

/**
 * How far __skb_flow_dissect goes: over options and routing headers, up to an authentication header or into a fragment header, whatever
 * that is before. -1: what follows is not looked at.
 */
function dissect(bytes: Uint8Array, network: number, end: number): { protocol: number; at: number } {
  let at = network + HEADER_LENGTH
  let protocol = bytes[network + NEXT_HEADER_AT]!
  while (protocol === NextHeader.hopByHop || protocol === NextHeader.routing || protocol === NextHeader.options) {
    if (at + 2 > end) return { protocol, at: -1 }
    const length = extensionLength(protocol, bytes[at + 1]!)
    protocol = bytes[at]!
    at += length
  }
  if (protocol !== NextHeader.fragment) return { protocol, at }
  return { protocol: at + FRAGMENT_HEADER <= end ? bytes[at]! : protocol, at: -1 }
}

/** icmpv6_is_err: of RFC 4443's own. */
const isKnownError = (type: number) => type >= 1 && type <= 4

const policyOf = ({ ipv6 }: Namespace) => ipv6.settings.fib_multipath_hash_policy

function finish({ ipv4 }: Namespace): number {
  return siphash(keys, ipv4.settings.fib_multipath_hash_seed >>> 0) >>> 1
}

const littleEndian = (value: number) =>
  (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0

/** __flow_hash_consistentify: the lower address first, so that both directions are one. */
function addresses(source: Uint8Array, sourceAt: number, destination: Uint8Array, destinationAt: number): void {
  let swap = false
  for (let i = 0; i < 16; i++) {
    const difference = destination[destinationAt + i]! - source[sourceAt + i]!
    if (difference === 0) continue
    swap = difference < 0
    break
  }
  for (let i = 0; i < 4; i++) {
    const from = littleEndian(u32(source, sourceAt + 4 * i))
    const to = littleEndian(u32(destination, destinationAt + 4 * i))
    keys[ADDRESSES + i] = swap ? to : from
    keys[ADDRESSES + 4 + i] = swap ? from : to
  }
}

function ports(source: number, destination: number): void {
  const a = ((source & 0xff) << 8) | (source >>> 8)
  const b = ((destination & 0xff) << 8) | (destination >>> 8)
  keys[PORTS] = b < a ? ((a << 16) | b) >>> 0 : ((b << 16) | a) >>> 0
}
