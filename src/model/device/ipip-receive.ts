/**
 * IPIP's way in, and ICMP errors about what went out: tunnel4_rcv, ipip_rcv and ipip_err, net/ipv4/ipip.c; ip_tunnel_rcv,
 * net/ipv4/ip_tunnel.c.
 */
import { u32 } from '../bytes.ts'
import { formatAddress } from '../ipv4/address-text.ts'
import { sendIcmpError } from '../ipv4/icmp.ts'
import { learnFromIcmp } from '../ipv4/path-learning.ts'
import { drop, note } from '../observer.ts'
import { type Packet, scrub } from '../packet.ts'
import type { TransportProtocol } from '../transport.ts'
import { decapsulateEcn } from './ecn.ts'
import { findIpip } from './ipip-lookup.ts'

const HEADER = 20
const SOURCE_AT = 12
const DESTINATION_AT = 16

const Icmp = { unreachable: 3, redirect: 5, timeExceeded: 11 } as const
const Code = { ttl: 0, port: 3, fragmentationNeeded: 4, sourceRoute: 5 } as const

export const ipipProtocol: TransportProtocol = { receive, error }

function receive(packet: Packet): void {
  const { view, network, transport, end, device } = packet
  const [remote, local] = [view.getUint32(network + SOURCE_AT), view.getUint32(network + DESTINATION_AT)]
  const tunnel = end - transport < HEADER ? undefined : findIpip(device.namespace, device, remote, local)
  if (tunnel === undefined) {
    sendIcmpError(packet, Icmp.unreachable, Code.port, 0)
    drop(packet, 'NOT_SPECIFIED', 'tunnel4_rcv', {
      own: 'OVL_NO_IPIP',
      what: `no IPIP device here is for packets of ${formatAddress(remote)}`,
    })
    return
  }
  const tos = view.getUint8(network + 1)
  packet.network = packet.link = transport
  packet.checksum = 'none'
  if (!decapsulateEcn(packet, tos)) {
    tunnel.statistics.rxErrors++
    drop(packet, 'NOT_SPECIFIED', 'ip_tunnel_rcv', {
      own: 'OVL_IPIP_ECN',
      what: 'congestion was met by a packet that knows none: RFC 6040',
      device: tunnel,
    })
    return
  }
  tunnel.countReceived(end - transport)
  scrub(packet, tunnel.underlay !== tunnel.namespace)
  packet.device = tunnel
  if (packet.journey) note(packet, tunnel, 'decap', `IPIP from ${formatAddress(remote)}`, { kernel: 'ip_tunnel_rcv' })
  tunnel.namespace.model.enqueue(packet)
}

/** What is quoted was sent by a device here: the path learns, or senders of packets yet to come are told. */
function error(packet: Packet, type: number, code: number, info: number, quoted: number): void {
  const { bytes, device } = packet
  const address = (at: number) => u32(bytes, quoted + at)
  const tunnel = findIpip(device.namespace, device, address(DESTINATION_AT), address(SOURCE_AT))
  if (tunnel === undefined || !matters(type, code)) return
  if (type === Icmp.redirect || (type === Icmp.unreachable && code === Code.fragmentationNeeded)) {
    learnFromIcmp(packet, type, code, info, quoted)
    return
  }
  // An inherited TTL was the sender's: to run out is what it may be meant to.
  if (tunnel.remote === 0 || (tunnel.ttl === 0 && type === Icmp.timeExceeded)) return
  tunnel.noteError()
}

function matters(type: number, code: number): boolean {
  if (type === Icmp.unreachable) return code !== Code.sourceRoute
  return type === Icmp.redirect || (type === Icmp.timeExceeded && code === Code.ttl)
}
