/**
 * Which of several next hops a flow takes: fib_multipath_hash (net/ipv4/route.c), fib_select_multipath and fib_rebalance
 * (fib_semantics.c), flow_hash_from_keys_seed (net/core/flow_dissector.c).
 */
import { u16, u32 } from '../bytes.ts'
import { jhash2 } from '../netfilter/jhash.ts'
import type { Packet } from '../packet.ts'
import type { FibNextHop, FibRoute } from './fib-route.ts'
import { ignoresRoutesWithLinkDown } from './fib-route.ts'
import { siphash } from './siphash.ts'

/** struct flow_keys from its field `basic` on, as 32-bit words: what is hashed. Filled anew for each flow. */
const keys = new Uint32Array(12)
const PROTOCOL = 0
const PORTS = 7
const ADDRESSES = 9

const ICMP = 1
const IP_IN_IP = 4
const GRE = 47
/** TCP, UDP, DCCP, ESP, SCTP, UDP-Lite. */
const WITH_PORTS: readonly number[] = [6, 17, 33, 50, 132, 136]
const AH = 51

/** FIB_MULTIPATH_HASH_FIELD_*. */
const Field = { source: 1, destination: 2, protocol: 4, sourcePort: 16, destinationPort: 32 } as const

/** What is known of a flow that has no packet. */
export interface MultipathFlow {
  readonly source: number
  readonly destination: number
  readonly protocol: number
  readonly sourcePort: number
  readonly destinationPort: number
}

/** fib_multipath_hash: 31 bits. The packet's own headers where there is one. */
export function multipathHash(
  policy: number,
  seed: number,
  fields: number,
  flow: MultipathFlow,
  packet: Packet | undefined,
): number {
  keys.fill(0)
  if (policy === 0) {
    if (packet) layer3Keys(packet)
    else addresses(flow.source, flow.destination)
  } else if (policy === 2) {
    if (packet) innermostAddresses(packet.bytes, packet.network, packet.end)
    else addresses(flow.source, flow.destination)
  } else {
    const chosen = policy === 3 ? fields : ~0
    const source = packet ? u32(packet.bytes, packet.network + 12) : flow.source
    const destination = packet ? u32(packet.bytes, packet.network + 16) : flow.destination
    const protocol = packet ? packet.bytes[packet.network + 9]! : flow.protocol
    let [sourcePort, destinationPort] = [flow.sourcePort, flow.destinationPort]
    if (packet) [sourcePort, destinationPort] = portsOf(packet)
    addresses(chosen & Field.source ? source : 0, chosen & Field.destination ? destination : 0)
    // n_proto, ip_proto and a byte of padding, in memory order.
    if (chosen & Field.protocol) keys[PROTOCOL] = protocol << 16
    ports(chosen & Field.sourcePort ? sourcePort : 0, chosen & Field.destinationPort ? destinationPort : 0)
  }
  const hash = siphash(keys, seed >>> 0)
  // Of a packet, chosen fields of an inner one may be hashed as well; none are.
  return (policy === 3 && packet ? jhash2([hash, 0], 0) : hash) >>> 1
}

/** ip_multipath_l3_keys: of an ICMP error, the addresses of the packet that it is about. */
function layer3Keys({ bytes, network, end }: Packet): void {
  let at = network
  const inner = network + (bytes[network]! & 15) * 4
  if (bytes[network + 9] === ICMP && (u16(bytes, network + 6) & 0x1fff) === 0 && inner + 28 <= end) {
    const type = bytes[inner]!
    if (type === 3 || type === 5 || type === 11 || type === 12) at = inner + 8
  }
  addresses(u32(bytes, at + 12), u32(bytes, at + 16))
}

/** skb_flow_dissect_flow_keys: the addresses of the packet that is carried inside, of IP in IP and of GRE. */
function innermostAddresses(bytes: Uint8Array, network: number, end: number): void {
  let at = network
  for (;;) {
    const inner = at + (bytes[at]! & 15) * 4
    const isWhole = (u16(bytes, at + 6) & 0x3fff) === 0
    const next = !isWhole
      ? undefined
      : bytes[at + 9] === IP_IN_IP
        ? inner
        : bytes[at + 9] === GRE
          ? behindGre(bytes, inner)
          : undefined
    if (next === undefined || next + 20 > end || bytes[next]! >> 4 !== 4) break
    at = next
  }
  addresses(u32(bytes, at + 12), u32(bytes, at + 16))
}

/** RFC 2890: checksum, key and sequence number are there if their flags are. */
function behindGre(bytes: Uint8Array, at: number): number | undefined {
  const flags = u16(bytes, at)
  if ((flags & 0x4007) !== 0 || u16(bytes, at + 2) !== 0x0800) return undefined
  return at + 4 + (flags & 0x8000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0)
}

/** proto_ports_offset, net/core/flow_dissector.c: where ports stand behind the header, or an SPI that serves as such. */
export function portsOffset(protocol: number): number | undefined {
  if (protocol === AH) return 4
  return WITH_PORTS.includes(protocol) ? 0 : undefined
}

function portsOf({ bytes, network, end }: Packet): [number, number] {
  const protocol = bytes[network + 9]!
  const at = network + (bytes[network]! & 15) * 4
  const offset = portsOffset(protocol)
  // The dissector is told to stop at the first fragment's flags: of fragments, ports are not looked at.
  if (offset === undefined || (u16(bytes, network + 6) & 0x3fff) !== 0 || at + offset + 4 > end) return [0, 0]
  return [u16(bytes, at + offset), u16(bytes, at + offset + 2)]
}

/** As the machine sees bytes in network order: the comparison of __flow_hash_consistentify is of such numbers. */
const littleEndian = (value: number) =>
  (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0

function addresses(source: number, destination: number): void {
  const a = littleEndian(source)
  const b = littleEndian(destination)
  keys[ADDRESSES] = b < a ? b : a
  keys[ADDRESSES + 1] = b < a ? a : b
}

function ports(source: number, destination: number): void {
  const a = ((source & 0xff) << 8) | (source >>> 8)
  const b = ((destination & 0xff) << 8) | (destination >>> 8)
  keys[PORTS] = b < a ? ((a << 16) | b) >>> 0 : ((b << 16) | a) >>> 0
}

const takesPart = (hop: FibNextHop) => !hop.dead && !(hop.linkdown && ignoresRoutesWithLinkDown(hop.device))

/** fib_rebalance: gives each hop its share of the hashes. */
export function rebalance({ hops }: FibRoute): void {
  if (hops.length < 2) return
  let total = 0
  for (const hop of hops) if (takesPart(hop)) total += hop.weight
  let sum = 0
  for (const hop of hops) {
    if (!takesPart(hop)) {
      hop.upperBound = -1
      continue
    }
    sum += hop.weight
    // DIV_ROUND_CLOSEST_ULL
    hop.upperBound = Math.floor((sum * 0x8000_0000 + Math.floor(total / 2)) / total) - 1
  }
}

/**
 * fib_select_multipath: the first hop whose share the hash falls into; of a packet that has its source, one that speaks from
 * that source is preferred.
 */
export function selectHop(
  hops: readonly FibNextHop[],
  hash: number,
  source: number,
  sourceOf: (hop: FibNextHop) => number,
): FibNextHop {
  let best: FibNextHop | undefined
  let bestScore = -1
  for (const hop of hops) {
    if (hop.upperBound < 0) continue
    const matches = source !== 0 && sourceOf(hop) === source
    const score = (matches ? 2 : 0) + (hash <= hop.upperBound ? 1 : 0)
    if (score <= bestScore) continue
    best = hop
    bestScore = score
    if (hash <= hop.upperBound && (source === 0 || matches)) break
  }
  return best ?? hops[0]!
}
