/** A small world of the model: namespaces by name, veth pairs, and all that captures saw, as one list. */
import { createModel, type ModelKernel } from '../../src/model/create.ts'
import type { Drop, Journey } from '../../src/model/observer.ts'
import type { Packet } from '../../src/model/packet.ts'

/** A frame at a device, as goldens have them. */
export interface Seen {
  /** `n1:eth0` */
  readonly at: string
  readonly direction: 'in' | 'out'
  readonly hex: string
  /** Milliseconds of the model's clock. */
  readonly time: number
  /** The order of a capture, which shows a frame as early as it was queued. */
  readonly stamp: bigint
}

export class World {
  readonly kernel: ModelKernel
  readonly seen: Seen[] = []
  /** `REASON@function at n1:eth0`; OVL_… behind NOT_SPECIFIED. */
  readonly drops: string[] = []
  readonly unsupported: string[] = []
  readonly #kernels = new Map<string, ModelKernel>()

  constructor(seed = 1) {
    this.kernel = createModel({ seed })
    const { model } = this.kernel
    model.onDrop = (_packet, drop) => this.drops.push(this.#describe(drop))
    model.onUnsupported = (_packet, thing) => this.unsupported.push(thing)
  }

  /** The namespace of this name, with IPv6 off and lo up. */
  in(name: string): ModelKernel {
    const known = this.#kernels.get(name)
    if (known) return known
    const kernel = this.kernel.enter(this.kernel.namespaces.add(name))!
    kernel.sysctl.set('net/ipv6/conf/all/disable_ipv6', '1')
    kernel.sysctl.set('net/ipv6/conf/default/disable_ipv6', '1')
    kernel.links.set('lo', { up: true })
    kernel.packets.capture({}, ({ bytes, link, packetType, time: stamp }) => {
      if (link === 'lo') return
      const direction = packetType === 'outgoing' ? 'out' : 'in'
      this.seen.push({ at: `${name}:${link}`, direction, hex: toHex(bytes), time: this.now, stamp })
    })
    this.#kernels.set(name, kernel)
    return kernel
  }

  /** `ns:device`, its MAC, and the same of the other end. Both are up. */
  pair(one: string, mac: string, other: string, otherMac: string, mtu = 1500): void {
    const [ns = '', name = ''] = one.split(':')
    const [there = '', peer = ''] = other.split(':')
    const [kernel, namespace] = [this.in(ns), this.in(there)]
    kernel.links.add({ kind: 'veth', name, mac, mtu, peer: { name: peer, namespace, mac: otherMac, mtu } })
    kernel.links.set(name, { up: true })
    namespace.links.set(peer, { up: true })
  }

  /** Puts a frame, as hex, on `ns:device`. */
  send(at: string, hex: string): void {
    const [name = '', link = ''] = at.split(':')
    this.in(name).packets.send(link, fromHex(hex))
  }

  /** What was seen since the last call: `n1:eth0 in 02…`. */
  take(): string[] {
    return this.takeSeen().map(({ at, direction, hex }) => `${at} ${direction} ${hex}`)
  }

  /** As take, without the frames. */
  takeTaps(): string[] {
    return this.takeSeen().map(({ at, direction }) => `${at} ${direction}`)
  }

  takeSeen(): Seen[] {
    return this.seen.splice(0).sort((a, b) => Number(a.stamp - b.stamp))
  }

  takeDrops(): string[] {
    return this.drops.splice(0)
  }

  get now(): number {
    return this.kernel.model.clock.now / 1000
  }

  /** Lets milliseconds pass. */
  advance(milliseconds: number): void {
    this.kernel.model.advance(milliseconds * 1000)
  }

  /** From now on every packet that is put on a link is followed. */
  follow(): Journey[] {
    const journeys: Journey[] = []
    this.kernel.model.onJourney = (journey: Journey, _packet: Packet) => journeys.push(journey)
    return journeys
  }

  #describe({ reason, ownReason, kernel, device }: Drop): string {
    const name = [...this.#kernels].find(([, { namespace }]) => namespace === device.namespace)?.[0]
    return `${reason}@${kernel} at ${name}:${device.name}${ownReason ? ` ${ownReason}` : ''}`
  }
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** Colons and spaces do not count. */
export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/[: ]/g, ''), 'hex'))
}
