/**
 * A bridge's forwarding database: which MAC is behind which port. Source: net/bridge/br_fdb.c. VLANs are not told apart: the
 * kernel that is modelled has no VLAN filtering.
 */
import { formatMac } from '../../address/mac.ts'
import { KernelError } from '../../kernel/errors.ts'
import { MILLISECOND, type Microseconds, SECOND, type Timer } from '../clock.ts'
import { notify } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import type { Bridge } from './bridge.ts'
import type { BridgePort } from './bridge-port.ts'
import { isValidMac, isZeroMac } from './ethernet.ts'
import { MacTable } from './mac-table.ts'

/** As `bridge fdb` says it. permanent: local, too. static: never ages. dynamic: ages, moves. */
export type FdbState = 'permanent' | 'static' | 'dynamic'

/** struct net_bridge_fdb_entry. */
export class FdbEntry {
  readonly mac: Uint8Array
  /** Undefined: the bridge itself. */
  port: BridgePort | undefined
  /** BR_FDB_LOCAL: for this host. */
  local: boolean
  /** BR_FDB_STATIC: never ages. */
  static: boolean
  /** BR_FDB_ADDED_BY_USER. */
  byUser: boolean
  updated: Microseconds

  constructor(mac: Uint8Array, port: BridgePort | undefined, local: boolean, byUser: boolean, now: Microseconds) {
    this.mac = mac
    this.port = port
    this.local = local
    this.static = local
    this.byUser = byUser
    this.updated = now
  }

  get state(): FdbState {
    if (this.local) return 'permanent'
    return this.static ? 'static' : 'dynamic'
  }
}

export type FdbOperation = 'add' | 'replace'

export class BridgeFdb {
  readonly #bridge: Bridge
  readonly #entries = new MacTable<FdbEntry>()
  #collector: Timer | undefined = undefined

  constructor(bridge: Bridge) {
    this.#bridge = bridge
  }

  /** br_fdb_find_rcu: by the address at `at`. */
  find(view: DataView, at: number): FdbEntry | undefined {
    return this.#entries.at(view, at)
  }

  list(): FdbEntry[] {
    return this.#entries.values()
  }

  /** br_fdb_update: the address at `at` was seen behind this port. Whether that was news. */
  learn(port: BridgePort, packet: Packet, at: number): boolean {
    if (this.#bridge.ageingTime === 0) return false
    const entry = this.#entries.at(packet.view, at)
    if (entry === undefined) {
      this.#create(packet.bytes.slice(at, at + 6), port, false, false)
      return true
    }
    if (entry.local) return false
    entry.updated = this.#now
    if (entry.port === port) return false
    this.#changed('delete', entry)
    entry.port = port
    this.#changed('new', entry)
    return true
  }

  /** fdb_add_local: the MAC of a port or of the bridge. Of several the first stays. */
  addLocal(port: BridgePort | undefined, mac: Uint8Array): void {
    if (!isValidMac(mac, 0)) return
    const entry = this.#entries.get(mac)
    if (entry?.local) return
    if (entry) this.#delete(entry)
    this.#create(mac.slice(), port, true, false)
  }

  /** br_fdb_changeaddr: a port has another MAC. */
  changePortMac(port: BridgePort, mac: Uint8Array): void {
    for (const entry of this.list()) {
      if (entry.port === port && entry.local && !entry.byUser) this.#deleteLocal(port, entry)
    }
    this.addLocal(port, mac)
  }

  /** br_fdb_change_mac_address: the bridge is to have another MAC. Called while it still has the old one. */
  changeBridgeMac(mac: Uint8Array): void {
    const entry = this.#entries.get(this.#bridge.mac)
    if (entry?.local && !entry.port && !entry.byUser) this.#deleteLocal(undefined, entry)
    this.addLocal(undefined, mac)
  }

  /** br_fdb_delete_by_port: what was learned behind it; `all`: everything, as when it leaves the bridge. */
  deleteByPort(port: BridgePort, all: boolean): void {
    for (const entry of this.list()) {
      if (entry.port !== port || (entry.static && !all)) continue
      if (entry.local) this.#deleteLocal(port, entry)
      else this.#delete(entry)
    }
  }

  /** `bridge fdb add`, `replace`: fdb_add_entry. KernelError EEXIST, EINVAL, EPERM. */
  add(mac: Uint8Array, port: BridgePort | undefined, state: FdbState, operation: FdbOperation): void {
    const call = `${operation} fdb entry ${formatMac(mac)}`
    if (isZeroMac(mac, 0)) throw new KernelError('EINVAL', call, 'invalid address')
    if (!port && state !== 'permanent') {
      throw new KernelError('EINVAL', call, 'FDB entry towards bridge must be permanent')
    }
    if (port && state === 'dynamic' && port.state !== 'forwarding') throw new KernelError('EPERM', call)
    let entry = this.#entries.get(mac)
    if (entry && operation === 'add') throw new KernelError('EEXIST', call)
    let changed = entry === undefined || entry.port !== port || entry.state !== state
    if (entry) {
      entry.port = port
      entry.byUser = true
    } else {
      entry = new FdbEntry(mac.slice(), port, false, true, this.#now)
      this.#entries.set(mac, entry)
      changed = true
    }
    entry.local = state === 'permanent'
    entry.static = state !== 'dynamic'
    if (state === 'dynamic') this.#collectLater()
    if (changed) this.#changed('new', entry)
  }

  /** `bridge fdb del`: fdb_delete_by_addr_and_port. KernelError ENOENT. */
  remove(mac: Uint8Array, port: BridgePort | undefined): void {
    const entry = this.#entries.get(mac)
    if (!entry || entry.port !== port) throw new KernelError('ENOENT', `delete fdb entry ${formatMac(mac)}`)
    this.#delete(entry)
  }

  get #now(): Microseconds {
    return this.#bridge.namespace.model.clock.now
  }

  #create(mac: Uint8Array, port: BridgePort | undefined, local: boolean, byUser: boolean): void {
    const entry = new FdbEntry(mac, port, local, byUser, this.#now)
    this.#entries.set(mac, entry)
    if (!local) this.#collectLater()
    this.#changed('new', entry)
  }

  #delete(entry: FdbEntry): void {
    this.#entries.delete(entry.mac)
    this.#changed('delete', entry)
  }

  /** fdb_delete_local: another port, or the bridge, may have the same address and takes the entry over. */
  #deleteLocal(port: BridgePort | undefined, entry: FdbEntry): void {
    const heir = this.#bridge.ports.find((each) => each !== port && sameAddress(each.device.mac, entry.mac))
    if (heir || (port && sameAddress(this.#bridge.mac, entry.mac))) {
      entry.port = heir
      entry.byUser = false
      return
    }
    this.#delete(entry)
  }

  /** RTM_NEWNEIGH, RTM_DELNEIGH. */
  #changed(operation: 'new' | 'delete', { port }: FdbEntry): void {
    notify(this.#bridge.namespace, 'fdb', operation, (port?.device ?? this.#bridge).name)
  }

  #collectLater(): void {
    if (this.#collector?.pending) return
    this.#collector = this.#bridge.namespace.model.clock.after(this.#bridge.ageingTime * SECOND, () => this.collect())
  }

  /** br_fdb_cleanup. It comes back when the next entry is due. */
  collect(): void {
    this.#bridge.namespace.model.clock.cancel(this.#collector)
    const now = this.#now
    const ageing = this.#bridge.ageingTime * SECOND
    let next = Number.POSITIVE_INFINITY
    for (const entry of this.list()) {
      if (entry.static) continue
      const left = entry.updated + ageing - now
      if (left <= 0) this.#delete(entry)
      else next = Math.min(next, left)
    }
    if (next === Number.POSITIVE_INFINITY) return
    this.#collector = this.#bridge.namespace.model.clock.after(next + 10 * MILLISECOND, () => this.collect())
  }
}

const sameAddress = (a: Uint8Array, b: Uint8Array) => a.every((byte, i) => byte === b[i])
