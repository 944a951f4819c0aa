/**
 * A network namespace: struct net. Devices, and the tables that the stages of the data path look into. The tables' own
 * files say what they are; this one holds them together.
 */
import type { Change } from '../kernel/live.ts'
import type { Device } from './device/device.ts'
import type { Fib } from './ipv4/fib.ts'
import type { Ipv4State } from './ipv4/state.ts'
import type { Ipv6State } from './ipv6/state.ts'
import type { Model } from './model.ts'
import type { NeighbourTable } from './neighbour.ts'
import type { ConntrackTable } from './netfilter/conntrack.ts'
import type { DropCause, Hooks, RouteError } from './netfilter/hooks.ts'
import type { IpSetTable } from './netfilter/ipset/ipsets.ts'
import type { NftTables } from './netfilter/tables.ts'
import type { BridgeSettings } from './settings.ts'
import type { Sockets } from './socket/sockets.ts'
import type { Sysctls } from './sysctl.ts'
import type { Tap } from './tap.ts'

export interface Namespace {
  readonly model: Model
  /** Counts from 1 in the order of making. */
  readonly id: number
  /** `/run/netns/n1`; `/proc/self/ns/net` for the one that a model begins with. */
  readonly path: string
  readonly devices: Devices
  readonly loopback: Device
  readonly ipv4: Ipv4State
  readonly ipv6: Ipv6State
  readonly fib: Fib
  readonly arp: NeighbourTable
  readonly nd: NeighbourTable
  readonly hooks: Hooks
  /** See runHook. */
  dropCause: DropCause | undefined
  /** See takeRefusal. */
  refusal: RouteError | undefined
  readonly nftables: NftTables
  /** Whether anybody has asked for them yet. */
  readonly hasNftables: boolean
  readonly ipsets: IpSetTable
  readonly conntrack: ConntrackTable
  readonly sockets: Sockets
  readonly sysctl: Sysctls
  readonly bridgeSettings: BridgeSettings
  /** Captures on all devices. */
  readonly taps: Tap[]
  /** Who wants to hear of changes; see notify. */
  readonly watchers: Set<(change: Change) => void>
  /** The handle that somebody is changing a route with just now. */
  routesChangedBy: object | undefined
}

/** rtnl_notify: tells those who watch. Every table calls it for what comes and what goes. */
export function notify(
  { watchers }: Namespace,
  subject: Change['subject'],
  operation: Change['operation'],
  link: string | undefined,
): void {
  for (const watcher of watchers) watcher({ subject, operation, link })
}

/** The same of a device that is there: up, or not. */
export function notifyLink({ namespace, name, up }: Device): void {
  for (const watcher of namespace.watchers) watcher({ subject: 'link', operation: 'new', link: name, up })
}

/** The devices of a namespace, by index in the order of `ip link`. */
export class Devices {
  readonly #byIndex = new Map<number, Device>()
  readonly #byName = new Map<string, Device>()
  #next = 1
  /** Who was asked for by name last: who sends frames asks for the same again and again. */
  #last: Device | undefined = undefined

  get(name: string): Device | undefined {
    const last = this.#last
    if (last !== undefined && last.name === name) return last
    const found = this.#byName.get(name)
    this.#last = found
    return found
  }

  at(index: number): Device | undefined {
    return this.#byIndex.get(index)
  }

  /** In no particular order, where they stand: who goes through them must not change them. */
  all(): Iterable<Device> {
    return this.#byIndex.values()
  }

  /** In the order of their indices. */
  list(): Device[] {
    return [...this.#byIndex.values()].sort((a, b) => a.index - b.index)
  }

  /** Gives the device an index; the one it has, where that is free (a device that moves keeps it). */
  add(device: Device): void {
    if (device.index === 0 || this.#byIndex.has(device.index)) device.index = this.#free()
    this.#byIndex.set(device.index, device)
    this.#byName.set(device.name, device)
  }

  remove(device: Device): void {
    this.#last = undefined
    this.#byIndex.delete(device.index)
    this.#byName.delete(device.name)
  }

  rename(device: Device, name: string): void {
    this.#last = undefined
    this.#byName.delete(device.name)
    device.name = name
    this.#byName.set(name, device)
  }

  #free(): number {
    while (this.#byIndex.has(this.#next)) this.#next++
    return this.#next++
  }
}
