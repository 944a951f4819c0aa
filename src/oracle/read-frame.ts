/** A frame, and which packet and which flow it is of: the innermost one, where a tunnel carries it. */
import { toHex } from '../trace/hex.ts'
import { arpHeader } from '../wire/arp.ts'
import { icmpv6Header } from '../wire/icmpv6.ts'
import { IpProtocol, ipv4Header } from '../wire/ipv4.ts'
import { ipv6Header } from '../wire/ipv6.ts'
import { tcpHeader } from '../wire/tcp.ts'
import { type Layer, layersOf, wordAt } from './layers.ts'

export interface ReadFrame {
  readonly bytes: Uint8Array
  readonly layers: readonly Layer[]
  /** The same at every tap that the packet passes. Undefined of what is no packet. */
  readonly identity: string | undefined
  /** The same for all fragments of it, too. */
  readonly datagram: string | undefined
  readonly flow: string | undefined
}

export interface Flow {
  readonly protocol: number
  readonly source: string
  readonly destination: string
  readonly ports: readonly number[]
}

export function readFrame(bytes: Uint8Array): ReadFrame {
  const layers = layersOf(bytes)
  const arp = layers.findLast(({ protocol, isQuoted }) => protocol === 'arp' && !isQuoted)
  if (arp) return { bytes, layers, ...arpIdentity(bytes, arp) }
  const flow = flowOf(bytes, layers, false)
  return { bytes, layers, ...identityOf(bytes, layers), flow: flow && formatFlow(flow) }
}

/** Of the innermost packet, or of the innermost of those that are quoted. */
export function flowOf(bytes: Uint8Array, layers: readonly Layer[], isQuoted: boolean): Flow | undefined {
  const own = layers.filter((layer) => layer.isQuoted === isQuoted)
  const i = own.findLastIndex(({ protocol }) => protocol === 'ipv4' || protocol === 'ipv6')
  const network = own[i]
  if (!network) return undefined
  const { source, size } = network.protocol === 'ipv4' ? addressesOf(ipv4Header) : addressesOf(ipv6Header)
  const start = network.at + source
  const transport = own.slice(i + 1).find(({ protocol }) => protocol === 'tcp' || protocol === 'udp')
  const hasPorts = transport && !isFragment(bytes, network, own) && transport.at + 4 <= transport.end
  return {
    protocol: protocolOf(bytes, network, own),
    source: toHex(bytes.subarray(start, start + size)),
    destination: toHex(bytes.subarray(start + size, start + 2 * size)),
    ports: hasPorts ? [wordAt(bytes, transport.at), wordAt(bytes, transport.at + 2)] : [],
  }
}

export const formatFlow = ({ protocol, source, destination, ports }: Flow) =>
  `${protocol} ${source} ${destination} ${ports.join(' ')}`

/**
 * What the kernel's hash goes by, which sorts addresses and ports each for themselves (__flow_hash_consistentify): a flow has the
 * same in both directions, and so has another one between the same hosts with the ports the other way round.
 */
export function formatUndirected({ protocol, source, destination, ports: [from = 0, to = 0] }: Flow): string {
  const addresses = [source, destination].sort()
  return [protocol, ...addresses, Math.min(from, to), Math.max(from, to)].join(' ')
}

const addressesOf = ({ offsets: { source, destination } }: typeof ipv4Header | typeof ipv6Header) => ({
  source,
  size: destination - source,
})

function isFragment(bytes: Uint8Array, { protocol, at }: Layer, layers: readonly Layer[]): boolean {
  if (protocol === 'ipv6') return layers.some((layer) => layer.protocol === 'fragment')
  return (wordAt(bytes, at + ipv4Header.offsets.flagsAndOffset) & 0x3fff) !== 0
}

/** Behind an IPv6 packet's fragment header. */
function protocolOf(bytes: Uint8Array, { protocol, at }: Layer, layers: readonly Layer[]): number {
  if (protocol === 'ipv4') return bytes[at + ipv4Header.offsets.protocol]!
  const fragment = layers.findLast((layer) => layer.protocol === 'fragment')
  return bytes[fragment?.at ?? at + ipv6Header.offsets.nextHeader]!
}

function identityOf(bytes: Uint8Array, layers: readonly Layer[]): Pick<ReadFrame, 'identity' | 'datagram'> {
  const own = layers.filter(({ isQuoted }) => !isQuoted)
  const i = own.findLastIndex(({ protocol }) => protocol === 'ipv4' || protocol === 'ipv6')
  const network = own[i]
  if (!network || network.behind > network.end) return { identity: undefined, datagram: undefined }
  if (network.protocol === 'ipv6') {
    const identity = ipv6Identity(bytes, network)
    return { identity, datagram: identity }
  }
  const { identification, flagsAndOffset } = ipv4Header.offsets
  const offset = wordAt(bytes, network.at + flagsAndOffset) & 0x1fff
  const id = wordAt(bytes, network.at + identification)
  const segment = own.slice(i + 1).find(({ protocol }) => protocol === 'tcp')
  const { sequence, window } = tcpHeader.offsets
  const state = segment ? toHex(bytes.subarray(segment.at + sequence, segment.at + window)) : ''
  const datagram = `ipv4 ${protocolOf(bytes, network, own)} ${id}`
  return { identity: `${datagram} ${offset} ${state}`, datagram: `${datagram} ${state}` }
}

/** An IPv6 packet has no ID: what it carries, without what may change on the way. */
function ipv6Identity(bytes: Uint8Array, { at, behind, end }: Layer): string {
  const next = bytes[at + ipv6Header.offsets.nextHeader]!
  const last = Math.min(end, behind + wordAt(bytes, at + ipv6Header.offsets.payloadLength))
  const { checksum } = icmpv6Header.offsets
  const payload =
    next === IpProtocol.icmpv6
      ? toHex(bytes.subarray(behind, behind + checksum)) + toHex(bytes.subarray(behind + 8, last))
      : toHex(bytes.subarray(behind, last))
  return `ipv6 ${next} ${payload}`
}

function arpIdentity(bytes: Uint8Array, { at, behind }: Layer) {
  const { operation, senderIp, targetMac, targetIp } = arpHeader.offsets
  const field = (start: number, end: number) => toHex(bytes.subarray(at + start, at + end))
  const identity = `arp ${toHex(bytes.subarray(at + operation, behind))}`
  return {
    identity,
    datagram: identity,
    flow: `arp ${field(operation, operation + 2)} ${field(senderIp, targetMac)} ${field(targetIp, targetIp + 4)}`,
  }
}
