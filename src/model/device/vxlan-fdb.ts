/**
 * A VXLAN device's forwarding database: to which hosts a MAC's frames go. Source: drivers/net/vxlan/vxlan_core.c.
 * The all-zero MAC is where everything goes that no other entry knows.
 */
import { formatMac } from '../../address/mac.ts'
import { KernelError } from '../../kernel/errors.ts'
import { type Microseconds, SECOND, type Timer } from '../clock.ts'
import type { Ipv4Route } from '../ipv4/route.ts'
import { notify } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import { isValidSource, isZeroMac } from './ethernet.ts'
import type { FdbState } from './fdb.ts'
import { MacTable } from './mac-table.ts'
import type { Vxlan } from './vxlan.ts'

/** Where everything goes that no other entry knows. */
export const NO_MAC = new Uint8Array(6)

/** FDB_AGE_INTERVAL: how often the aged are looked for. */
const AGE_INTERVAL = 10 * SECOND

/** struct vxlan_rdst: an IPv4 address, and what of it differs from the device's own. */
export interface VxlanRemote {
  /** 0.0.0.0: nowhere. */
  address: number
  readonly port: number
  readonly vni: number
  /** Index of the device below that it is sent by; 0: wherever a route leads. */
  readonly via: number
  /** The way there, for as long as the underlay's Fib.generation is this one: dst_cache. */
  route: Ipv4Route | undefined
  generation: number
}

const NO_ROUTE = { route: undefined, generation: 0 } as const

/** struct vxlan_fdb. */
export interface VxlanFdbEntry {
  readonly mac: Uint8Array
  /** In the order in which they were added. */
  readonly remotes: VxlanRemote[]
  state: FdbState
  updated: Microseconds
}

export class VxlanFdb {
  readonly #vxlan: Vxlan
  /**
   * An entry for ever, to one host by the device's own port and VNI, is that host's address until somebody asks for it: a node of
   * a large cluster has one for each other node.
   */
  readonly #entries = new MacTable<VxlanFdbEntry | number>()
  #collector: Timer | undefined = undefined

  constructor(vxlan: Vxlan) {
    this.#vxlan = vxlan
  }

  /** vxlan_find_mac: by the address at `at`, or where everything goes that no other entry knows. */
  find(view: DataView, at: number): VxlanFdbEntry | undefined {
    const found = this.#entries.at(view, at)
    if (typeof found === 'object') return found
    return this.#wake(found === undefined ? NO_MAC : macAt(view, at))
  }

  list(): VxlanFdbEntry[] {
    return this.#entries.macs().map((mac) => this.#wake(mac)!)
  }

  #wake(mac: Uint8Array): VxlanFdbEntry | undefined {
    const found = this.#entries.get(mac)
    if (typeof found !== 'number') return found
    const { port, vni } = this.#vxlan
    const entry: VxlanFdbEntry = {
      mac: mac.slice(),
      remotes: [{ address: found, port, vni, via: 0, ...NO_ROUTE }],
      state: 'permanent',
      updated: this.#now,
    }
    this.#entries.set(mac, entry)
    return entry
  }

  #awake(): VxlanFdbEntry[] {
    return this.#entries.values().filter((entry) => typeof entry === 'object')
  }

  /**
   * vxlan_fdb_update, as `bridge fdb add`, `append` and `replace` ask for it. Port 0 and VNI 0 are the device's own.
   * KernelError EEXIST, EOPNOTSUPP.
   */
  add(
    mac: Uint8Array,
    address: number,
    state: FdbState,
    operation: 'add' | 'append' | 'replace',
    { port = 0, vni = 0, via = 0 } = {},
  ): void {
    const call = `${operation} fdb entry ${formatMac(mac)} of "${this.#vxlan.name}"`
    const isGroup = (mac[0]! & 1) === 1 || isZeroMac(mac, 0)
    const remote = { address, port: port || this.#vxlan.port, vni: vni || this.#vxlan.vni, via, ...NO_ROUTE }
    const isRefused = operation === 'replace' && isGroup
    const entry = this.#wake(mac)
    if (!entry) {
      if (isRefused) throw new KernelError('EOPNOTSUPP', call)
      if (state === 'permanent' && port === 0 && vni === 0 && via === 0) {
        this.#entries.set(mac, address)
        this.#changed('new')
        return
      }
      this.#create(mac.slice(), remote, state)
      return
    }
    if (operation === 'add') throw new KernelError('EEXIST', call)
    let changed = entry.state !== state
    if (changed) {
      entry.state = state
      entry.updated = this.#now
    }
    // Too late for the state, as Linux has it.
    if (isRefused) throw new KernelError('EOPNOTSUPP', call, 'Cannot replace non-unicast fdb entries')
    if (operation === 'replace') {
      if (entry.remotes.length !== 1 || !isSame(entry.remotes[0]!, remote)) {
        entry.remotes.splice(0, entry.remotes.length, remote)
        changed = true
      }
    } else if (isGroup && !entry.remotes.some((each) => isSame(each, remote))) {
      entry.remotes.push(remote)
      changed = true
    }
    this.#ageLater(entry)
    if (changed) this.#changed('new')
  }

  /** __vxlan_fdb_delete: one destination, or the entry. KernelError ENOENT where there is no entry. */
  delete(mac: Uint8Array, address?: number): void {
    const call = `delete fdb entry ${formatMac(mac)} of "${this.#vxlan.name}"`
    const entry = this.#wake(mac)
    if (!entry) throw new KernelError('ENOENT', call)
    if (address) {
      const at = entry.remotes.findIndex((remote) => remote.address === address)
      // Linux calls that a success, too.
      if (at < 0) return
      if (entry.remotes.length > 1) {
        entry.remotes.splice(at, 1)
        this.#changed('delete')
        return
      }
    }
    this.#delete(entry)
  }

  /** vxlan_snoop: a frame from this MAC came from this host. A reason where the frame is to be dropped. */
  learn({ bytes, view }: Packet, at: number, from: number): string | undefined {
    if (!isValidSource(view, at)) return 'MAC_INVALID_SOURCE'
    const found = this.#entries.at(view, at)
    const entry = typeof found === 'number' ? this.#wake(macAt(view, at)) : found
    if (!entry) {
      if (this.#vxlan.up) {
        const { port, vni } = this.#vxlan
        this.#create(bytes.slice(at, at + 6), { address: from, port, vni, via: 0, ...NO_ROUTE }, 'dynamic')
      }
      return undefined
    }
    const first = entry.remotes[0]!
    entry.updated = this.#now
    if (first.address === from) return undefined
    if (entry.state !== 'dynamic') return 'VXLAN_ENTRY_EXISTS'
    first.address = from
    first.route = undefined
    this.#changed('new')
    return undefined
  }

  /** vxlan_flush, when the device goes down: what was learned. */
  forgetLearned(): void {
    for (const entry of this.#awake()) if (entry.state === 'dynamic') this.#delete(entry)
  }

  get #now(): Microseconds {
    return this.#vxlan.namespace.model.clock.now
  }

  #create(mac: Uint8Array, remote: VxlanRemote, state: FdbState): void {
    const entry = { mac, remotes: [remote], state, updated: this.#now }
    this.#entries.set(mac, entry)
    this.#ageLater(entry)
    this.#changed('new')
  }

  #delete(entry: VxlanFdbEntry): void {
    this.#entries.delete(entry.mac)
    this.#changed('delete')
  }

  #changed(operation: 'new' | 'delete'): void {
    notify(this.#vxlan.namespace, 'fdb', operation, this.#vxlan.name)
  }

  #ageLater(entry: VxlanFdbEntry): void {
    if (entry.state !== 'dynamic' || this.#vxlan.ageing === 0 || this.#collector?.pending) return
    this.#collector = this.#vxlan.namespace.model.clock.after(AGE_INTERVAL, () => this.#age())
  }

  /** vxlan_cleanup. It comes back when the next is due, but not later than after AGE_INTERVAL. */
  #age(): void {
    const now = this.#now
    let next = AGE_INTERVAL
    let waits = false
    for (const entry of this.#awake()) {
      if (entry.state !== 'dynamic') continue
      const left = entry.updated + this.#vxlan.ageing * SECOND - now
      if (left <= 0) this.#delete(entry)
      else {
        waits = true
        next = Math.min(next, left)
      }
    }
    if (waits) this.#collector = this.#vxlan.namespace.model.clock.after(next, () => this.#age())
  }
}

const macAt = (view: DataView, at: number) => Uint8Array.from({ length: 6 }, (_, i) => view.getUint8(at + i))
const isSame = (a: VxlanRemote, b: VxlanRemote) =>
  a.address === b.address && a.port === b.port && a.vni === b.vni && a.via === b.via
