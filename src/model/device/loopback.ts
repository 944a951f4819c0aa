/** lo: what is sent is received. Source: drivers/net/loopback.c. */
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import { Device } from './device.ts'
import { etherTypeTrans } from './ethernet.ts'

export class Loopback extends Device {
  constructor(namespace: Namespace) {
    super(namespace, { name: 'lo', kind: 'loopback', mac: new Uint8Array(6), macOrigin: 'permanent', mtu: 65536 })
    this.minMtu = 0
    this.maxMtu = 0
  }

  override send(packet: Packet): void {
    etherTypeTrans(packet, this)
    const bytes = packet.end - packet.network
    this.countSent(bytes)
    this.countReceived(bytes)
    this.namespace.model.enqueue(packet)
  }
}
