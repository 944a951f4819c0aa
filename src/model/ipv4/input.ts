/** The way in: ip_rcv to ip_rcv_finish, net/ipv4/ip_input.c; ip_error, net/ipv4/route.c. */
import { fold, sumOf, sumOf20, u32 } from '../bytes.ts'
import { Hook, runHook } from '../netfilter/hooks.ts'
import { drop, unsupported } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import { pullForEarlyDemux } from '../pieces.ts'
import { deliverLocal } from './deliver.ts'
import { forward } from './forward.ts'
import { HEADER_LENGTH, headerLength, PROTOCOL_AT, SOURCE_AT } from './header.ts'
import { sendIcmpError } from './icmp.ts'
import type { Ipv4Route } from './route.ts'
import { routeInput } from './route-input.ts'
import { describeRoute } from './route-text.ts'
import { rpFilterSetting } from './source-validation.ts'

const UNREACHABLE = 3

export function receiveIpv4(packet: Packet): void {
  if (packet.for === PacketFor.otherhost) {
    drop(packet, 'OTHERHOST', 'ip_rcv_core', NOT_OURS)
    return
  }
  const { view, network, device } = packet
  const available = packet.end - network
  if (available < HEADER_LENGTH) {
    refuseHeader(packet, available, 0, 0)
    return
  }
  // Version and header length, type of service, length.
  const word = view.getInt32(network)
  const header = ((word >>> 24) & 15) * 4
  const length = word & 0xffff
  const isWhole = header >= HEADER_LENGTH && header <= length && length <= available
  if (!isWhole || word >>> 28 !== 4 || !isHeaderSumRight(packet, header)) {
    refuseHeader(packet, available, header, length)
    return
  }
  // Ethernet pads what is short.
  packet.end = network + length
  packet.transport = network + header
  packet.fragmentMaxSize = 0
  packet.fragmentsDontFragment = false
  const { hooks } = device.namespace
  if (hooks.ip.concern(packet, Hook.prerouting)) {
    if (!runHook(device.namespace, 'ip', Hook.prerouting, packet, device, undefined)) return
  }
  finishIpv4(packet)
}

const NOT_OURS = { what: 'the frame is for another MAC address' }

function isHeaderSumRight({ bytes, view, network }: Packet, header: number): boolean {
  const sum = header === HEADER_LENGTH ? sumOf20(view, network) : sumOf(bytes, network, network + header)
  return fold(sum) === 0xffff
}

/** In the order of ip_rcv_core: what is no header, its checksum, then the packet's length. */
function refuseHeader(packet: Packet, available: number, header: number, length: number): void {
  const { bytes, network } = packet
  if (available < HEADER_LENGTH || header < HEADER_LENGTH || bytes[network]! >> 4 !== 4 || available < header) {
    drop(packet, 'IP_INHDR', 'ip_rcv_core', { what: 'no IPv4 header' })
  } else if (!isHeaderSumRight(packet, header)) {
    drop(packet, 'IP_CSUM', 'ip_rcv_core', { what: "the header's checksum is wrong" })
  } else if (available < length) {
    drop(packet, 'PKT_TOO_SMALL', 'ip_rcv_core', { what: `${available} of ${length} bytes are there` })
  } else drop(packet, 'IP_INHDR', 'ip_rcv_core', { what: `length ${length} is less than the header's` })
}

/** ip_rcv_finish: behind PREROUTING. What came back from this host (loopback) has its route already. */
function finishIpv4(packet: Packet): void {
  if (packet.route === undefined) {
    if (packet.fragmentSizes !== undefined && isForEarlyDemux(packet)) pullForEarlyDemux(packet)
    const refused = routeInput(packet)
    if (refused !== undefined) {
      refuseSource(packet, refused)
      return
    }
  }
  if (headerLength(packet) > HEADER_LENGTH && !acceptOptions(packet)) return
  const route = packet.route as Ipv4Route
  const isGroupFrame = packet.for === PacketFor.broadcast || packet.for === PacketFor.multicast
  if (isGroupFrame && !route.isForMany && isRefusedInGroupFrame(packet)) return
  if (route.error !== undefined) refuse(packet, route)
  else if (route.isLocal) deliverLocal(packet)
  else if (route.isInput) forward(packet)
  else refuseOutputRoute(packet)
}

const TCP = 6

function isForEarlyDemux({ bytes, network, device, for: whom }: Packet): boolean {
  const { ip_early_demux, tcp_early_demux } = device.namespace.ipv4.settings
  const isAsked = ip_early_demux !== 0 && tcp_early_demux !== 0
  return isAsked && whom === PacketFor.host && bytes[network + PROTOCOL_AT] === TCP
}

function refuseSource(packet: Packet, reason: string): void {
  drop(packet, reason, 'ip_rcv_finish_core', reason === 'IP_RPFILTER' ? { ref: rpFilterSetting(packet.device) } : {})
}

function isRefusedInGroupFrame(packet: Packet): boolean {
  const { ipv4, namespace } = packet.device
  if (ipv4.conf.drop_unicast_in_l2_multicast === 0 && namespace.ipv4.all.drop_unicast_in_l2_multicast === 0)
    return false
  drop(packet, 'UNICAST_IN_L2_MULTICAST', 'ip_rcv_finish_core')
  return true
}

/** Only vxlan_encap_bypass gives a packet of this host back to it with the route that it left by. */
function refuseOutputRoute(packet: Packet): void {
  drop(packet, 'NOT_SPECIFIED', 'dst_discard', {
    own: 'OVL_OUTPUT_ROUTE',
    what: 'this host sent it, and gets it back from its own tunnel',
  })
}

const END_OF_OPTIONS = 0
const NO_OPERATION = 1
const ROUTER_ALERT = 148
/** Record route, timestamp, source routes, CIPSO: they would have this host write into the packet, or send it elsewhere. */
const NOT_MODELLED: readonly number[] = [7, 68, 131, 137, 134]

/** ip_rcv_options: what is unknown passes. */
function acceptOptions(packet: Packet): boolean {
  const { bytes, network, transport } = packet
  let at = network + HEADER_LENGTH
  while (at < transport) {
    const type = bytes[at]!
    if (type === END_OF_OPTIONS) return true
    if (type === NO_OPERATION) {
      at++
      continue
    }
    const length = bytes[at + 1]!
    if (at + 1 >= transport || length < 2 || at + length > transport) {
      refuseOption(packet, at, type)
      return false
    }
    if (type === ROUTER_ALERT && length < 4) {
      refuseOption(packet, at + 1, type)
      return false
    }
    if (NOT_MODELLED.includes(type)) {
      unsupported(packet, `IPv4 option ${type}`)
      return false
    }
    at += length
  }
  return true
}

/** Parameter problem: the byte at `at` is wrong. */
function refuseOption(packet: Packet, at: number, type: number): void {
  sendIcmpError(packet, 12, 0, ((at - packet.network) << 24) >>> 0)
  drop(packet, 'IP_INHDR', 'ip_rcv_finish_core', { what: `option ${type} is malformed` })
}

/** What a route's error is to the packet's sender, and to who looks for the packet. */
const refusals = {
  ENETUNREACH: { code: 0, reason: 'IP_INNOROUTES', own: undefined, what: 'no route' },
  EHOSTUNREACH: { code: 1, reason: 'NOT_SPECIFIED', own: 'OVL_ROUTE_UNREACHABLE', what: 'an unreachable route' },
  EACCES: { code: 13, reason: 'NOT_SPECIFIED', own: 'OVL_ROUTE_PROHIBIT', what: 'a prohibit route' },
  EINVAL: { code: undefined, reason: 'NOT_SPECIFIED', own: 'OVL_ROUTE_BLACKHOLE', what: 'a blackhole route' },
  EAGAIN: { code: undefined, reason: 'NOT_SPECIFIED', own: undefined, what: 'no route' },
} as const

/** ip_error */
function refuse(packet: Packet, { error, fib, rule }: Ipv4Route): void {
  const { device } = packet
  const { namespace } = device
  const ref = packet.journey && (fib ? `route ${describeRoute(fib)}` : rule && `rule ${rule}`)
  if (device.ipv4.conf.forwarding === 0) {
    drop(packet, error === 'ENETUNREACH' ? 'IP_INNOROUTES' : 'IP_INADDRERRORS', 'ip_error', {
      what: `not for this host, and ${device.name} does not forward`,
      ref: `sysctl net/ipv4/conf/${device.name}/forwarding 0`,
    })
    return
  }
  const { code, reason, own, what } = refusals[error!]
  if (code !== undefined) {
    const source = u32(packet.bytes, packet.network + SOURCE_AT)
    if (namespace.ipv4.icmpLimits.allowError(source)) sendIcmpError(packet, UNREACHABLE, code, 0)
  }
  drop(packet, reason, 'ip_error', { own, ref, what })
}
