/**
 * A veth pair: what one end sends, the other receives. Sources: drivers/net/veth.c, __dev_forward_skb2 in net/core/dev.c.
 */
import type { OperState } from '../../kernel/link.ts'
import type { Namespace } from '../namespace.ts'
import { drop, note } from '../observer.ts'
import { ETHERNET_HEADER, type Packet, scrub } from '../packet.ts'
import { Device, type DeviceOptions } from './device.ts'
import { etherTypeTrans } from './ethernet.ts'

/** is_skb_forwardable lets a frame be this much longer than the MTU, tag or not. */
export const VLAN_HEADER = 4

export class Veth extends Device {
  peer: Veth | undefined = undefined
  #operState: OperState = 'down'

  constructor(namespace: Namespace, options: Omit<DeviceOptions, 'kind'>) {
    super(namespace, { ...options, kind: 'veth' })
  }

  /** Makes these two the ends of one pair. */
  static connect(one: Veth, other: Veth): void {
    one.peer = other
    other.peer = one
  }

  override get carrier(): boolean {
    return this.up && this.peer?.up === true
  }

  override get operState(): OperState {
    return this.up ? this.#operState : 'down'
  }

  override send(packet: Packet): void {
    const peer = this.peer! // transmit sends nothing by a device without a carrier
    const length = packet.end - packet.link
    if (!peer.up || length > peer.mtu + ETHERNET_HEADER + VLAN_HEADER) {
      this.#refuse(packet, peer)
      return
    }
    this.countSent(length)
    peer.countReceived(length)
    scrub(packet, peer.namespace !== this.namespace)
    packet.priority = 0
    etherTypeTrans(packet, peer)
    if (packet.journey) noteCrossing(packet, this, peer)
    this.namespace.model.enqueue(packet)
  }

  #refuse(packet: Packet, peer: Veth): void {
    this.statistics.txDropped++
    peer.statistics.rxDropped++
    this.namespace.model.refusals++
    drop(packet, 'NOT_SPECIFIED', '__dev_forward_skb2', refusal(packet, peer))
  }

  protected override opened(): void {
    this.#refresh()
    if (this.peer?.up) this.peer.#refresh()
  }

  protected override linkChanged(): void {
    if (!this.peer?.up) return
    this.notify('carrier')
    this.peer.notify('carrier')
  }

  protected override closed(): void {
    if (!this.peer?.up) return
    this.peer.#refresh()
    this.peer.notify('carrier')
  }

  /**
   * default_operstate, net/core/link_watch.c. Without a carrier, the device with the peer's index is looked at, in this
   * namespace, whichever device that is.
   */
  #refresh(): void {
    const { peer, namespace } = this
    if (this.carrier) this.#operState = 'up'
    else {
      const below = peer && peer.index !== this.index ? namespace.devices.at(peer.index) : undefined
      this.#operState = !below || below.carrier ? 'down' : 'lowerlayerdown'
    }
  }

  /** dellink: the pair ends. The control plane removes the peer, too. */
  override deleting(): void {
    const { peer } = this
    this.peer = undefined
    if (peer?.peer === this) peer.peer = undefined
  }
}

function noteCrossing(packet: Packet, from: Veth, to: Veth): void {
  const whither = to.namespace === from.namespace ? '' : ', another namespace'
  note(packet, from, 'veth', `to ${to.name}${whither}`, { kernel: 'veth_xmit' })
}

function refusal(packet: Packet, peer: Veth) {
  if (!peer.up) return { own: 'OVL_LINK_DOWN', what: `${peer.name}, the other end, is down` }
  const most = peer.mtu + ETHERNET_HEADER + VLAN_HEADER
  return {
    own: 'OVL_VETH_MTU',
    what: `${packet.length} bytes are more than the ${most} that ${peer.name} takes with MTU ${peer.mtu}`,
  }
}
