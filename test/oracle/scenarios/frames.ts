/** Frames that the fixed scenarios send. */
import { toHex } from '../../../src/trace/hex.ts'
import { ArpOperation, encodeArp } from '../../../src/wire/arp.ts'
import { BROADCAST_MAC, EtherType, encodeEthernet } from '../../../src/wire/ethernet.ts'
import { encodeIcmp } from '../../../src/wire/icmp.ts'
import { encodeIpv4, IpProtocol } from '../../../src/wire/ipv4.ts'
import { encodeIpv6 } from '../../../src/wire/ipv6.ts'
import { encodeTcp } from '../../../src/wire/tcp.ts'
import { encodeUdp } from '../../../src/wire/udp.ts'

export interface Way {
  /** MACs. */
  readonly from: string
  readonly to: string
  readonly source: string
  readonly destination: string
  readonly ttl?: number
  readonly id?: number
  readonly dontFragment?: boolean
}

/** A UDP datagram 4000 → 4001, whose IPv4 packet has so many bytes. */
export function udp(way: Way, length = 29, ports: readonly [number, number] = [4000, 4001]): string {
  const { source, destination } = way
  const payload = new Uint8Array(length - 28).fill(0x41)
  const [sourcePort, destinationPort] = ports
  return packet(way, IpProtocol.udp, encodeUdp({ sourcePort, destinationPort, payload }, { source, destination }))
}

/** The datagram of one IPv4 packet in two: the first carries so many bytes. */
export function udpInTwo(way: Way, length: number, first: number): [string, string] {
  const { source, destination } = way
  const payload = new Uint8Array(length - 28).fill(0x41)
  const datagram = encodeUdp({ sourcePort: 4000, destinationPort: 4001, payload }, { source, destination })
  return [
    packet(way, IpProtocol.udp, datagram.subarray(0, first), { moreFragments: true, fragmentOffset: 0 }),
    packet(way, IpProtocol.udp, datagram.subarray(first), { moreFragments: false, fragmentOffset: first }),
  ]
}

export function echo(way: Way, sequence = 0): string {
  const request = { kind: 'echo', reply: false, identifier: 1, sequence, data: new Uint8Array(0) } as const
  return packet(way, IpProtocol.icmp, encodeIcmp(request))
}

export interface Segment {
  readonly ports: readonly [source: number, destination: number]
  /** TcpFlag bits, or-ed. */
  readonly flags: number
  readonly sequence: number
  readonly acknowledgment?: number
}

export function tcp(way: Way, { ports: [sourcePort, destinationPort], acknowledgment = 0, ...rest }: Segment): string {
  const { source, destination } = way
  const segment = {
    sourcePort,
    destinationPort,
    acknowledgment,
    window: 65_535,
    urgentPointer: 0,
    options: [],
    payload: new Uint8Array(0),
    ...rest,
  }
  return packet({ dontFragment: true, ...way }, IpProtocol.tcp, encodeTcp(segment, { source, destination }))
}

/** A UDP datagram 4000 → 4001 over IPv6, whose packet has so many bytes. */
export function udp6({ from, to, source, destination, ttl = 64 }: Way, length: number): string {
  const datagram = { sourcePort: 4000, destinationPort: 4001, payload: new Uint8Array(length - 48).fill(0x41) }
  const payload = encodeIpv6({
    trafficClass: 0,
    flowLabel: 0,
    hopLimit: ttl,
    source,
    destination,
    extensions: [],
    protocol: IpProtocol.udp,
    payload: encodeUdp(datagram, { source, destination }),
  })
  return toHex(encodeEthernet({ destination: to, source: from, tags: [], etherType: EtherType.ipv6, payload }))
}

export function arpRequest({ from, source, destination }: Pick<Way, 'from' | 'source' | 'destination'>): string {
  const payload = encodeArp({
    operation: ArpOperation.request,
    senderMac: from,
    senderIp: source,
    targetMac: '00:00:00:00:00:00',
    targetIp: destination,
  })
  const header = { destination: BROADCAST_MAC, source: from, tags: [], etherType: EtherType.arp }
  return toHex(encodeEthernet({ ...header, payload }))
}

function packet(
  { from, to, source, destination, ttl = 64, id = 1, dontFragment = false }: Way,
  protocol: number,
  payload: Uint8Array,
  fragment = { moreFragments: false, fragmentOffset: 0 },
): string {
  const bytes = encodeIpv4({
    tos: 0,
    identification: id,
    dontFragment,
    ...fragment,
    ttl,
    protocol,
    source,
    destination,
    options: [],
    payload,
  })
  return toHex(encodeEthernet({ destination: to, source: from, tags: [], etherType: EtherType.ipv4, payload: bytes }))
}
