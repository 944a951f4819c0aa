/**
 * A bridged packet that was given another destination (DNAT, or SNAT undone): br_nf_pre_routing_finish and what follows it,
 * net/bridge/br_netfilter_hooks.c.
 */
import { formatMac } from '../../../address/mac.ts'
import { u32 } from '../../bytes.ts'
import type { Bridge } from '../../device/bridge.ts'
import type { Device } from '../../device/device.ts'
import type { Ipv4Route } from '../../ipv4/route.ts'
import { routeInput } from '../../ipv4/route-input.ts'
import { keyAt } from '../../ipv6/address.ts'
import type { Ipv6Route } from '../../ipv6/route.ts'
import { routeInput6 } from '../../ipv6/route-input.ts'
import type { Neighbour } from '../../neighbour/entry.ts'
import { NUD_CONNECTED } from '../../neighbour/state.ts'
import { drop, note } from '../../observer.ts'
import { type Packet, PacketFor } from '../../packet.ts'
import { Verdict, type VerdictNumber } from '../hooks.ts'

/** Offset in the IPv6 header. */
const DESTINATION6 = 24

/** `packet.device` is the bridge. */
export function takeElsewhere(packet: Packet, bridge: Bridge, port: Device): VerdictNumber {
  packet.route = undefined
  const reason = routeInput(packet)
  if (reason !== undefined) {
    drop(packet, reason, 'br_nf_pre_routing_finish', { what: 'its new destination cannot be routed to' })
    return Verdict.stolen
  }
  const { type, device, gateway } = packet.route as unknown as Ipv4Route
  if (type !== 'unicast' || device !== bridge) return handUp(packet, bridge, port)
  const nextHop = gateway === 0 ? u32(packet.bytes, packet.network + 16) : gateway
  return bridgeTo(packet, bridge, port, bridge.namespace.arp.ensure(bridge, nextHop))
}

/** The way leads elsewhere: up the stack, to be routed. */
function handUp(packet: Packet, bridge: Bridge, port: Device): VerdictNumber {
  packet.bytes.set(bridge.mac, packet.link)
  packet.for = PacketFor.host
  packet.device = port
  return Verdict.accept
}

/** br_nf_pre_routing_finish_bridge: the same bridge leads there. The destination's MAC is put in, the source's stays. */
function bridgeTo(packet: Packet, bridge: Bridge, port: Device, neighbour: Neighbour): VerdictNumber {
  const { bytes, link } = packet
  if ((neighbour.state & NUD_CONNECTED) === 0 || !neighbour.hasHeader) {
    // It goes through the neighbour, as the bridge's own packets do, where captures on the bridge see it, and comes back.
    packet.bridged!.source = bytes.slice(link + 6, link + 12)
    neighbour.output(packet)
    return Verdict.stolen
  }
  if (packet.journey)
    note(packet, bridge, 'bridge', 'bridged to its new destination, not routed', {
      kernel: 'br_nf_pre_routing_finish_bridge',
      ref: `neigh ${neighbour.describe()}`,
      set: { 'eth.dst': [formatMac(bytes.subarray(link, link + 6)), formatMac(neighbour.mac)] },
    })
  bytes.set(neighbour.mac, link)
  packet.device = port
  return Verdict.accept
}

/** br_nf_dev_xmit: the bridge is to send a bridged packet whose neighbour is known now. True: it goes on where it was. */
export function resumeRedirected(packet: Packet, bridge: Bridge): boolean {
  const { bridged } = packet
  if (bridged?.source === undefined) return false
  const source = sourceBefore(packet)
  if (source === undefined) {
    refuseGone(packet, 'br_nf_dev_xmit')
    return true
  }
  packet.bytes.set(source, packet.link + 6)
  bridged.source = undefined
  bridged.output = undefined
  packet.device = bridged.input
  packet.for = PacketFor.host
  const port = bridge.portOf(bridged.input)
  if (port) port.finish(packet)
  else refuseGone(packet, 'br_handle_frame_finish')
  return true
}

/** The MAC that a packet will have again which goes through its new neighbour; undefined of others, and where its port was deleted. */
export function sourceBefore({ bridged }: Packet): Uint8Array | undefined {
  if (bridged?.source === undefined) return undefined
  const { input, source } = bridged
  return input.namespace.devices.at(input.index) === input ? source : undefined
}

function refuseGone(packet: Packet, kernel: string): void {
  drop(packet, 'NOT_SPECIFIED', kernel, { own: 'OVL_BRIDGE_PORT_GONE', what: 'the port that it came in by is gone' })
}

/** The same for IPv6: br_nf_pre_routing_finish_ipv6. */
export function takeElsewhere6(packet: Packet, bridge: Bridge, port: Device): VerdictNumber {
  packet.route = undefined
  routeInput6(packet)
  const { error, device, gatewayKey } = packet.route as unknown as Ipv6Route
  if (error !== undefined) {
    drop(packet, 'NOT_SPECIFIED', 'br_nf_pre_routing_finish_ipv6', {
      own: 'OVL_NO_ROUTE',
      what: 'its new destination cannot be routed to',
    })
    return Verdict.stolen
  }
  if (device !== bridge) return handUp(packet, bridge, port)
  const key = gatewayKey ?? keyAt(packet.bytes, packet.network + DESTINATION6)
  return bridgeTo(packet, bridge, port, bridge.namespace.nd.ensure(bridge, key))
}
