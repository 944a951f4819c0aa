/** A namespace with connection tracking and two devices, through which packets are taken hook by hook. */
import { setU16, u16, updateChecksum } from '../../../src/model/bytes.ts'
import { Device } from '../../../src/model/device/device.ts'
import { Model } from '../../../src/model/model.ts'
import { Devices, type Namespace } from '../../../src/model/namespace.ts'
import { stateName } from '../../../src/model/netfilter/conntrack/connection.ts'
import { ConntrackTable } from '../../../src/model/netfilter/conntrack.ts'
import { createHooks, Hook, type HookCall, type HookNumber, runHook } from '../../../src/model/netfilter/hooks.ts'
import { type Packet, packetFromFrame } from '../../../src/model/packet.ts'
import { linux618 } from '../../../src/model/profile/linux-6.18.ts'

class Plug extends Device {
  send(): void {}
}

export class Router {
  readonly namespace: Namespace
  readonly conntrack: ConntrackTable
  readonly inside: Device
  readonly outside: Device

  readonly #family: 'ip' | 'ip6'

  constructor(family: 'ip' | 'ip6' = 'ip') {
    this.#family = family
    const parts = {
      model: new Model({ profile: linux618 }, () => {}),
      devices: new Devices(),
      hooks: createHooks(),
      dropCause: undefined,
      taps: [],
      watchers: new Set(),
    }
    const namespace = parts as unknown as Namespace
    this.conntrack = new ConntrackTable(namespace)
    this.namespace = Object.assign(namespace, { conntrack: this.conntrack })
    this.inside = this.#add('in0', 10)
    this.outside = this.#add('out0', 11)
    this.conntrack.use(family)
  }

  #add(name: string, last: number): Device {
    const mac = Uint8Array.of(2, 0, 0, 0, 1, last)
    const device = new Plug(this.namespace, { name, kind: 'veth', mac, mtu: 1500 })
    this.namespace.devices.add(device)
    return device
  }

  /** A chain of filter's at this hook. */
  addChain(hook: HookNumber, priority: number, call: HookCall): void {
    this.namespace.hooks[this.#family].register(hook, { priority, name: 'test', call })
  }

  /** A chain of nat's at this hook. */
  addNatChain(hook: HookNumber, call: HookCall): void {
    this.conntrack.nat.register(this.#family, hook, { priority: 0, name: 'test nat', call })
  }

  packet(frame: Uint8Array, outward: boolean): Packet {
    return packetFromFrame(frame, outward ? this.inside : this.outside)
  }

  /** Takes the frame through PREROUTING, FORWARD and POSTROUTING; undefined where one of them ends it. */
  forward(frame: Uint8Array, outward: boolean): Packet | undefined {
    const packet = this.packet(frame, outward)
    const { namespace } = this
    const family = this.#family
    const [input, output] = outward ? [this.inside, this.outside] : [this.outside, this.inside]
    if (!runHook(namespace, family, Hook.prerouting, packet, input, undefined)) return undefined
    if (family === 'ip') decreaseTtl(packet)
    else packet.bytes[packet.network + 7]!--
    if (!runHook(namespace, family, Hook.forward, packet, input, output)) return undefined
    if (!runHook(namespace, family, Hook.postrouting, packet, undefined, output)) return undefined
    return packet
  }

  /** As `--ctstate` names it. */
  stateOf(packet: Packet | undefined): string {
    if (packet === undefined) return 'DROPPED'
    return stateName(packet.connection, packet.connectionInfo, packet.untracked)
  }
}

/** ip_decrease_ttl. */
function decreaseTtl({ bytes, network }: Packet): void {
  const before = u16(bytes, network + 8)
  setU16(bytes, network + 8, before - 0x100)
  updateChecksum(bytes, network + 10, before, before - 0x100)
}
