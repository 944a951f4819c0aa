/**
 * What is longer than the port's MTU, or came in fragments, is cut before it leaves: br_nf_dev_queue_xmit and
 * br_nf_ip_fragment, net/bridge/br_netfilter_hooks.c.
 */
import { u16 } from '../../bytes.ts'
import type { Bridge } from '../../device/bridge.ts'
import type { Device } from '../../device/device.ts'
import { fragmentIpv4 } from '../../ipv4/fragment.ts'
import type { Ipv4Route } from '../../ipv4/route.ts'
import { fragmentIpv6 } from '../../ipv6/fragment.ts'
import { sendIcmpv6Error } from '../../ipv6/icmp.ts'
import { drop, unsupported } from '../../observer.ts'
import { ETHERNET_HEADER, type Packet } from '../../packet.ts'
import { Verdict, type VerdictNumber } from '../hooks.ts'

const IPV4 = 0x0800
const IPV6_MIN_MTU = 1280
/** Of ICMPv6. */
const TOO_BIG = 2
const DONT_FRAGMENT = 0x4000

export function refragment(packet: Packet, bridge: Bridge, port: Device): VerdictNumber {
  const { fragmentMaxSize } = packet.bridged!
  const { bytes, network, link } = packet
  packet.bridged = undefined
  const most = fragmentMaxSize !== 0 ? Math.min(fragmentMaxSize, port.mtu) : port.mtu
  if (packet.end - network <= most) return Verdict.accept
  packet.fragmentMaxSize = fragmentMaxSize
  if (packet.protocol !== IPV4) return refragment6(packet, bridge, port)
  const route = packet.route as Ipv4Route | undefined
  const mtu = route === undefined || route === bridge.bridgedRoute ? bridge.bridgedMtu : route.mtu
  const whole = fragmentMaxSize === 0
  if ((whole && u16(bytes, network + 6) & DONT_FRAGMENT) || fragmentMaxSize > mtu) {
    drop(packet, 'NOT_SPECIFIED', 'br_nf_dev_queue_xmit', {
      own: 'OVL_BRIDGE_MTU',
      what: `${packet.end - network} bytes are more than the MTU ${most} of port ${port.name}`,
    })
    return Verdict.stolen
  }
  // One piece only, which is still too long for the port: the bridge says so.
  if (packet.end - network <= mtu && whole) return Verdict.accept
  const push = pushing(bytes.slice(link, link + ETHERNET_HEADER), bridge, port)
  const pushed = (fragment: Packet) => {
    push(fragment)
    return true // br_dev_queue_push_xmit says so in any case
  }
  fragmentIpv4(packet, mtu, pushed, true)
  return Verdict.stolen
}

/** ip6_fragment by way of the bridge: only what came in fragments leaves in such. */
function refragment6(packet: Packet, bridge: Bridge, port: Device): VerdictNumber {
  const { bytes, link, fragmentMaxSize } = packet
  if (fragmentMaxSize === 0) {
    unsupported(packet, 'a bridged IPv6 packet that is too long for its port')
    return Verdict.stolen
  }
  if (fragmentMaxSize > bridge.mtu) {
    packet.device = bridge
    sendIcmpv6Error(packet, TOO_BIG, 0, bridge.mtu)
    drop(packet, 'NOT_SPECIFIED', 'ip6_fragment', {
      own: 'OVL_BRIDGE_MTU',
      what: `it came in fragments of ${fragmentMaxSize} bytes, ${bridge.mtu} fit ${bridge.name}`,
    })
    return Verdict.stolen
  }
  const mtu = Math.max(fragmentMaxSize, IPV6_MIN_MTU)
  fragmentIpv6(packet, mtu, pushing(bytes.slice(link, link + ETHERNET_HEADER), bridge, port))
  return Verdict.stolen
}

/** br_nf_push_frag_xmit: each piece with the frame's header. */
function pushing(header: Uint8Array, bridge: Bridge, port: Device): (fragment: Packet) => void {
  return (fragment) => {
    fragment.link = fragment.network - ETHERNET_HEADER
    fragment.bytes.set(header, fragment.link)
    fragment.device = port
    bridge.pushTransmit(fragment)
  }
}
