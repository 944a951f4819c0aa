/**
 * Neighbours of one protocol in a namespace: ARP's table, and NDP's. Source: net/core/neighbour.c. What an entry does stands
 * in neighbour/entry.ts; how a question is asked, in arp.ts and ipv6/ndp.ts.
 */
import { KernelError } from '../kernel/errors.ts'
import { MILLISECOND, type Microseconds, SECOND } from './clock.ts'
import type { Device } from './device/device.ts'
import { type Namespace, notify } from './namespace.ts'
import { Neighbour } from './neighbour/entry.ts'
import { ProxiedAddresses, type ProxyListener } from './neighbour/proxy.ts'
import { ProxyQueue } from './neighbour/proxy-queue.ts'
import { SleepingNeighbours } from './neighbour/sleeping.ts'
import { NeighbourUpdate, Nud, type NudState } from './neighbour/state.ts'
import type { Packet } from './packet.ts'
import type { NeighbourConf } from './settings.ts'

/** An IPv4 address as an unsigned number; an IPv6 address as 32 hexadecimal digits. */
export type NeighbourKey = number | string

/** What a protocol does for its neighbours: struct neigh_ops and the constructor of struct neigh_table. */
export interface NeighbourFamily extends ProxyListener {
  /** `ip neigh`'s way to write the address. */
  format(key: NeighbourKey): string
  conf(device: Device): NeighbourConf
  /** arp_constructor, ndisc_constructor: the link-layer address that need not be asked for (multicast, broadcast, lo …). */
  fixedAddress(device: Device, key: NeighbourKey): Uint8Array | undefined
  /** arp_evict_nocarrier 0: what is known stays known when the carrier goes. It does not, where left out. */
  keepsWithoutCarrier?(device: Device): boolean
  /** Asks, `unicast` at the address that is known. `packet` is the last that waits. */
  solicit(neighbour: Neighbour, packet: Packet | undefined, unicast: boolean): void
  /** dst_link_failure: tells the packet's sender. The table drops the packet. */
  unreachable(packet: Packet): void
}

/** What somebody sets. */
export interface NeighbourSetting {
  readonly mac?: Uint8Array | undefined
  /** Nud.permanent where left out. */
  readonly state?: NudState | undefined
  readonly router?: boolean | undefined
  readonly protocol?: number | undefined
}

/** The range from which the time is drawn that an answer is good for: neigh_rand_reach_time. Drawn anew every 300 s. */
const REDRAW = 300 * SECOND

/** So many of a device are awake from the beginning: small tables stay in the order in which they were filled. */
const FEW = 16

export class NeighbourTable {
  readonly namespace: Namespace
  readonly family: NeighbourFamily
  /** `ip neigh add proxy`. */
  readonly proxied: ProxiedAddresses
  #proxyQueue: ProxyQueue | undefined = undefined
  /** By the device's index. Keys that are numbers are kept as signed ones, which cost nothing to look up. */
  readonly #entries: (Map<NeighbourKey, Neighbour> | undefined)[] = []
  #sleeping: SleepingNeighbours | undefined = undefined
  readonly #reachable = new Map<Device, { base: number; drawn: Microseconds; time: Microseconds }>()

  constructor(namespace: Namespace, family: NeighbourFamily) {
    this.namespace = namespace
    this.family = family
    this.proxied = new ProxiedAddresses(family)
  }

  /** What a proxy answers later. Few namespaces have any. */
  get proxyQueue(): ProxyQueue {
    this.#proxyQueue ??= new ProxyQueue(this.namespace)
    return this.#proxyQueue
  }

  /** neigh_resolve_output: the packet, whose first byte is `packet.network`, to this neighbour; it waits, is sent, or ends. */
  output(packet: Packet, device: Device, key: NeighbourKey): void {
    this.ensure(device, key).output(packet)
  }

  get(device: Device, key: NeighbourKey): Neighbour | undefined {
    return this.#entries[device.index]?.get(typeof key === 'number' ? key | 0 : key) ?? this.#wake(device, key)
  }

  /** __neigh_lookup with creat: the entry, made where there is none. */
  ensure(device: Device, key: NeighbourKey): Neighbour {
    const found = this.get(device, key)
    if (found) return found
    return this.#make(device, key)
  }

  #make(device: Device, key: NeighbourKey): Neighbour {
    const neighbour = new Neighbour(this, device, key)
    let entries = this.#entries[device.index]
    if (!entries) {
      entries = new Map()
      this.#entries[device.index] = entries
    }
    entries.set(typeof key === 'number' ? key | 0 : key, neighbour)
    return neighbour
  }

  #wake(device: Device, key: NeighbourKey): Neighbour | undefined {
    if (this.#sleeping === undefined || typeof key === 'string') return undefined
    const setting = this.#sleeping.take(device, key)
    if (setting === undefined) return undefined
    const neighbour = this.#make(device, key >>> 0)
    neighbour.wake(setting.mac, setting.protocol)
    return neighbour
  }

  #wakeAll(device?: Device): void {
    for (const [sleeper, key] of this.#sleeping?.list(device) ?? []) this.#wake(sleeper, key)
  }

  list(device?: Device): Neighbour[] {
    this.#wakeAll(device)
    if (device) return [...(this.#entries[device.index]?.values() ?? [])]
    return this.#entries.flatMap((entries) => [...(entries?.values() ?? [])])
  }

  /** `ip neigh add`: KernelError EEXIST. */
  add(device: Device, key: NeighbourKey, setting: NeighbourSetting): void {
    if (this.get(device, key)) throw new KernelError('EEXIST', `add neighbour ${this.family.format(key)}`)
    this.replace(device, key, setting)
  }

  /** `ip neigh replace`. KernelError EINVAL: a state that needs a link-layer address, and none is given or known. */
  replace(device: Device, key: NeighbourKey, { mac, state = Nud.permanent, router, protocol }: NeighbourSetting): void {
    const call = `set neighbour ${this.family.format(key)}`
    if (mac && device.hasLinkLayer && mac.length !== device.mac.length) throw new KernelError('EINVAL', call)
    const known = this.get(device, key)
    const sleeps = known === undefined && mac?.length === 6 && state === Nud.permanent && !router
    if (sleeps && device.hasLinkLayer && this.#sleep(device, key, mac, protocol ?? 0)) return
    const neighbour = known ?? this.#make(device, key)
    if (protocol !== undefined) neighbour.protocol = protocol
    const { admin, override, overrideIsRouter, isRouter } = NeighbourUpdate
    const flags = admin | override | overrideIsRouter | (router ? isRouter : 0)
    // The entry that was made for it stays, in state NONE.
    if (!neighbour.update(mac, state, flags)) throw new KernelError('EINVAL', call, 'No link layer address given')
    this.namespace.model.settle()
  }

  /** It is one for ever, and nobody has asked for it: it is kept as a few numbers until somebody does. */
  #sleep(device: Device, key: NeighbourKey, mac: Uint8Array, protocol: number): boolean {
    const others = this.#entries[device.index]?.size ?? 0
    if (typeof key === 'string' || others < FEW || this.family.fixedAddress(device, key)) return false
    this.#sleeping ??= new SleepingNeighbours()
    this.#sleeping.add(device, key, mac, protocol)
    this.changed('new', { device })
    this.namespace.model.settle()
    return true
  }

  /** `ip neigh del`: KernelError ENOENT. */
  delete(device: Device, key: NeighbourKey): void {
    const neighbour = this.get(device, key)
    if (!neighbour) throw new KernelError('ENOENT', `delete neighbour ${this.family.format(key)}`)
    neighbour.update(undefined, Nud.failed, NeighbourUpdate.override | NeighbourUpdate.admin)
    // Telling those who waited may have had it asked for anew: then a timer holds it.
    if (!neighbour.isBusy) this.#remove(neighbour)
    this.namespace.model.settle()
  }

  /** Forgets all neighbours, of one device or of all; permanent ones, too, unless told otherwise. */
  flush(device?: Device, keepPermanent = false): void {
    for (const neighbour of this.list(device)) {
      if (!keepPermanent || neighbour.state !== Nud.permanent) this.#remove(neighbour)
    }
  }

  /** neigh_event_ns: a question came from this neighbour. */
  heard(device: Device, key: NeighbourKey, mac: Uint8Array): Neighbour {
    const neighbour = this.ensure(device, key)
    neighbour.update(mac, Nud.stale, NeighbourUpdate.override)
    return neighbour
  }

  /** dst_confirm_neigh: a protocol above knows that packets arrive there. */
  confirm(device: Device, key: NeighbourKey): void {
    const neighbour = this.get(device, key)
    if (neighbour) neighbour.confirmed = this.namespace.model.clock.now
  }

  /** neigh_changeaddr, neigh_ifdown. */
  changeAddress(device: Device): void {
    this.flush(device)
  }

  deviceDown(device: Device): void {
    this.flush(device)
    this.proxied.forget(device)
    this.#proxyQueue?.purge()
  }

  /** neigh_carrier_down. */
  carrierLost(device: Device): void {
    if (this.family.keepsWithoutCarrier?.(device)) return
    this.flush(device, true)
    this.proxied.forget(device)
    this.#proxyQueue?.purge()
  }

  /** RTM_NEWNEIGH, RTM_DELNEIGH. */
  changed(operation: 'new' | 'delete', { device }: Pick<Neighbour, 'device'>): void {
    notify(this.namespace, 'neighbour', operation, device.name)
  }

  /** How long an answer is good for, on this device: 0.5 to 1.5 times base_reachable_time. */
  reachableTime(device: Device): Microseconds {
    const base = this.family.conf(device).base_reachable_time_ms * MILLISECOND
    const { clock, random } = this.namespace.model
    const known = this.#reachable.get(device)
    if (known && known.base === base && clock.now <= known.drawn + REDRAW) return known.time
    const time = base === 0 ? 0 : random.below('neighbourReachable', base) + Math.floor(base / 2)
    this.#reachable.set(device, { base, drawn: clock.now, time })
    return time
  }

  #remove(neighbour: Neighbour): void {
    const { device, key } = neighbour
    this.#entries[device.index]?.delete(typeof key === 'number' ? key | 0 : key)
    neighbour.destroy()
    this.changed('delete', neighbour)
  }
}
