/** ICMPv6 that IPv6 itself sends on one link: ndisc_send_skb, net/ipv6/ndisc.c; mld_sendpack, mcast.c. */
import { fold, setU16, sumOf } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import { Hook, runHook } from '../netfilter/hooks.ts'
import type { Journey } from '../observer.ts'
import { newPacket } from '../packet.ts'
import { keyOf } from './address.ts'
import {
  DESTINATION_AT,
  ETHERTYPE_IPV6,
  HEADER_LENGTH,
  HOP_LIMIT_AT,
  NEXT_HEADER_AT,
  NextHeader,
  SOURCE_AT,
  writeFlow,
  writePayloadLength,
} from './header.ts'
import { Ipv6Route } from './route.ts'

export interface LinkMessage {
  readonly source: Uint8Array
  readonly destination: Uint8Array
  readonly hopLimit: number
  /** Between the header and ICMPv6: none, or hop-by-hop options. */
  readonly extension?: Uint8Array
  /** From the type on; the checksum is filled in. */
  readonly icmp: Uint8Array
}

export function sendOnLink(device: Device, message: LinkMessage, journey?: Journey): void {
  const { source, destination, hopLimit, extension, icmp } = message
  const before = extension?.length ?? 0
  const packet = newPacket(HEADER_LENGTH + before + icmp.length, device, ETHERTYPE_IPV6)
  const { bytes, network } = packet
  writeFlow(bytes, network, 0, 0)
  writePayloadLength(packet)
  bytes[network + NEXT_HEADER_AT] = extension ? NextHeader.hopByHop : NextHeader.icmp
  bytes[network + HOP_LIMIT_AT] = hopLimit
  bytes.set(source, network + SOURCE_AT)
  bytes.set(destination, network + DESTINATION_AT)
  if (extension) bytes.set(extension, network + HEADER_LENGTH)
  const at = network + HEADER_LENGTH + before
  packet.transport = at
  bytes.set(icmp, at)
  setU16(bytes, at + 2, 0)
  const pseudo = sumOf(bytes, network + SOURCE_AT, network + HEADER_LENGTH) + NextHeader.icmp + icmp.length
  setU16(bytes, at + 2, ~fold(sumOf(bytes, at, packet.end, pseudo)) & 0xffff)
  packet.journey = journey
  packet.route = new Ipv6Route({ type: 'unicast', device })
  const { namespace } = device
  const { ip6 } = namespace.hooks
  if (ip6.has(Hook.output) && !runHook(namespace, 'ip6', Hook.output, packet, undefined, device)) return
  if (ip6.has(Hook.postrouting) && !runHook(namespace, 'ip6', Hook.postrouting, packet, undefined, device)) return
  namespace.nd.output(packet, device, keyOf(destination))
}
