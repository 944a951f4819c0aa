/**
 * One frame to one destination: vxlan_xmit_one, drivers/net/vxlan/vxlan_core.c.
 *
 * The source port tells flows apart, for the underlay's routers. DF is clear: what does not fit the underlay is fragmented.
 */

import { IpProtocol } from '../../wire/ipv4.ts'
import { fold, sumOfView, u32 } from '../bytes.ts'
import { formatAddress } from '../ipv4/address-text.ts'
import { sendIpv4 } from '../ipv4/output.ts'
import type { Ipv4Route } from '../ipv4/route.ts'
import { type OutputError, rememberedOutput, routeOutput } from '../ipv4/route-output.ts'
import { drop, note } from '../observer.ts'
import { ETHERNET_HEADER, ensureHeadroom, type Packet, PacketFor, scrub } from '../packet.ts'
import { Bridge } from './bridge.ts'
import type { Device } from './device.ts'
import { dsFieldOf, encapsulateEcn } from './ecn.ts'
import { flowHash } from './flow-hash.ts'
import { VXLAN_HEADROOM, type Vxlan } from './vxlan.ts'
import type { VxlanRemote } from './vxlan-fdb.ts'
import { tooBigAnswer } from './vxlan-path-mtu.ts'
import { findVxlan, headerLength, LOOPBACK_VTEP } from './vxlan-receive.ts'

const UDP_HEADER = 8
const VXLAN_HEADER = 8
/** All that is pushed before the inner frame: two headers here, IPv4's and Ethernet's further down. */
const ROOM = 20 + ETHERNET_HEADER + UDP_HEADER + VXLAN_HEADER

const FLAG_VNI = 0x08
const FLAG_GBP = 0x80

const PORT_RANGE = 'net/ipv4/ip_local_port_range'

export class VxlanSender {
  readonly #vxlan: Vxlan
  readonly #hashKey: number
  /** The address that it sends from; 0: the route's. */
  readonly #local: number
  /** Of the lookup and the sending that are being made: two objects for all packets. */
  readonly #key = {
    destination: 0,
    source: 0,
    mark: 0,
    tos: 0,
    protocol: IpProtocol.udp,
    sourcePort: 0,
    destinationPort: 0,
    outputDevice: undefined as Device | undefined,
  }
  readonly #sending: {
    source: number
    destination: number
    protocol: number
    ttl: number | undefined
    tos: number
    dontFragment: boolean
    route: Ipv4Route | undefined
  } = {
    source: 0,
    destination: 0,
    protocol: IpProtocol.udp,
    ttl: undefined,
    tos: 0,
    dontFragment: false,
    route: undefined,
  }
  /** Of the settings that the ports were read from. */
  #generation = -1
  #firstPort = 0
  #ports = 0

  constructor(vxlan: Vxlan) {
    this.#vxlan = vxlan
    this.#hashKey = vxlan.namespace.model.seed
    this.#local = vxlan.local ? u32(vxlan.local, 0) : 0
  }

  /** `packet.link` is the inner frame's first byte. */
  send(packet: Packet, remote: VxlanRemote): void {
    const vxlan = this.#vxlan
    const { underlay } = vxlan
    if (packet.end < packet.network + headerLength(packet.protocol)) {
      vxlan.statistics.txDropped++
      drop(packet, 'PKT_TOO_SMALL', 'vxlan_xmit_one', { what: 'the IP header is cut off' })
      return
    }
    const destination = remote.address
    if (destination === 0) {
      refuseRemote(packet)
      return
    }
    const sourcePort = this.#sourcePort(packet)
    const known = remote.generation === underlay.fib.generation ? remote.route : undefined
    const route = known ?? this.#findRoute(packet, remote, sourcePort)
    if (typeof route === 'string' || route.device === vxlan) {
      refuseRoute(packet, route, destination)
      return
    }
    if (route.isLocal && route.type === 'local') {
      this.#bypass(packet, remote)
      return
    }
    const inner = packet.end - packet.network
    const room = route.mtu - VXLAN_HEADROOM
    if (inner > room && this.#tooBig(packet, room)) return

    const sending = this.#sending
    sending.source = this.#local || route.source
    sending.destination = destination
    sending.ttl = vxlan.ttl || undefined
    sending.tos = encapsulateEcn(0, dsFieldOf(packet))
    sending.route = route
    if (packet.journey) this.#noteEncapsulation(packet, remote, sending.source, sourcePort)
    this.#push(packet, remote, sourcePort, sending.source)
    scrub(packet, underlay !== vxlan.namespace)
    // All that is refused here is what a hook has dropped, and said so: no frame that the device takes is too long for IPv4.
    const refused = sendIpv4(underlay, packet, sending)
    if (refused === undefined) vxlan.countSent(inner)
    else vxlan.statistics.txDropped++
  }

  /** udp_tunnel_dst_lookup. What is the same for every packet is kept with the destination. */
  #findRoute({ mark }: Packet, remote: VxlanRemote, sourcePort: number): Ipv4Route | OutputError {
    const { underlay } = this.#vxlan
    const key = this.#key
    key.destination = remote.address
    key.source = this.#local
    key.mark = mark
    key.sourcePort = sourcePort
    key.destinationPort = remote.port
    key.outputDevice = remote.via === 0 ? undefined : underlay.devices.at(remote.via)
    if (remote.via !== 0 && !key.outputDevice) return 'ENODEV'
    const route = routeOutput(underlay, key)
    const { fib } = underlay
    if (
      remote.via === 0 &&
      fib.onlyDestinationMatters &&
      rememberedOutput(fib, key.source, key.destination) === route
    ) {
      remote.route = route
      remote.generation = fib.generation
    }
    return route
  }

  /** udp_flow_src_port. */
  #sourcePort(packet: Packet): number {
    let hash = packet.flowHash || flowHash(packet, packet.protocol, this.#hashKey)
    hash = (hash ^ (hash << 16)) >>> 0
    if (this.#generation !== this.#vxlan.namespace.sysctl.generation) this.#readPorts()
    return Math.floor((hash * this.#ports) / 0x1_0000_0000) + this.#firstPort
  }

  #readPorts(): void {
    const { sysctl } = this.#vxlan.namespace
    const [first, last] = sysctl.numbers(PORT_RANGE)
    this.#firstPort = first!
    this.#ports = last! - first!
    this.#generation = sysctl.generation
  }

  /** vxlan_build_skb and udp_tunnel_xmit_skb: VXLAN and UDP headers before the frame. */
  #push(packet: Packet, remote: VxlanRemote, sourcePort: number, source: number): void {
    const vxlan = this.#vxlan
    ensureHeadroom(packet, packet.link, ROOM)
    const { view, end } = packet
    const header = packet.link - VXLAN_HEADER
    const sendsGroup = vxlan.gbp && packet.mark !== 0
    view.setInt32(header, sendsGroup ? ((FLAG_VNI | FLAG_GBP) << 24) | (packet.mark & 0xffff) : FLAG_VNI << 24)
    view.setInt32(header + 4, remote.vni << 8)
    const udp = header - UDP_HEADER
    view.setInt32(udp, (sourcePort << 16) | remote.port)
    view.setInt32(udp + 4, (end - udp) << 16)
    packet.transport = udp
    packet.link = packet.network = udp
    packet.protocol = 0x0800
    packet.checksum = 'none'
    if (vxlan.udpChecksum) fillUdpChecksum(packet, source, remote.address)
  }

  /**
   * skb_tunnel_check_pmtu: the frame does not fit. The sender's route learns of it; the frame is sent in fragments all the same.
   * A bridge port answers the sender itself, instead. True when it has.
   */
  #tooBig(packet: Packet, room: number): boolean {
    const vxlan = this.#vxlan
    const route = packet.route as Ipv4Route | undefined
    if (packet.protocol === 0x0800 && route) {
      vxlan.namespace.ipv4.pathMtus.update(route, u32(packet.bytes, packet.network + 16), room)
    }
    const answer = vxlan.master instanceof Bridge ? tooBigAnswer(packet, room) : undefined
    if (!answer) return false
    answer.journey = packet.journey?.spawn('icmp')
    drop(packet, 'NOT_SPECIFIED', 'iptunnel_pmtud_build_icmp', {
      own: 'OVL_VXLAN_TOO_BIG',
      what: `the way below the tunnel passes ${room} bytes: the bridge port answers in the destination's name`,
    })
    this.#receive(answer, vxlan)
    return true
  }

  /** vxlan_encap_bypass: the destination is this very host. */
  #bypass(packet: Packet, remote: VxlanRemote): void {
    const vxlan = this.#vxlan
    // vxlan_find_sock looks for a socket that is bound to the entry's own way out. None is.
    const target = remote.via === 0 ? findVxlan(vxlan.underlay, remote.port, remote.vni) : undefined
    if (!target) {
      drop(packet, 'VXLAN_VNI_NOT_FOUND', 'encap_bypass_if_local', { what: `this host has no VNI ${remote.vni}` })
      return
    }
    if (target.learning) target.fdb.learn(packet, packet.link + 6, LOOPBACK_VTEP)
    this.#receive(packet, target)
  }

  /** As if it had come in by the tunnel. */
  #receive(packet: Packet, target: Vxlan): void {
    packet.device = target
    packet.for = PacketFor.host
    packet.stamp = 0 // ip_forward and br_forward_finish have cleared it
    target.namespace.model.enqueue(packet)
  }

  #noteEncapsulation(packet: Packet, remote: VxlanRemote, source: number, port: number): void {
    const what = `VNI ${remote.vni} to ${formatAddress(remote.address)}`
    note(packet, this.#vxlan, 'encap', what, {
      kernel: 'vxlan_xmit_one',
      meta: { source: formatAddress(source), sourcePort: port, destinationPort: remote.port, vni: remote.vni },
    })
  }
}

function fillUdpChecksum(packet: Packet, source: number, destination: number): void {
  const { view, transport, end } = packet
  const addresses = (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff)
  const pseudo = addresses + IpProtocol.udp + end - transport
  // "If the computed checksum is zero, it is transmitted as all ones": RFC 768.
  view.setUint16(transport + 6, ~fold(sumOfView(view, transport, end, pseudo)) & 0xffff || 0xffff)
  packet.checksum = 'verified'
}

function refuseRemote(packet: Packet): void {
  drop(packet, 'NOT_SPECIFIED', 'vxlan_xmit_one', { own: 'OVL_VXLAN_NO_REMOTE', what: 'the entry names no host' })
}

function refuseRoute(packet: Packet, route: Ipv4Route | string, destination: number): void {
  const what =
    typeof route === 'string' ? `${route}: no route to ${formatAddress(destination)}` : 'the route leads back here'
  drop(packet, 'IP_OUTNOROUTES', 'vxlan_xmit_one', { what })
}
