/** Tells a neighbour that the next hop is its neighbour, too: ndisc_send_redirect, net/ipv6/ndisc.c; RFC 4861 §8.2. */
import { SECOND } from '../clock.ts'
import { NUD_VALID } from '../neighbour/state.ts'
import { note } from '../observer.ts'
import type { Packet } from '../packet.ts'
import { isLinkLocal, keyAt, keyOf, sameAddress, textOf } from './address.ts'
import { DESTINATION_AT, HEADER_LENGTH, MIN_MTU, SOURCE_AT } from './header.ts'
import { sendOnLink } from './link-send.ts'
import { NdOption, NdType } from './ndp-send.ts'
import type { Ipv6Route } from './route.ts'
import { routeOutput6 } from './route-output.ts'
import { linkLocalOf } from './select-address.ts'

const REDIRECTED_HEADER = 4
const FIXED = 40

/** Once a second for each destination, and for each sender. */
export function sendRedirect6(packet: Packet, { gateway }: Ipv6Route): void {
  const { bytes, network, device, end } = packet
  const { namespace } = device
  const { icmpLimits } = namespace.ipv6
  const destination = bytes.slice(network + DESTINATION_AT, network + DESTINATION_AT + 16)
  const sender = bytes.slice(network + SOURCE_AT, network + SOURCE_AT + 16)
  const target = gateway ?? destination
  if (!icmpLimits.take(keyOf(destination), SECOND)) return
  const source = linkLocalOf(device)
  if (!source || (!sameAddress(destination, target) && !isLinkLocal(target))) return
  const back = routeOutput6(namespace, { destination: sender, source, outputDevice: device })
  if (typeof back === 'string' || back.gateway || back.isLocal || !icmpLimits.take(keyAt(sender, 0), SECOND)) return
  const neighbour = namespace.nd.ensure(device, keyOf(target))
  const known = device.hasLinkLayer && (neighbour.state & NUD_VALID) !== 0
  const option = known ? [NdOption.target, 1, ...neighbour.mac] : []
  const room = MIN_MTU - HEADER_LENGTH - FIXED - option.length
  const quoted = Math.min(room, end - network + 8) & ~7
  const icmp = new Uint8Array(FIXED + option.length + quoted)
  icmp[0] = NdType.redirect
  icmp.set(target, 8)
  icmp.set(destination, 24)
  icmp.set(option, FIXED)
  const at = FIXED + option.length
  icmp[at] = REDIRECTED_HEADER
  icmp[at + 1] = quoted >> 3
  icmp.set(bytes.subarray(network, network + quoted - 8), at + 8)
  if (packet.journey)
    note(packet, device, 'icmp', `${textOf(sender)} is told of ${textOf(target)}`, { kernel: 'ndisc_send_redirect' })
  sendOnLink(device, { source, destination: sender, hopLimit: 255, icmp }, packet.journey?.spawn('nd'))
}
