/** A frame in one line, as a trace's head and its steps say it: `UDP 10.244.0.2:4000 → 10.244.1.2:4001`. */
import { formatIpv4 } from '../address/ipv4.ts'
import { formatIpv6 } from '../address/ipv6.ts'
import { EtherType } from '../wire/ethernet.ts'
import { IpProtocol } from '../wire/ipv4.ts'
import { TcpFlag } from '../wire/tcp.ts'

/** What of a frame is looked at when one packet is told from another. Offsets are of the frame. */
export interface Headers {
  /** EtherType. */
  readonly etherType: number
  readonly source: string
  readonly destination: string
  readonly protocol: number
  readonly ttl: number
  /** Bytes of the network packet. */
  readonly length: number
  readonly dontFragment: boolean
  readonly fragmentOffset: number
  readonly moreFragments: boolean
  /** Of the transport header; undefined behind a first fragment. */
  readonly transport: number | undefined
  readonly sourcePort: number | undefined
  readonly destinationPort: number | undefined
}

const ETHERNET = 14
const VXLAN = 8

/** Undefined for what is neither IPv4 nor IPv6. `network` is where its header begins: 0 for a frame without link layer. */
export function readHeaders(frame: Uint8Array, network = ETHERNET): Headers | undefined {
  const version = frame[network]! >> 4
  if (version === 4 && frame.length >= network + 20) return readIpv4(frame, network)
  if (version === 6 && frame.length >= network + 40) return readIpv6(frame, network)
  return undefined
}

function readIpv4(frame: Uint8Array, at: number): Headers {
  const flags = word(frame, at + 6)
  const protocol = frame[at + 9]!
  const fragmentOffset = (flags & 0x1fff) * 8
  const transport = at + (frame[at]! & 15) * 4
  return {
    etherType: EtherType.ipv4,
    source: formatIpv4(frame.subarray(at + 12, at + 16)),
    destination: formatIpv4(frame.subarray(at + 16, at + 20)),
    protocol,
    ttl: frame[at + 8]!,
    length: word(frame, at + 2),
    dontFragment: (flags & 0x4000) !== 0,
    moreFragments: (flags & 0x2000) !== 0,
    fragmentOffset,
    ...portsOf(frame, protocol, fragmentOffset === 0 ? transport : undefined),
  }
}

function readIpv6(frame: Uint8Array, at: number): Headers {
  const protocol = frame[at + 6]!
  return {
    etherType: EtherType.ipv6,
    source: formatIpv6(frame.subarray(at + 8, at + 24)),
    destination: formatIpv6(frame.subarray(at + 24, at + 40)),
    protocol,
    ttl: frame[at + 7]!,
    length: 40 + word(frame, at + 4),
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ...portsOf(frame, protocol, at + 40),
  }
}

function portsOf(frame: Uint8Array, protocol: number, transport: number | undefined) {
  const has = transport !== undefined && frame.length >= transport + 4 && (protocol === 6 || protocol === 17)
  return {
    transport,
    sourcePort: has ? word(frame, transport) : undefined,
    destinationPort: has ? word(frame, transport + 2) : undefined,
  }
}

/**
 * Where the network header of the packet inside a VXLAN packet begins; undefined for any other frame. Ports are whatever a
 * tunnel was given; it is known by its header, of which all but the flag I and the VNI is zero (RFC 7348 §5), and by the
 * Ethernet header behind.
 */
export function insideVxlan(frame: Uint8Array, headers: Headers): number | undefined {
  const { protocol, transport } = headers
  if (protocol !== IpProtocol.udp || transport === undefined) return undefined
  const vxlan = transport + UDP
  const inner = vxlan + VXLAN + ETHERNET
  if (frame.length <= inner || frame[vxlan] !== FLAG_I || frame[vxlan + 7] !== 0) return undefined
  if ((frame[vxlan + 1]! | frame[vxlan + 2]! | frame[vxlan + 3]!) !== 0) return undefined
  return TUNNELLED.includes(word(frame, inner - 2)) ? inner : undefined
}

const UDP = 8
const FLAG_I = 8
const TUNNELLED: readonly number[] = [EtherType.ipv4, EtherType.ipv6, EtherType.arp]

/** The port that a probe of this protocol would have to be listened for at; undefined for anything else, tunnels too. */
export function askedPort(frame: Uint8Array, network: number, protocol: 'icmp' | 'tcp' | 'udp'): number | undefined {
  const headers = readHeaders(frame, network)
  if (!headers || protocol === 'icmp' || headers.protocol !== IpProtocol[protocol]) return undefined
  return insideVxlan(frame, headers) === undefined ? headers.destinationPort : undefined
}

/** VXLAN network identifier of a frame that insideVxlan takes. */
export function vniOf(frame: Uint8Array, inner: number): number {
  const at = inner - ETHERNET - 4
  return (frame[at]! << 16) | (frame[at + 1]! << 8) | frame[at + 2]!
}

export function summarise(frame: Uint8Array, network = ETHERNET): string {
  const headers = readHeaders(frame, network)
  if (!headers) return word(frame, network - 2) === EtherType.arp ? summariseArp(frame.subarray(network)) : 'frame'
  const { protocol, source, destination, transport, sourcePort, destinationPort } = headers
  const of = (address: string, port: number | undefined) =>
    port === undefined ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
  const ends = `${of(source, sourcePort)} → ${of(destination, destinationPort)}`
  const fragment = headers.fragmentOffset > 0 ? ` fragment at ${headers.fragmentOffset}` : ''
  return `${nameOf(frame, protocol, transport)}${fragment} ${ends}`
}

/** `TCP SYN`, `UDP`, `ICMP 3/4 mtu 1450`. */
function nameOf(frame: Uint8Array, protocol: number, at: number | undefined): string {
  if (protocol === IpProtocol.udp) return 'UDP'
  if (protocol === IpProtocol.tcp)
    return frame[(at ?? Number.NaN) + 13] === undefined ? 'TCP' : `TCP ${flagsOf(frame[at! + 13]!)}`
  if (protocol === IpProtocol.icmp && at !== undefined && at + 8 <= frame.length) {
    const [type, code] = [frame[at]!, frame[at + 1]!]
    if (type === 8) return 'ICMP echo request'
    if (type === 0) return 'ICMP echo reply'
    return `ICMP ${type}/${code}${type === 3 && code === 4 ? ` mtu ${word(frame, at + 6)}` : ''}`
  }
  if (protocol === IpProtocol.icmpv6 && at !== undefined && at + 4 <= frame.length) {
    const [type, code] = [frame[at]!, frame[at + 1]!]
    if (type === 128) return 'ICMPv6 echo request'
    if (type === 129) return 'ICMPv6 echo reply'
    return `ICMPv6 ${type}/${code}`
  }
  const names: Readonly<Record<number, string>> = { 1: 'ICMP', 2: 'IGMP', 58: 'ICMPv6' }
  return names[protocol] ?? `protocol ${protocol}`
}

function flagsOf(flags: number): string {
  const names = Object.entries(TcpFlag).filter(([, bit]) => (flags & bit) !== 0)
  return names.map(([name]) => name.toUpperCase()).join('-') || 'no flags'
}

function summariseArp(arp: Uint8Array): string {
  if (arp.length < 28) return 'ARP'
  const sender = formatIpv4(arp.subarray(14, 18))
  const target = formatIpv4(arp.subarray(24, 28))
  return word(arp, 6) === 1 ? `ARP who has ${target} tell ${sender}` : `ARP ${sender} is at a MAC, to ${target}`
}

const word = (bytes: Uint8Array, at: number) => (bytes[at]! << 8) | bytes[at + 1]!
