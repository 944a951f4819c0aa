/**
 * VXLAN's UDP socket: one for each port of a namespace, shared by the devices that are up. What comes in goes to the device
 * with its VNI. Source: vxlan_rcv, drivers/net/vxlan/vxlan_core.c.
 */
import { formatMac } from '../../address/mac.ts'
import type { Subscription } from '../../kernel/live.ts'
import { u32 } from '../bytes.ts'
import type { Namespace } from '../namespace.ts'
import { drop, note } from '../observer.ts'
import { ETHERNET_HEADER, type Packet, scrub } from '../packet.ts'
import { decapsulateEcn } from './ecn.ts'
import { etherTypeTrans, isMacOf } from './ethernet.ts'
import type { Vxlan } from './vxlan.ts'

const UDP_HEADER = 8
const UDP_CHECKSUM_AT = 6
const VXLAN_HEADER = 8
const FLAG_VNI = 0x08
const FLAG_GBP = 0x80
/** VXLAN_GBP_DONT_LEARN, VXLAN_GBP_POLICY_APPLIED, in the header's second byte. */
const GBP_BITS = 0x48
/** Of the header's first word: the flags, those bits, and the group. */
const KNOWN_WITH_GBP = ((FLAG_VNI | FLAG_GBP) << 24) | (GBP_BITS << 16) | 0xffff
const SOURCE_AT = 12

/** 127.0.0.1: what a frame was learned from that did not leave the host. */
export const LOOPBACK_VTEP = 0x7f000001

/** struct vxlan_sock */
interface VxlanSocket {
  readonly devices: Map<number, Vxlan>
  /** The device of the last packet: most are for the same as the one before. */
  last: Vxlan | undefined
  readonly subscription: Subscription
}

const sockets = new WeakMap<Namespace, Map<number, VxlanSocket>>()

/** vxlan_sock_add. KernelError EADDRINUSE: the port is somebody else's. */
export function openSocket(vxlan: Vxlan): void {
  const { underlay, port } = vxlan
  let ofNamespace = sockets.get(underlay)
  if (!ofNamespace) {
    ofNamespace = new Map()
    sockets.set(underlay, ofNamespace)
  }
  let socket = ofNamespace.get(port)
  if (!socket) {
    const subscription = underlay.sockets.bindEncapsulation(port, (packet) => receive(packet, made))
    const made: VxlanSocket = { devices: new Map(), last: undefined, subscription }
    socket = made
    ofNamespace.set(port, made)
  }
  socket.devices.set(vxlan.vni, vxlan)
}

/** vxlan_sock_release: the last device closes the port. */
export function closeSocket(vxlan: Vxlan): void {
  const ofNamespace = sockets.get(vxlan.underlay)
  const socket = ofNamespace?.get(vxlan.port)
  if (!ofNamespace || !socket) return
  socket.devices.delete(vxlan.vni)
  socket.last = undefined
  if (socket.devices.size > 0) return
  socket.subscription.close()
  ofNamespace.delete(vxlan.port)
}

/** vxlan_find_vni. */
export function findVxlan(underlay: Namespace, port: number, vni: number): Vxlan | undefined {
  return sockets.get(underlay)?.get(port)?.devices.get(vni)
}

/** vxlan_rcv: `packet.network` is the outer IPv4 header, `packet.transport` the UDP header. */
function receive(packet: Packet, socket: VxlanSocket): void {
  const { view, end } = packet
  const header = packet.transport + UDP_HEADER
  const fits = end >= header + VXLAN_HEADER && (view.getUint8(header) & FLAG_VNI) !== 0
  const vxlan = fits ? deviceOf(socket, view.getInt32(header + 4) >>> 8) : undefined
  if (vxlan === undefined || !hasKnownBits(view, header, vxlan)) {
    refuseHeader(packet, header, vxlan)
    return
  }
  const from = view.getUint32(packet.network + SOURCE_AT)
  const outerSum = view.getUint16(packet.transport + UDP_CHECKSUM_AT)
  const outerTos = view.getUint8(packet.network + 1)
  const link = header + VXLAN_HEADER
  if (end < link + ETHERNET_HEADER) {
    // What __iptunnel_pull_header says when it cannot pull.
    refuseFrame(packet, 'NOMEM', 'no room for an Ethernet header')
    return
  }
  const group = vxlan.gbp && (view.getUint8(header) & FLAG_GBP) !== 0 ? view.getUint16(header + 2) : undefined
  scrub(packet, vxlan.underlay !== vxlan.namespace)
  if (group !== undefined) packet.mark = group | ((view.getUint8(header + 1) & GBP_BITS) << 16)
  packet.link = link
  packet.checksum = outerSum === 0 ? 'none' : 'summed'
  packet.flowHash = 0
  etherTypeTrans(packet, vxlan)
  if (isMacOf(vxlan, view, link + 6)) {
    refuseFrame(packet, 'LOCAL_MAC', `the frame's source is ${vxlan.name}'s own MAC`)
    return
  }
  if (vxlan.learning) {
    const refusal = vxlan.fdb.learn(packet, link + 6, from)
    if (refusal !== undefined) {
      refuseFrame(
        packet,
        refusal,
        `${formatMac(packet.bytes.slice(link + 6, link + 12))} may not be learned from there`,
      )
      return
    }
  }
  if (end < packet.network + headerLength(packet.protocol)) {
    vxlan.statistics.rxErrors++
    refuseFrame(packet, 'PKT_TOO_SMALL', 'the IP header is cut off')
    return
  }
  if (!decapsulateEcn(packet, outerTos)) {
    vxlan.statistics.rxDropped++
    refuseFrame(packet, 'IP_TUNNEL_ECN', 'congestion was met by a packet that knows none: RFC 6040')
    return
  }
  vxlan.countReceived(end - packet.network)
  if (packet.journey) noteDecapsulation(packet, vxlan)
  vxlan.namespace.model.enqueue(packet)
}

function deviceOf(socket: VxlanSocket, vni: number): Vxlan | undefined {
  if (socket.last?.vni !== vni) socket.last = socket.devices.get(vni)
  return socket.last
}

/** pskb_inet_may_pull: as much of a frame's packet must be there. */
export function headerLength(protocol: number): number {
  return protocol === 0x0800 ? 20 : protocol === 0x86dd ? 40 : 0
}

function refuseFrame(packet: Packet, reason: string, what: string): void {
  drop(packet, reason, 'vxlan_rcv', { what })
}

function noteDecapsulation(packet: Packet, vxlan: Vxlan): void {
  note(packet, vxlan, 'decap', `VNI ${vxlan.vni}`, { kernel: 'vxlan_rcv', meta: { vni: vxlan.vni } })
}

/** In the order of vxlan_rcv. `vxlan`: the device of its VNI, whose reserved bits it has set. */
function refuseHeader(packet: Packet, header: number, vxlan: Vxlan | undefined): void {
  const { bytes, end } = packet
  if (vxlan) {
    vxlan.statistics.rxDropped++
    drop(packet, 'VXLAN_INVALID_HDR', 'vxlan_rcv', { what: 'reserved bits are set' })
  } else if (end < header + VXLAN_HEADER) {
    drop(packet, 'PKT_TOO_SMALL', 'vxlan_rcv', { what: 'no room for a VXLAN header' })
  } else if ((bytes[header]! & FLAG_VNI) === 0) {
    drop(packet, 'VXLAN_INVALID_HDR', 'vxlan_rcv', { what: 'the I flag is not set' })
  } else {
    const vni = u32(bytes, header + 4) >>> 8
    drop(packet, 'VXLAN_VNI_NOT_FOUND', 'vxlan_rcv', { what: `no device here has VNI ${vni}` })
  }
}

/** Reserved bits must be clear, which is stricter than RFC 7348; those of extensions that are on may be set. */
function hasKnownBits(view: DataView, header: number, { gbp }: Vxlan): boolean {
  const known = gbp ? KNOWN_WITH_GBP : FLAG_VNI << 24
  return (view.getInt32(header) & ~known) === 0 && view.getUint8(header + 7) === 0
}
