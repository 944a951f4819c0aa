/**
 * A port of a bridge, and what comes in by it. Source: net/bridge/br_input.c.
 *
 *      handleFrame   br_handle_frame           the rx_handler: group addresses, port state, NF_BR_PRE_ROUTING
 *      finish        br_handle_frame_finish    learn, then up, to a port, or flooded
 *      passUp        br_pass_frame_up          NF_BR_LOCAL_IN, then received by the bridge's own device
 *
 * Spanning tree is not modelled: a port that is up forwards at once, as with STP off.
 */
import { formatMac } from '../../address/mac.ts'
import { KernelError } from '../../kernel/errors.ts'
import { EtherType } from '../../wire/ethernet.ts'
import { fold, sumOfView } from '../bytes.ts'
import { Hook, runHook } from '../netfilter/hooks.ts'
import { drop, note, unsupported } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import type { Bridge } from './bridge.ts'
import { Device, type DeviceEvent } from './device.ts'
import { isBroadcast, isGroup, isLinkLocalGroup, isMacOf, isValidSource } from './ethernet.ts'
import type { FdbEntry } from './fdb.ts'

/** BR_STATE_*. Listening, learning and blocking are spanning tree's. */
export type PortState = 'disabled' | 'forwarding'

/** enum br_pkt_type. */
export type FloodKind = 'unicast' | 'multicast' | 'broadcast'

/** BR_MAX_PORTS; number 0 is nobody's. */
const MOST_PORTS = 1024

const IGMP = 2
const IGMP_QUERY = 0x11

export class BridgePort {
  readonly bridge: Bridge
  readonly device: Device
  state: PortState = 'disabled'
  /** BR_HAIRPIN_MODE: what came in may go out again. */
  hairpin = false
  /** BR_ISOLATED: nothing passes from one isolated port to another. */
  isolated = false
  /** BR_LEARNING. */
  learning = true
  /** BR_FLOOD, BR_MCAST_FLOOD, BR_BCAST_FLOOD. */
  flood = true
  multicastFlood = true
  broadcastFlood = true
  /** BR_NEIGH_SUPPRESS. Kept and shown: with it, ARP ends as unsupported. */
  neighbourSuppression = false
  /** Of the spanning tree: kept and shown. */
  readonly number: number
  priority = 32
  cost: number

  constructor(bridge: Bridge, device: Device) {
    this.bridge = bridge
    this.device = device
    this.number = freeNumber(bridge)
    this.cost = pathCost(device)
  }

  deviceEvent(event: DeviceEvent): void {
    this.bridge.portEvent(this, event)
  }

  /** br_handle_frame. False: the frame is the port device's own after all. */
  handleFrame(packet: Packet): boolean {
    if (packet.for === PacketFor.loopback) return false
    const { view, link } = packet
    const isPlain = isValidSource(view, link + 6) && !isLinkLocalGroup(view, link)
    if (!isPlain || this.bridge.stp || this.state !== 'forwarding') {
      const taken = this.#handleSpecial(packet)
      if (taken !== undefined) return taken
    }
    if (isMacOf(this.bridge, view, link)) packet.for = PacketFor.host
    const { namespace } = this.device
    if (
      !namespace.hooks.bridge.has(Hook.prerouting) ||
      runHook(namespace, 'bridge', Hook.prerouting, packet, this.device, undefined)
    ) {
      this.finish(packet)
    }
    return true
  }

  /** What br_handle_frame has to say of frames that are not everyday ones; undefined: they go on as others. */
  #handleSpecial(packet: Packet): boolean | undefined {
    const { view, link } = packet
    if (this.bridge.stp) {
      unsupported(packet, 'spanning tree')
      return true
    }
    if (!isValidSource(view, link + 6)) {
      drop(packet, 'MAC_INVALID_SOURCE', 'br_handle_frame', { what: 'the source is a group address, or zero' })
      return true
    }
    if (isLinkLocalGroup(view, link)) {
      const last = view.getUint8(link + 5)
      if (last === 0x01) {
        drop(packet, 'MAC_IEEE_MAC_CONTROL', 'br_handle_frame', { what: 'a bridge forwards no MAC control frames' })
        return true
      }
      if (last !== 0x00) return this.#linkLocal(packet)
    }
    if (this.state === 'forwarding') return undefined
    drop(packet, 'BRIDGE_INGRESS_STP_STATE', 'br_handle_frame', { what: `port ${this.device.name} is ${this.state}` })
    return true
  }

  /** br_handle_frame_finish: behind NF_BR_PRE_ROUTING. */
  finish(packet: Packet): void {
    const { bridge } = this
    const { view, link } = packet
    if (this.state === 'disabled') {
      this.#refuseDisabled(packet)
      return
    }
    if (this.learning && bridge.fdb.learn(this, packet, link + 6) && packet.journey) this.#noteLearned(packet)
    if (packet.protocol === EtherType.arp && bridge.suppressesNeighbours) {
      unsupported(packet, 'neighbour suppression')
      return
    }
    const up = bridge.promiscuous
    if (isGroup(view, link)) {
      this.#group(packet)
      return
    }
    const entry = bridge.fdb.find(view, link)
    if (packet.journey) this.#noteEntry(packet, entry)
    if (entry?.local) {
      this.passUp(packet)
      return
    }
    if (entry === undefined) bridge.flood(packet, 'unicast', up, this)
    else bridge.forward(packet, entry.port, up, this)
    if (up) this.passUp(packet)
  }

  #refuseDisabled(packet: Packet): void {
    const what = `port ${this.device.name} is disabled`
    drop(packet, 'BRIDGE_INGRESS_STP_STATE', 'br_handle_frame_finish', { what })
  }

  #noteLearned(packet: Packet): void {
    const mac = formatMac(packet.bytes.subarray(packet.link + 6, packet.link + 12))
    note(packet, this.bridge, 'fdb', `learned ${mac} behind ${this.device.name}`, { kernel: 'br_fdb_update' })
  }

  #noteEntry(packet: Packet, entry: FdbEntry | undefined): void {
    const { bridge } = this
    if (entry?.local) return
    if (entry === undefined) {
      note(packet, bridge, 'bridge', 'destination not known: flooded', { kernel: 'br_flood' })
      return
    }
    const ref = `fdb ${formatMac(entry.mac)} dev ${entry.port?.device.name} master ${bridge.name}`
    note(packet, bridge, 'fdb', `behind ${entry.port?.device.name}`, { kernel: 'br_handle_frame_finish', ref })
  }

  /** br_pass_frame_up. */
  passUp(packet: Packet): void {
    const { bridge } = this
    if (packet.journey) {
      note(packet, bridge, 'bridge', `up to ${bridge.name}`, { kernel: 'br_pass_frame_up' })
    }
    bridge.countReceived(packet.end - packet.network)
    packet.device = bridge
    const { namespace } = this.device
    if (
      namespace.hooks.bridge.concern(packet, Hook.input) &&
      !runHook(namespace, 'bridge', Hook.input, packet, this.device, undefined)
    ) {
      return
    }
    namespace.model.receive(packet)
  }

  /** 01:80:c2:00:00:02 and above, with group_fwd_mask 0: learned from, then the port's own. */
  #linkLocal(packet: Packet): boolean {
    const { namespace } = this.device
    if (
      namespace.hooks.bridge.concern(packet, Hook.input) &&
      !runHook(namespace, 'bridge', Hook.input, packet, this.device, undefined)
    ) {
      return true
    }
    if (this.learning && this.state === 'forwarding') this.bridge.fdb.learn(this, packet, packet.link + 6)
    return false
  }

  /** Group addresses go to every port, and up: nobody asks who has joined while no querier is about. */
  #group(packet: Packet): void {
    const { bridge } = this
    if (isBroadcast(packet.view, packet.link)) {
      if (packet.journey) note(packet, bridge, 'bridge', 'broadcast: flooded, and up', { kernel: 'br_flood' })
      bridge.flood(packet, 'broadcast', true, this)
    } else {
      if (!isSoundToSnooping(packet)) {
        const what = 'no sound IP header: multicast snooping drops it'
        drop(packet, 'NOT_SPECIFIED', 'br_handle_frame_finish', { own: 'OVL_BRIDGE_SNOOPING', what })
        return
      }
      if (isIgmpQuery(packet)) {
        unsupported(packet, 'multicast snooping with a querier')
        return
      }
      if (packet.journey) note(packet, bridge, 'bridge', 'multicast: flooded, and up', { kernel: 'br_flood' })
      bridge.flood(packet, 'multicast', true, this)
    }
    this.passUp(packet)
  }
}

/** br_multicast_rcv reads the IP headers of what is for a group: ip_mc_check_iphdr, ipv6_mc_check_ip6hdr. */
function isSoundToSnooping(packet: Packet): boolean {
  const { view, network, protocol, end } = packet
  const size = end - network
  if (protocol === EtherType.ipv4) {
    if (size < 20 || view.getUint8(network) >> 4 !== 4) return false
    const header = 4 * (view.getUint8(network) & 0x0f)
    const length = view.getUint16(network + 2)
    if (header < 20 || size < header || size < length || length < header) return false
    return fold(sumOfView(view, network, network + header)) === 0xffff
  }
  if (protocol !== EtherType.ipv6) return true
  if (size < 40 || view.getUint8(network) >> 4 !== 6) return false
  const payload = view.getUint16(network + 4)
  return payload > 0 && size >= 40 + payload
}

/** With a querier about, the bridge sends a group's frames to its members only: br_multicast_querier_exists. */
function isIgmpQuery({ bytes, network, protocol, end }: Packet): boolean {
  if (protocol !== EtherType.ipv4 || end < network + 20 || bytes[network + 9] !== IGMP) return false
  return bytes[network + 4 * (bytes[network]! & 0x0f)] === IGMP_QUERY
}

/** port_cost: veth and tun say that they do 10 Gbit/s, a vxlan says what its lower device does, others say nothing. */
function pathCost(device: Device): number {
  if ('lower' in device && device.lower instanceof Device) return pathCost(device.lower)
  return device.kind === 'veth' || device.kind === 'tun' ? 2 : 100
}

/** find_portno. KernelError EXFULL for the 1024th. */
function freeNumber({ name, ports }: Bridge): number {
  const taken = new Set(ports.map((port) => port.number))
  let number = 1
  while (taken.has(number)) number++
  if (number >= MOST_PORTS) throw new KernelError('EXFULL', `add a port to bridge "${name}"`)
  return number
}
