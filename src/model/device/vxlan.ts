/**
 * VXLAN: Ethernet in UDP, RFC 7348. Source: drivers/net/vxlan/vxlan_core.c.
 *
 *      vxlan.ts           the device: which destinations a frame has
 *      vxlan-fdb.ts       what it knows of them
 *      vxlan-send.ts      one frame to one of them
 *      vxlan-receive.ts   the UDP socket, which devices of one port share
 *
 * The underlay is IPv4 in the namespace in which the device was made, wherever it is now.
 */
import type { Ip } from '../../address/ip.ts'
import { formatMac } from '../../address/mac.ts'
import { KernelError } from '../../kernel/errors.ts'
import { u32 } from '../bytes.ts'
import { formatAddress } from '../ipv4/address-text.ts'
import type { Namespace } from '../namespace.ts'
import { drop, note } from '../observer.ts'
import { clone, ETHERNET_HEADER, type Packet } from '../packet.ts'
import { Device, type DeviceOptions } from './device.ts'
import { NO_MAC, VxlanFdb, type VxlanFdbEntry } from './vxlan-fdb.ts'
import { closeSocket, openSocket } from './vxlan-receive.ts'
import { VxlanSender } from './vxlan-send.ts'

/** Outer IPv4, UDP and VXLAN headers, and the inner Ethernet header: what a frame needs besides its payload. */
export const VXLAN_HEADROOM = 20 + 8 + 8 + ETHERNET_HEADER

/** Linux's default, older than IANA's 4789. */
const DEFAULT_PORT = 8472

export interface VxlanDeviceOptions extends Omit<DeviceOptions, 'kind'> {
  readonly vni: number
  readonly port?: number
  readonly local?: Ip
  /** Where frames go that no entry knows. */
  readonly remote?: Ip
  /** Whose MTU counts. */
  readonly lower?: Device
  readonly learning?: boolean
  /** 0: the namespace's default. */
  readonly ttl?: number
  /** Seconds; 0: learned entries stay. */
  readonly ageing?: number
  readonly udpChecksum?: boolean
  readonly gbp?: boolean
}

export class Vxlan extends Device {
  readonly vni: number
  readonly port: number
  readonly local: Ip | undefined
  readonly remote: Ip | undefined
  readonly lower: Device | undefined
  learning: boolean
  readonly ttl: number
  readonly ageing: number
  readonly udpChecksum: boolean
  /** The group policy extension: the mark travels in the header. */
  readonly gbp: boolean
  /** Where the outer packets are sent and received. */
  readonly underlay: Namespace
  readonly fdb: VxlanFdb
  readonly #sender: VxlanSender

  /** KernelError EOPNOTSUPP for what is not modelled. */
  constructor(namespace: Namespace, options: VxlanDeviceOptions) {
    super(namespace, { ...options, kind: 'vxlan' })
    const { local, remote } = options
    const call = `add vxlan "${this.name}"`
    if (local?.length === 16 || remote?.length === 16) {
      throw new KernelError('EOPNOTSUPP', call, 'not modelled: VXLAN over IPv6')
    }
    if (remote && remote[0]! >> 4 === 0xe) throw new KernelError('EOPNOTSUPP', call, 'not modelled: VXLAN multicast')
    this.vni = options.vni
    this.port = options.port ?? DEFAULT_PORT
    this.local = local
    this.remote = remote
    this.lower = options.lower
    this.learning = options.learning ?? true
    this.ttl = options.ttl ?? 0
    this.ageing = options.ageing ?? 300
    this.udpChecksum = options.udpChecksum ?? true
    this.gbp = options.gbp ?? false
    this.underlay = namespace
    this.fdb = new VxlanFdb(this)
    this.#sender = new VxlanSender(this)
    this.setFirstMtu(this.lower ? Math.max(this.#mostMtu, this.minMtu) : this.mtu)
    if (remote && u32(remote, 0) !== 0)
      this.fdb.add(NO_MAC, u32(remote, 0), 'permanent', 'add', { via: this.lower?.index })
  }

  /** vxlan_config_apply: what the lower device's MTU leaves is the most, even where that is less than a device may have. */
  override setFirstMtu(mtu: number): void {
    super.setFirstMtu(Math.min(mtu, Math.max(this.#mostMtu, this.minMtu)))
  }

  protected override checkMtu(mtu: number): void {
    if (mtu > this.#mostMtu) throw new KernelError('EINVAL', `set mtu ${mtu} on "${this.name}"`)
  }

  get #mostMtu(): number {
    return this.lower ? this.lower.mtu - VXLAN_HEADROOM : this.maxMtu
  }

  protected override opened(): void {
    openSocket(this)
  }

  protected override closing(): void {
    this.fdb.forgetLearned()
    closeSocket(this)
  }

  /** vxlan_xmit. Of several destinations the first is sent to last: it gets the packet itself, the others copies. */
  override send(packet: Packet): void {
    const entry = this.fdb.find(packet.view, packet.link)
    if (entry === undefined) {
      this.statistics.txDropped++
      drop(packet, 'NO_TX_TARGET', 'vxlan_xmit', this.#unknown(packet))
      return
    }
    if (packet.journey) {
      const ref = describeEntry(entry)
      note(packet, this, 'fdb', ref.slice(4), { kernel: 'vxlan_xmit', ref })
    }
    const { remotes } = entry
    for (let i = 1; i < remotes.length; i++) {
      const copy = clone(packet)
      copy.journey = packet.journey?.spawn('clone')
      this.#sender.send(copy, remotes[i]!)
    }
    this.#sender.send(packet, remotes[0]!)
  }

  #unknown({ bytes, link }: Packet) {
    const mac = formatMac(bytes.subarray(link, link + 6))
    return { what: `no fdb entry of ${this.name} for ${mac}, and no default one` }
  }
}

/** `fdb 02:f1:00:00:02:01 dst 192.168.56.12`, as `bridge fdb` has it. */
function describeEntry({ mac, remotes }: VxlanFdbEntry): string {
  const destinations = remotes.map(({ address }) => formatAddress(address))
  return `fdb ${formatMac(mac)} dst ${destinations.join(', dst ')}`
}
