/**
 * IPIP: IPv4 in IPv4, RFC 2003. Source: net/ipv4/ipip.c and net/ipv4/ip_tunnel.c.
 *
 *      ipip.ts           the device: what it sends, and how
 *      ipip-lookup.ts    which device a packet is for
 *      ipip-receive.ts   protocol 4, and ICMP errors about what was sent
 *
 *      inner  10.244.0.2 → 10.244.1.2                          ttl 63
 *      outer  192.168.56.11 → 192.168.56.12, protocol 4        ttl 63, or the device's
 *
 * The outer packet is sent in the namespace in which the device was made, wherever it is now.
 */
import { KernelError } from '../../kernel/errors.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { type Microseconds, SECOND } from '../clock.ts'
import { formatAddress } from '../ipv4/address-text.ts'
import { sendIcmpError } from '../ipv4/icmp.ts'
import { sendIpv4 } from '../ipv4/output.ts'
import { Ipv4Route } from '../ipv4/route.ts'
import { routeOutput } from '../ipv4/route-output.ts'
import type { Namespace } from '../namespace.ts'
import { directionOf, NAT_MASK } from '../netfilter/conntrack/connection.ts'
import { drop, note } from '../observer.ts'
import { type Packet, PacketFor, scrub } from '../packet.ts'
import { Device, type DeviceOptions } from './device.ts'
import { dsFieldOf, encapsulateEcn } from './ecn.ts'
import { removeIpip } from './ipip-lookup.ts'

const IPV4 = 0x0800
const HEADER = 20
const ETHERNET_MTU = 1500
const IPV4_MIN_MTU = 68
/** IP_MAX_MTU without the outer header. */
const GREATEST_MTU = 0xffff - HEADER
/** Of a type of service: that of the packet inside. */
const INHERIT = 1
/** IPTUNNEL_ERR_TIMEO */
const ERROR_TIME = 30 * SECOND

const TTL_AT = 8
const FRAGMENT_AT = 6
const SOURCE_AT = 12
const DESTINATION_AT = 16
const DONT_FRAGMENT = 0x4000

const Unreachable = { type: 3, host: 1, fragmentationNeeded: 4 } as const

export interface IpipDeviceOptions extends Omit<DeviceOptions, 'kind' | 'mac' | 'mtu'> {
  /** 0: any; what is sent has the route's. */
  readonly local: number
  /** 0: the next hop of each packet's route. */
  readonly remote: number
  readonly lower?: Device | undefined
  /** 0: the inner packet's. */
  readonly ttl: number
  /** 1: the inner packet's. */
  readonly tos: number
  readonly pathMtuDiscovery: boolean
  /** tunl0, which takes what no other device takes. It stays as long as its namespace. */
  readonly isFallback?: boolean
}

export class Ipip extends Device {
  readonly local: number
  readonly remote: number
  readonly lower: Device | undefined
  readonly ttl: number
  readonly tos: number
  readonly pathMtuDiscovery: boolean
  readonly isFallback: boolean
  readonly underlay: Namespace
  /** Errors that came back, which packets yet to come are answered with. */
  #errors = 0
  #errorTime: Microseconds = Number.NEGATIVE_INFINITY

  constructor(namespace: Namespace, options: IpipDeviceOptions) {
    super(namespace, { ...options, kind: 'ipip', mac: new Uint8Array(), macOrigin: 'permanent', mtu: ETHERNET_MTU })
    this.local = options.local
    this.remote = options.remote
    this.lower = options.lower
    this.ttl = options.ttl
    this.tos = options.tos
    this.pathMtuDiscovery = options.pathMtuDiscovery
    this.isFallback = options.isFallback ?? false
    this.underlay = namespace
    this.noArp = true
    this.minMtu = 0
    this.maxMtu = 0
    this.mtu = this.#guessMtu()
  }

  override setFirstMtu(mtu: number): void {
    super.setFirstMtu(Math.min(Math.max(mtu, IPV4_MIN_MTU), GREATEST_MTU))
  }

  /** ip_tunnel_change_mtu */
  protected override checkMtu(mtu: number): void {
    if (mtu < IPV4_MIN_MTU || mtu > GREATEST_MTU) throw new KernelError('EINVAL', `set mtu ${mtu} on "${this.name}"`)
  }

  override deleting(): void {
    removeIpip(this)
  }

  /** An ICMP error came about what it has sent: ipip_err. */
  noteError(): void {
    const { now } = this.underlay.model.clock
    this.#errors = now < this.#errorTime + ERROR_TIME ? this.#errors + 1 : 1
    this.#errorTime = now
  }

  /** ipip_tunnel_xmit, ip_tunnel_xmit. */
  override send(packet: Packet): void {
    packet.for = PacketFor.host
    if (packet.protocol !== IPV4) {
      this.#refuse(packet, 'ipip_tunnel_xmit', 'OVL_IPIP_PROTOCOL', 'it carries IPv4 only')
      return
    }
    const { view, network } = packet
    const destination = this.remote || nextHopOf(packet)
    const inherits = (this.tos & INHERIT) !== 0
    const tos = inherits ? view.getUint8(network + 1) : this.tos
    const key = {
      destination,
      source: this.local,
      tos,
      protocol: IpProtocol.ipip,
      ...(this.lower && { outputDevice: this.lower }),
    }
    const route = destination === 0 ? 'EINVAL' : routeOutput(this.underlay, key)
    if (typeof route === 'string') {
      this.#refuse(packet, 'ip_tunnel_xmit', 'OVL_IPIP_NO_ROUTE', `${route}: no route to ${formatAddress(destination)}`)
      return
    }
    if (route.device === this) {
      this.#refuse(packet, 'ip_tunnel_xmit', 'OVL_IPIP_LOOP', `the route to ${formatAddress(destination)} leads back`)
      return
    }
    const dontFragment = this.pathMtuDiscovery || (view.getUint16(network + FRAGMENT_AT) & DONT_FRAGMENT) !== 0
    if (this.#tooBig(packet, route, dontFragment)) return
    this.#passErrorOn(packet)

    const inner = packet.end - network
    const sending = {
      source: this.local || route.source,
      destination,
      protocol: IpProtocol.ipip,
      ttl: this.ttl || view.getUint8(network + TTL_AT),
      tos: encapsulateEcn(tos, dsFieldOf(packet)),
      dontFragment: dontFragment && !route.mtuLocked,
      isTunnelled: true,
      route,
    }
    if (packet.journey)
      note(packet, this, 'encap', `IPIP to ${formatAddress(destination)}`, {
        kernel: 'ip_tunnel_xmit',
        meta: { source: formatAddress(sending.source) },
      })
    scrub(packet, this.underlay !== this.namespace)
    packet.transport = network
    packet.checksum = 'none'
    // All that is refused here is what a hook has dropped, and said so: no packet that the device takes is too long for IPv4.
    const refused = sendIpv4(this.underlay, packet, sending)
    if (refused === undefined) this.countSent(inner)
    else this.statistics.txDropped++
  }

  /** tnl_update_pmtu: the inner packet's route learns what fits; who sent too much, and wants no fragments, is told. */
  #tooBig(packet: Packet, route: Ipv4Route, dontFragment: boolean): boolean {
    const { view, network, end } = packet
    const inner = packet.route
    const known = inner instanceof Ipv4Route ? inner.mtu : this.mtu
    const mtu = dontFragment ? route.mtu - HEADER : known
    if (inner instanceof Ipv4Route)
      this.namespace.ipv4.pathMtus.update(inner, view.getUint32(network + DESTINATION_AT), mtu)
    const length = end - network
    if ((view.getUint16(network + FRAGMENT_AT) & DONT_FRAGMENT) === 0 || length <= mtu) return false
    const what = `${length} bytes with DF, ${mtu} fit the tunnel to ${formatAddress(this.remote || nextHopOf(packet))}`
    if (packet.journey) note(packet, this, 'mtu', what, { kernel: 'tnl_update_pmtu', verdict: 'drop' })
    tell(packet, mtu)
    this.#refuse(packet, 'ip_tunnel_xmit', 'OVL_IPIP_MTU', what)
    return true
  }

  /** dst_link_failure: for each error that came back a sender is told, though its packet is sent. */
  #passErrorOn(packet: Packet): void {
    if (this.#errors === 0) return
    if (this.underlay.model.clock.now < this.#errorTime + ERROR_TIME) {
      this.#errors--
      sendIcmpError(packet, Unreachable.type, Unreachable.host, 0)
    } else this.#errors = 0
  }

  #refuse(packet: Packet, kernel: string, own: string, what: string): void {
    this.statistics.txErrors++
    this.#drop(packet, kernel, own, what)
  }

  #drop(packet: Packet, kernel: string, own: string, what: string): void {
    drop(packet, 'NOT_SPECIFIED', kernel, { own, what, device: this })
  }

  /** ip_tunnel_bind_dev: what fits the way to the remote as it is now. */
  #guessMtu(): number {
    const { remote, local, tos, lower } = this
    const key = { destination: remote, source: local, tos: tos & ~INHERIT, protocol: IpProtocol.ipip }
    const route =
      remote === 0 ? undefined : routeOutput(this.underlay, { ...key, ...(lower && { outputDevice: lower }) })
    const device = route instanceof Ipv4Route ? route.device : lower
    return Math.max(Math.min(device?.mtu ?? ETHERNET_MTU, 0xffff) - HEADER, IPV4_MIN_MTU)
  }
}

/** rt_nexthop: 0 where it has no route. */
function nextHopOf({ route, view, network }: Packet): number {
  if (!(route instanceof Ipv4Route)) return 0
  return route.gateway || view.getUint32(network + DESTINATION_AT)
}

/** icmp_ndo_send: to who sent it before it was translated, whose address is quoted; the quoted checksum stays as it is. */
function tell(packet: Packet, mtu: number): void {
  const { view, network, connection, connectionInfo } = packet
  const source = view.getUint32(network + SOURCE_AT)
  const isTranslated = connection !== undefined && (connection.status & NAT_MASK) !== 0
  if (isTranslated) view.setUint32(network + SOURCE_AT, connection.tuple(directionOf(connectionInfo)).source as number)
  sendIcmpError(packet, Unreachable.type, Unreachable.fragmentationNeeded, mtu)
  view.setUint32(network + SOURCE_AT, source)
}
