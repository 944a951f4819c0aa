/** On to somebody else: ip_forward, net/ipv4/ip_forward.c. The order is the kernel's: TTL, size, redirect, then the hook. */
import type { Device } from '../device/device.ts'
import { Hook, runHook } from '../netfilter/hooks.ts'
import { drop, note } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import { hasDontFragment, priorityOf, TOS_AT, TTL_AT } from './header.ts'
import { sendIcmpError, sendRedirect } from './icmp.ts'
import { ipOutput } from './output.ts'
import type { Ipv4Route } from './route.ts'
import { describeRoute } from './route-text.ts'

export function forward(packet: Packet): void {
  if (packet.for !== PacketFor.host) {
    drop(packet, 'NOT_SPECIFIED', 'ip_forward', {
      own: 'OVL_NOT_FOR_HOST',
      what: 'came as a broadcast or multicast frame',
    })
    return
  }
  const { view, network, device } = packet
  const route = packet.route as Ipv4Route
  const { namespace } = device
  // TTL, protocol, checksum.
  const word = view.getInt32(network + TTL_AT)
  const ttl = word >>> 24
  if (ttl <= 1) {
    expire(packet, ttl)
    return
  }
  const mtu = route.mtuFor(true)
  const length = packet.end - network
  if (length > mtu && exceeds(packet, mtu)) {
    refuseSize(packet, route, length, mtu)
    return
  }
  // ip_decrease_ttl
  const checksum = (word & 0xffff) + 0x0100
  const carry = checksum >= 0xffff ? 1 : 0
  view.setInt32(network + TTL_AT, ((ttl - 1) << 24) | (word & 0xff_0000) | ((checksum + carry) & 0xffff))
  if (packet.journey) noteForward(packet, device, route, ttl)
  if (route.redirects) sendRedirect(packet)
  if (namespace.ipv4.settings.ip_forward_update_priority !== 0)
    packet.priority = priorityOf(view.getUint8(network + TOS_AT))
  if (namespace.hooks.ip.has(Hook.forward) && !runHook(namespace, 'ip', Hook.forward, packet, device, route.device))
    return
  ipOutput(packet, device)
}

function expire(packet: Packet, ttl: number): void {
  const { device } = packet
  if (packet.journey) note(packet, device, 'ttl', `ttl ${ttl} is used up`, { kernel: 'ip_forward', verdict: 'drop' })
  sendIcmpError(packet, 11, 0, 0)
  drop(packet, 'IP_INHDR', 'ip_forward', { what: 'time to live exceeded' })
}

function noteForward(packet: Packet, device: Device, route: Ipv4Route, ttl: number): void {
  note(packet, device, 'ttl', `${ttl} → ${ttl - 1}`, { kernel: 'ip_decrease_ttl', set: { 'ip.ttl': [ttl, ttl - 1] } })
  note(packet, device, 'forward', `to ${route.device.name}`, { kernel: 'ip_forward' })
}

/** ip_exceeds_mtu, of what is longer: whether it must not be cut. */
function exceeds(packet: Packet, mtu: number): boolean {
  if (!hasDontFragment(packet)) return false
  // What conntrack put together goes on in fragments as it came, if those fit.
  return !packet.ignoreDontFragment || packet.fragmentMaxSize > mtu
}

function refuseSize(packet: Packet, route: Ipv4Route, length: number, mtu: number): void {
  const what = `${length} bytes with DF, ${mtu} fit ${route.device.name}`
  let ref: string | undefined
  if (packet.journey) {
    const { fib, device } = route
    ref = fib?.metrics?.mtu === mtu ? `route ${describeRoute(fib)}` : `link ${device.name} mtu ${mtu}`
    note(packet, packet.device, 'mtu', what, { kernel: 'ip_forward', ref, verdict: 'drop' })
  }
  sendIcmpError(packet, 3, 4, mtu)
  drop(packet, 'PKT_TOO_BIG', 'ip_forward', { what, ref })
}
