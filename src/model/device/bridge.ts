/**
 * A bridge. Sources: net/bridge/br_device.c, br_forward.c, br_if.c, br_stp_if.c.
 *
 *      port in → BridgePort.handleFrame → finish ─→ forward / flood → NF_BR_FORWARD ─→ NF_BR_POST_ROUTING → port out
 *      own frames → send (br_dev_xmit) ───────────→ forward / flood → NF_BR_LOCAL_OUT ┘
 */
import { KernelError } from '../../kernel/errors.ts'
import type { BridgeOptions, OperState } from '../../kernel/link.ts'
import { EtherType } from '../../wire/ethernet.ts'
import type { Namespace } from '../namespace.ts'
import { Hook, runHook } from '../netfilter/hooks.ts'
import { drop, unsupported } from '../observer.ts'
import { clone, ETHERNET_HEADER, type Packet } from '../packet.ts'
import { transmit } from '../path/transmit.ts'
import { BridgePort, type FloodKind } from './bridge-port.ts'
import { Device, type DeviceEvent, type DeviceOptions } from './device.ts'
import { isBroadcast, isGroup, isValidMac } from './ethernet.ts'
import { BridgeFdb } from './fdb.ts'
import { VLAN_HEADER } from './veth.ts'

const ETH_DATA_LEN = 1500

export class Bridge extends Device {
  /** br->port_list: the port that was attached last comes first. Floods go in this order. */
  readonly ports: BridgePort[] = []
  /** It has had one, ever since its limits are what ports have. */
  hadPorts = false
  readonly fdb: BridgeFdb
  /** Seconds; 0: nothing is learned. */
  ageingTime = 300
  /** Seconds; of no consequence while spanning tree is off. */
  forwardDelay = 15
  /** Spanning tree is not modelled: with it on, what comes in ends as unsupported. */
  stp = false
  /**
   * br_netfilter's claim on what the bridge itself sends: a bridged packet whose new destination had to be asked for.
   * True: it has taken the packet.
   */
  transmitHandler: ((packet: Packet, bridge: Bridge) => boolean) | undefined = undefined
  /** What packets that br_netfilter takes through IP's hooks have for a route: br->fake_rtable. */
  bridgedRoute: unknown = undefined
  /** The MTU of that route: it follows the bridge's when that changes, not the one that the bridge was made with (fake_rtable). */
  bridgedMtu = ETH_DATA_LEN
  /** BROPT_MTU_SET_BY_USER. */
  #mtuSetByUser = false
  #carrier = true
  /** Nobody knows until a port comes or somebody sets the MAC. */
  #operState: OperState = 'unknown'

  /** KernelError EOPNOTSUPP for what is not modelled. */
  constructor(namespace: Namespace, options: Omit<DeviceOptions, 'kind'> & Partial<BridgeOptions>) {
    super(namespace, { ...options, kind: 'bridge' })
    this.fdb = new BridgeFdb(this)
    const { ageingTime, forwardDelay, stp, vlanFiltering } = options
    if (vlanFiltering) throw new KernelError('EOPNOTSUPP', `add bridge "${this.name}"`, 'not modelled: VLAN filtering')
    if (ageingTime !== undefined) this.setAgeingTime(ageingTime)
    if (forwardDelay !== undefined) this.setForwardDelay(forwardDelay)
    if (stp !== undefined) this.setStp(stp)
    this.fdb.addLocal(undefined, this.mac)
    if (this.macOrigin === 'set') this.#selectStates()
  }

  override get carrier(): boolean {
    return this.#carrier
  }

  override get operState(): OperState {
    return this.up ? this.#operState : 'down'
  }

  setAgeingTime(seconds: number): void {
    this.ageingTime = seconds
    this.fdb.collect()
  }

  setForwardDelay(seconds: number): void {
    this.forwardDelay = seconds
  }

  setStp(on: boolean): void {
    this.stp = on
  }

  /** BROPT_NEIGH_SUPPRESS_ENABLED: the bridge would answer for neighbours, which is not modelled. */
  get suppressesNeighbours(): boolean {
    return this.ports.some((port) => port.neighbourSuppression)
  }

  portOf(device: Device): BridgePort | undefined {
    return this.ports.find((port) => port.device === device)
  }

  /** br_add_if. KernelError EINVAL, ELOOP, EBUSY. */
  attach(device: Device): BridgePort {
    const call = `add "${device.name}" to bridge "${this.name}"`
    if (device.kind === 'loopback' || device.mac.length !== 6 || !isValidMac(device.mac, 0)) {
      throw new KernelError('EINVAL', call)
    }
    if (device instanceof Bridge) throw new KernelError('ELOOP', call, 'Can not enslave a bridge to a bridge')
    if (device.master) throw new KernelError('EBUSY', call)
    const port = new BridgePort(this, device)
    device.master = this
    device.bridgePort = port
    this.ports.unshift(port)
    this.hadPorts = true
    this.fdb.addLocal(port, device.mac)
    const moved = this.#recalculateMac()
    if (isOperational(device) && this.up) this.#enable(port)
    if (moved) this.notify('address')
    this.#adjustMtu()
    return port
  }

  /** br_del_if. */
  detach(device: Device): void {
    const port = this.portOf(device)
    if (!port) throw new KernelError('EINVAL', `take "${device.name}" out of bridge "${this.name}"`)
    if (port.state !== 'disabled') this.#disable(port)
    this.fdb.deleteByPort(port, true)
    this.ports.splice(this.ports.indexOf(port), 1)
    device.master = undefined
    device.bridgePort = undefined
    this.#adjustMtu()
    if (this.#recalculateMac()) this.notify('address')
  }

  /** br_device_event. */
  portEvent(port: BridgePort, event: DeviceEvent): void {
    if (event === 'mtu') {
      this.#adjustMtu()
    } else if (event === 'address') {
      this.fdb.changePortMac(port, port.device.mac)
      if (this.#recalculateMac()) this.notify('address')
    } else if (this.up) {
      const enabled = isOperational(port.device)
      if (enabled && port.state === 'disabled') this.#enable(port)
      else if (!enabled && port.state !== 'disabled') this.#disable(port)
    }
  }

  /** br_dev_xmit: what the host itself sends through the bridge. */
  override send(packet: Packet): void {
    if (this.transmitHandler?.(packet, this)) return
    this.countSent(packet.end - packet.link)
    const { view, link } = packet
    if (packet.protocol === EtherType.arp && this.suppressesNeighbours) {
      unsupported(packet, 'neighbour suppression')
      return
    }
    if (isGroup(view, link)) {
      this.flood(packet, isBroadcast(view, link) ? 'broadcast' : 'multicast', false, undefined)
      return
    }
    const entry = this.fdb.find(view, link)
    if (entry) this.forward(packet, entry.port, false, undefined)
    else this.flood(packet, 'unicast', false, undefined)
  }

  /**
   * br_forward. `source` is the port that the frame came in by; undefined: the bridge sends it. `keep`: the caller goes on with
   * the packet, a copy is sent.
   */
  forward(packet: Packet, to: BridgePort | undefined, keep: boolean, source: BridgePort | undefined): void {
    if (to && shouldDeliver(to, source)) {
      this.#deliver(keep ? copyOf(packet) : packet, to, source)
      return
    }
    if (!keep) this.#refused(packet, 'NOT_SPECIFIED', to, source)
  }

  /** br_flood. */
  flood(packet: Packet, kind: FloodKind, keep: boolean, source: BridgePort | undefined): void {
    let previous: BridgePort | undefined
    for (let i = 0; i < this.ports.length; i++) {
      const port = this.ports[i]!
      if (!floods(port, kind, source) || !shouldDeliver(port, source)) continue
      if (previous) this.#deliver(copyOf(packet), previous, source)
      previous = port
    }
    if (previous) this.#deliver(keep ? copyOf(packet) : packet, previous, source)
    else if (!keep) this.#refused(packet, 'NO_TX_TARGET', undefined, source)
  }

  /** __br_forward. */
  #deliver(packet: Packet, to: BridgePort, source: BridgePort | undefined): void {
    const { namespace } = this
    const hook = source ? Hook.forward : Hook.output
    packet.device = to.device
    if (!namespace.hooks.bridge.has(hook) || runHook(namespace, 'bridge', hook, packet, source?.device, to.device)) {
      this.forwardFinish(packet)
    }
  }

  /** br_forward_finish: behind NF_BR_FORWARD or NF_BR_LOCAL_OUT. `packet.device` is the port that it leaves by. */
  forwardFinish(packet: Packet): void {
    const { namespace } = this
    if (
      !namespace.hooks.bridge.concern(packet, Hook.postrouting) ||
      runHook(namespace, 'bridge', Hook.postrouting, packet, undefined, packet.device)
    ) {
      this.pushTransmit(packet)
    }
  }

  /** br_dev_queue_push_xmit: behind NF_BR_POST_ROUTING. */
  pushTransmit(packet: Packet): void {
    const { device } = packet
    if (device.up && packet.end - packet.link <= device.mtu + ETHERNET_HEADER + VLAN_HEADER) transmit(packet, device)
    else drop(packet, 'NOT_SPECIFIED', 'br_dev_queue_push_xmit', refusalOfPort(packet, device))
  }

  protected override opened(): void {
    for (const port of this.ports) if (isOperational(port.device)) this.#enable(port)
  }

  protected override closing(): void {
    for (const port of this.ports) if (port.state !== 'disabled') this.#disable(port)
  }

  /** br_change_mtu */
  protected override checkMtu(mtu: number): void {
    this.#mtuSetByUser = true
    this.bridgedMtu = mtu
  }

  protected override replaceMac(mac: Uint8Array): void {
    this.fdb.changeBridgeMac(mac)
    super.replaceMac(mac)
    this.#selectStates()
  }

  override deleting(): void {
    for (const port of [...this.ports]) this.detach(port.device)
  }

  /** br_stp_enable_port. */
  #enable(port: BridgePort): void {
    port.state = 'forwarding'
    this.#selectStates()
  }

  /** br_stp_disable_port. */
  #disable(port: BridgePort): void {
    port.state = 'disabled'
    this.fdb.deleteByPort(port, false)
    this.#selectStates()
  }

  /** br_port_state_selection: the bridge has a carrier while one port forwards. */
  #selectStates(): void {
    const carrier = this.ports.some((port) => port.state === 'forwarding')
    if (carrier === this.#carrier) return
    this.#carrier = carrier
    this.#operState = carrier ? 'up' : 'down'
    if (this.up) this.notify('carrier')
  }

  /** br_stp_recalculate_bridge_id: the lowest MAC of the ports, zero without one, unless somebody set one. */
  #recalculateMac(): boolean {
    if (this.macOrigin === 'set') return false
    let lowest = new Uint8Array(6)
    for (const { device } of this.ports) {
      if (!isValidMac(lowest, 0) || compareMacs(device.mac, lowest) < 0) lowest = device.mac.slice()
    }
    if (compareMacs(lowest, this.mac) === 0) return false
    this.fdb.changeBridgeMac(lowest)
    this.mac = lowest
    this.#selectStates()
    return true
  }

  /** br_mtu_auto_adjust. */
  #adjustMtu(): void {
    if (this.#mtuSetByUser) return
    const mtu = this.ports.reduce((least, { device }) => Math.min(least, device.mtu), Number.POSITIVE_INFINITY)
    const wanted = mtu === Number.POSITIVE_INFINITY ? ETH_DATA_LEN : mtu
    // One that the bridge cannot have is passed over.
    if (wanted < this.minMtu || wanted > this.maxMtu) return
    this.setMtu(wanted)
    this.#mtuSetByUser = false
  }

  /** Why no port took the frame, of which nobody else has a copy. */
  #refused(packet: Packet, reason: string, to: BridgePort | undefined, source: BridgePort | undefined): void {
    if (packet.journey === undefined && this.namespace.model.onDrop === undefined) return
    const kernel = source ? 'br_handle_frame_finish' : 'br_dev_xmit'
    drop(packet, reason, kernel, refusal(this, to, source))
  }
}

function copyOf(packet: Packet): Packet {
  const copy = clone(packet)
  // What shares its data is not taken apart as it was put together: skb_cloned, in ip_do_fragment.
  if (copy.fragmentSizes !== undefined) copy.fragmentSizes = []
  copy.journey = packet.journey?.spawn('clone')
  return copy
}

/** should_deliver. */
function shouldDeliver(to: BridgePort, source: BridgePort | undefined): boolean {
  return (to !== source || to.hairpin) && to.state === 'forwarding' && !(source?.isolated && to.isolated)
}

function floods(port: BridgePort, kind: FloodKind, source: BridgePort | undefined): boolean {
  if (kind === 'unicast') return port.flood
  if (source === undefined) return true
  return kind === 'multicast' ? port.multicastFlood : port.broadcastFlood
}

function refusalOfPort(packet: Packet, { name, up, mtu }: Device) {
  if (!up) return { own: 'OVL_LINK_DOWN', what: `port ${name} is down` }
  const most = mtu + ETHERNET_HEADER + VLAN_HEADER
  return {
    own: 'OVL_BRIDGE_MTU',
    what: `${packet.length} bytes are more than the ${most} that port ${name} takes with MTU ${mtu}`,
  }
}

function refusal(bridge: Bridge, to: BridgePort | undefined, source: BridgePort | undefined) {
  const port = to?.device.name
  if (!to && source?.isolated && bridge.ports.some((each) => each !== source && each.isolated)) {
    return { what: `${source.device.name} is isolated, and so is every port it could leave by` }
  }
  if (!to) return { what: `${bridge.name} has no port to send it to` }
  const ref = `link ${port} master ${bridge.name}`
  if (to === source && !to.hairpin) {
    return { own: 'OVL_BRIDGE_HAIRPIN_OFF', ref, what: `it would leave by ${port}, where it came in: hairpin is off` }
  }
  if (to.state !== 'forwarding') return { own: 'OVL_BRIDGE_PORT_STATE', ref, what: `port ${port} is ${to.state}` }
  return { own: 'OVL_BRIDGE_ISOLATED', ref, what: `${source?.device.name} and ${port} are isolated` }
}

/** netif_running and netif_oper_up. */
function isOperational(device: Device): boolean {
  return device.up && device.carrier
}

function compareMacs(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < 6; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}
