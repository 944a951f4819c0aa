/** A namespace with devices that lead nowhere, and what netfilter's rules need of the rest. */
import { Device } from '../../../src/model/device/device.ts'
import { Model } from '../../../src/model/model.ts'
import { Devices, type Namespace } from '../../../src/model/namespace.ts'
import { createHooks, type HookEntry } from '../../../src/model/netfilter/hooks.ts'
import { NftTables } from '../../../src/model/netfilter/tables.ts'
import { type Packet, packetFromFrame } from '../../../src/model/packet.ts'
import { linux618 } from '../../../src/model/profile/linux-6.18.ts'

class Plug extends Device {
  send(): void {}
}

/** In place of connection tracking: who asks for it, and which nat chains there are. */
export class AskedTracking {
  readonly users = { ip: 0, ip6: 0 }
  readonly natChains: string[] = []
  readonly nat = {
    register: (family: string, _hook: number, { name }: HookEntry) => this.natChains.push(`${family}: ${name}`),
    unregister: (family: string, _hook: number, { name }: HookEntry) => {
      this.natChains.splice(this.natChains.indexOf(`${family}: ${name}`), 1)
    },
  }

  use(family: 'ip' | 'ip6'): void {
    this.users[family]++
  }

  release(family: 'ip' | 'ip6'): void {
    this.users[family]--
  }
}

export interface PlainNamespace {
  readonly namespace: Namespace
  readonly tracking: AskedTracking
}

export function plainNamespace(): PlainNamespace {
  const tracking = new AskedTracking()
  const parts = {
    model: new Model({ profile: linux618 }, () => {}),
    id: 1,
    path: '/run/netns/plain',
    devices: new Devices(),
    hooks: createHooks(),
    dropCause: undefined,
    taps: [],
    watchers: new Set(),
    conntrack: tracking,
  }
  const namespace = parts as unknown as Namespace
  return { namespace: Object.assign(namespace, { nftables: new NftTables(namespace) }), tracking }
}

export function addPlug(namespace: Namespace, name: string, kind = 'veth'): Device {
  const mac = Uint8Array.of(2, 0, 0, 0, 0, namespace.devices.list().length + 1)
  const device = new Plug(namespace, { name, kind, mac, mtu: 1500 })
  namespace.devices.add(device)
  namespace.nftables.deviceAdded(device)
  return device
}

/** The frame in hex, received on the device. */
export function received(hex: string, device: Device): Packet {
  return packetFromFrame(Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex')), device)
}
