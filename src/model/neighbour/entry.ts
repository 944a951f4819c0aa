/**
 * One neighbour, and what becomes of packets to it: struct neighbour. Source: net/core/neighbour.c.
 *
 *      NONE, FAILED ─packet→ INCOMPLETE ─answer→ REACHABLE ─time→ STALE ─packet→ DELAY ─time→ PROBE ─answer→ REACHABLE
 *                                └─ three questions unanswered → FAILED ←─────────────────────────┘
 *
 * An entry does not know whether it is ARP's or NDP's: `family` asks the question and says that nobody answered.
 */
import { formatMac } from '../../address/mac.ts'
import type { Microseconds, Timer } from '../clock.ts'
import { MILLISECOND, SECOND } from '../clock.ts'
import type { Device } from '../device/device.ts'
import { macHead, macTail } from '../device/ethernet.ts'
import type { NeighbourKey, NeighbourTable } from '../neighbour.ts'
import { drop, note } from '../observer.ts'
import { ETHERNET_HEADER, ensureHeadroom, type Packet } from '../packet.ts'
import { transmit } from '../path/transmit.ts'
import { NeighbourUpdate, NUD_CONNECTED, NUD_IN_TIMER, NUD_VALID, Nud, type NudState, nameOfState } from './state.ts'
import { timerDelay } from './timer-wheel.ts'

/** No question follows another sooner than this. */
const LEAST_WAIT = 10 * MILLISECOND

export class Neighbour {
  readonly table: NeighbourTable
  readonly device: Device
  readonly key: NeighbourKey
  /** Of its MAC: macHead and macTail of device/ethernet.ts. */
  #macHead = 0
  #macTail = 0
  #mac: Uint8Array
  state: NudState = Nud.none
  /** NTF_ROUTER. */
  router = false
  /** RTPROT_*: who made it. */
  protocol = 0
  /** When it last changed, was last known to answer, and was last needed. */
  updated: Microseconds
  confirmed: Microseconds
  used: Microseconds
  /** Questions asked. */
  probes = 0
  /** It has been taken out of the table. */
  dead = false
  /** Something has been sent to it, so that there is a header to copy: hh_len. */
  hasHeader = false
  readonly #queue: Packet[] = []
  #queueBytes = 0
  #timer: Timer | undefined = undefined
  /** What journeys say of it, and what that was written of. */
  #noted: { mac: Uint8Array; state: NudState; name: string; what: string; ref: string } | undefined = undefined

  constructor(table: NeighbourTable, device: Device, key: NeighbourKey) {
    this.table = table
    this.device = device
    this.key = key
    this.#mac = new Uint8Array(device.mac.length)
    this.updated = this.used = this.#now
    const fixed = table.family.fixedAddress(device, key)
    if (fixed) {
      this.state = Nud.noarp
      this.mac = fixed
    }
    this.confirmed = this.#now - 2 * this.conf.base_reachable_time_ms * MILLISECOND
  }

  /** Meaningless while the state is not one of NUD_VALID. */
  get mac(): Uint8Array {
    return this.#mac
  }

  set mac(mac: Uint8Array) {
    this.#mac = mac
    this.#macHead = macHead(mac)
    this.#macTail = macTail(mac)
  }

  /** It was set for ever before anybody asked for it. */
  wake(mac: Uint8Array, protocol: number): void {
    this.mac = mac
    this.state = Nud.permanent
    this.protocol = protocol
    this.confirmed = this.#now
  }

  /** How many packets wait for the answer. */
  get waiting(): number {
    return this.#queue.length
  }

  /** A timer runs. */
  get isBusy(): boolean {
    return this.#timer?.pending === true
  }

  /** `10.1.0.1 dev eth0 lladdr 02:00:00:00:00:01 REACHABLE`: as `ip neigh` writes it. */
  describe(): string {
    const address = this.table.family.format(this.key)
    const mac = (this.state & NUD_VALID) !== 0 ? ` lladdr ${formatMac(this.mac)}` : ''
    return `${address} dev ${this.device.name}${mac} ${nameOfState(this.state).toUpperCase()}`
  }

  /** neigh_output: `packet.network` is the first byte. */
  output(packet: Packet): void {
    if ((this.state & NUD_CONNECTED) !== 0 || !this.#eventSend(packet)) this.#send(packet)
  }

  /** A packet with its Ethernet header goes out. */
  #send(packet: Packet): void {
    const { device } = this
    if (packet.journey) this.#note(packet)
    this.hasHeader = true
    if (!device.hasLinkLayer) packet.link = packet.network
    else this.#pushHeader(packet)
    transmit(packet, device)
  }

  /** neigh_hh_output: as pushEthernet, from this device, in words. */
  #pushHeader(packet: Packet): void {
    ensureHeadroom(packet, packet.network, ETHERNET_HEADER)
    const { device } = this
    const { view } = packet
    const link = packet.network - ETHERNET_HEADER
    packet.link = link
    view.setInt32(link, (this.#macHead << 16) | (this.#macTail >>> 16))
    view.setInt32(link + 4, (this.#macTail << 16) | device.macHead)
    view.setInt32(link + 8, device.macTail)
    view.setUint16(link + 12, packet.protocol)
  }

  #note(packet: Packet): void {
    const { mac, state, device } = this
    if (mac.length === 0) return // a device without addresses has nothing to resolve
    let known = this.#noted
    if (known?.mac !== mac || known.state !== state || known.name !== device.name) {
      const what = `${this.table.family.format(this.key)} is ${formatMac(mac)}`
      known = this.#noted = { mac, state, name: device.name, what, ref: `neigh ${this.describe()}` }
    }
    note(packet, device, 'neigh', known.what, {
      kernel: (state & NUD_CONNECTED) !== 0 ? 'neigh_connected_output' : 'neigh_resolve_output',
      ref: known.ref,
    })
  }

  /** neigh_event_send: whether the packet must wait (or is gone). */
  #eventSend(packet: Packet | undefined): boolean {
    this.used = this.#now
    if ((this.state & (NUD_CONNECTED | Nud.delay | Nud.probe)) !== 0) return false
    const { conf } = this
    let probeNow = false
    if ((this.state & (Nud.stale | Nud.incomplete)) === 0) {
      this.updated = this.#now
      if (conf.mcast_solicit + conf.app_solicit === 0) {
        this.state = Nud.failed
        if (packet) drop(packet, 'NEIGH_FAILED', '__neigh_event_send', { device: this.device })
        return true
      }
      this.probes = conf.ucast_solicit
      this.state = Nud.incomplete
      this.#wake(this.#retransmission)
      probeNow = true
    } else if (this.state === Nud.stale) {
      this.state = Nud.delay
      this.updated = this.#now
      this.#wake(conf.delay_first_probe_time * SECOND)
    }
    const waits = this.state === Nud.incomplete
    if (waits && packet) this.#enqueue(packet)
    if (probeNow) this.#probe()
    return waits
  }

  /** neigh_event_send without a packet: somebody will need it soon. */
  ask(): void {
    this.#eventSend(undefined)
  }

  #enqueue(packet: Packet): void {
    const size = trueSize(packet)
    while (this.#queue.length > 0 && this.#queueBytes + size > this.conf.unres_qlen_bytes) {
      const oldest = this.#queue.shift()!
      this.#queueBytes -= trueSize(oldest)
      drop(oldest, 'NEIGH_QUEUEFULL', '__neigh_event_send', {
        device: this.device,
        what: `too many packets wait for ${this.table.family.format(this.key)}`,
      })
    }
    this.#queue.push(packet)
    this.#queueBytes += size
    if (packet.journey) {
      note(packet, this.device, 'neigh', `waits: who has ${this.table.family.format(this.key)}?`, {
        kernel: '__neigh_event_send',
        ref: `neigh ${this.describe()}`,
      })
    }
  }

  /**
   * neigh_update: something was heard about it, or somebody sets it. `mac` undefined: nothing about its address. False where
   * the kernel answers EINVAL, EPERM.
   */
  update(mac: Uint8Array | undefined, wanted: NudState, flags: number): boolean {
    const old = this.state
    const admin = (flags & NeighbourUpdate.admin) !== 0
    if (this.dead || (!admin && (old & (Nud.noarp | Nud.permanent)) !== 0)) return false
    if ((wanted & NUD_VALID) === 0) {
      this.#stopTimer()
      this.state = wanted
      let changed = (old & NUD_VALID) !== 0
      if ((old & (Nud.incomplete | Nud.probe)) !== 0 && wanted === Nud.failed) {
        this.#invalidate()
        changed = true
      }
      if (changed) this.table.changed('new', this)
      return true
    }
    let next = wanted
    let address = this.mac
    const wasValid = (old & NUD_VALID) !== 0
    if (this.device.hasLinkLayer) {
      if (mac) address = wasValid && isSame(mac, this.mac) ? this.mac : mac
      else if (!wasValid) return false
    }
    if ((next & NUD_CONNECTED) !== 0) this.confirmed = this.#now
    let mayBeRouter = (flags & NeighbourUpdate.overrideIsRouter) !== 0
    if (wasValid) {
      if (address !== this.mac && (flags & NeighbourUpdate.override) === 0) {
        mayBeRouter = false
        if ((flags & NeighbourUpdate.weakOverride) === 0 || (old & NUD_CONNECTED) === 0) return true
        address = this.mac
        next = Nud.stale
      } else if (address === this.mac && next === Nud.stale && !admin) {
        next = old
      }
    }
    const moved = address !== this.mac
    if (next !== old || moved) this.updated = this.#now
    if (next !== old) {
      this.#stopTimer()
      if (next === Nud.probe) this.probes = 0
      this.state = next
      if ((next & NUD_IN_TIMER) !== 0) this.#wake(next === Nud.reachable ? this.table.reachableTime(this.device) : 0)
    }
    if (moved) {
      this.mac = address.slice()
      if ((next & NUD_CONNECTED) === 0) this.confirmed = this.#now - 2 * this.conf.base_reachable_time_ms * MILLISECOND
    }
    if (next !== old && !wasValid) this.#release()
    const isRouter = (flags & NeighbourUpdate.isRouter) !== 0
    const turned = mayBeRouter && this.router !== isRouter
    if (turned) this.router = isRouter
    if (next !== old || moved || turned) this.table.changed('new', this)
    return true
  }

  /** Its address is known at last: what waited goes out. */
  #release(): void {
    while ((this.state & NUD_VALID) !== 0 && this.#queue.length > 0) {
      const packet = this.#queue.shift()!
      this.output(packet)
    }
    this.#purge()
  }

  /** Takes it out of use. What waited is gone, without a word to its senders. */
  destroy(): void {
    this.dead = true
    this.#stopTimer()
    this.#purge()
  }

  get conf() {
    return this.table.family.conf(this.device)
  }

  get #now(): Microseconds {
    return this.device.namespace.model.clock.now
  }

  get #retransmission(): Microseconds {
    return Math.max(this.conf.retrans_time_ms * MILLISECOND, LEAST_WAIT)
  }

  #wake(delay: Microseconds): void {
    const { clock } = this.device.namespace.model
    this.#timer = clock.after(timerDelay(clock.now, delay), () => this.#expired())
  }

  #stopTimer(): void {
    this.device.namespace.model.clock.cancel(this.#timer)
  }

  /** neigh_timer_handler. */
  #expired(): void {
    const now = this.#now
    const delay = this.conf.delay_first_probe_time * SECOND
    let wait = this.#retransmission
    let changed = false
    if (this.state === Nud.reachable) {
      const reachable = this.table.reachableTime(this.device)
      if (now <= this.confirmed + reachable) {
        wait = this.confirmed + reachable - now
      } else if (now <= this.used + delay) {
        this.state = Nud.delay
        this.updated = now
        wait = delay
      } else {
        this.state = Nud.stale
        this.updated = now
        changed = true
      }
    } else if (this.state === Nud.delay) {
      changed = true
      this.updated = now
      if (now <= this.confirmed + delay) {
        this.state = Nud.reachable
        wait = this.confirmed + this.table.reachableTime(this.device) - now
      } else {
        this.state = Nud.probe
        this.probes = 0
      }
    } else if ((this.state & (Nud.probe | Nud.incomplete)) === 0) {
      return
    }
    if ((this.state & (Nud.incomplete | Nud.probe)) !== 0 && this.probes >= this.#maxProbes) {
      this.state = Nud.failed
      this.#invalidate()
      this.table.changed('new', this)
      return
    }
    if ((this.state & NUD_IN_TIMER) !== 0) this.#wake(Math.max(wait, LEAST_WAIT))
    if ((this.state & (Nud.incomplete | Nud.probe)) !== 0) this.#probe()
    if (changed) this.table.changed('new', this)
  }

  /** neigh_max_probes. */
  get #maxProbes(): number {
    const { conf } = this
    const broadcast = this.state === Nud.probe ? conf.mcast_resolicit : conf.mcast_solicit
    return conf.ucast_solicit + conf.app_solicit + broadcast
  }

  /** neigh_probe: first to the address that is known, then to everybody. */
  #probe(): void {
    const { conf } = this
    const unicast = this.probes < conf.ucast_solicit
    const forProgram = !unicast && this.probes < conf.ucast_solicit + conf.app_solicit
    if (!forProgram) this.table.family.solicit(this, this.#queue[this.#queue.length - 1], unicast)
    this.probes++
  }

  /** neigh_invalidate: nobody answered. */
  #invalidate(): void {
    this.updated = this.#now
    while (this.state === Nud.failed && this.#queue.length > 0) {
      const packet = this.#queue.shift()!
      this.table.family.unreachable(packet)
      drop(packet, 'NEIGH_FAILED', 'neigh_invalidate', {
        device: this.device,
        ref: `neigh ${this.describe()}`,
        what: `nobody answered for ${this.table.family.format(this.key)}`,
      })
    }
    this.#purge()
  }

  #purge(): void {
    for (const packet of this.#queue.splice(0)) drop(packet, 'QUEUE_PURGE', 'neigh_purge', { device: this.device })
    this.#queueBytes = 0
  }
}

/** What an skb with little in it is made with: skbuff_small_head, net/core/skbuff.c. Bytes. */
const SMALL_HEAD = 576
/** struct sk_buff, struct skb_shared_info, and room for headers. Bytes. */
const SK_BUFF = 256
const SHARED_INFO = 320
const HEADROOM = 64

/** skb->truesize of a packet that was made for a frame of this length: the allocator's size classes, and struct sk_buff. */
function trueSize(packet: Packet): number {
  const needed = packet.end - packet.network + HEADROOM + SHARED_INFO
  if (needed <= SMALL_HEAD) return SMALL_HEAD + SK_BUFF
  let bytes = 1024
  while (bytes < needed) bytes *= 2
  return bytes + SK_BUFF
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < b.length; i++) if (a[i] !== b[i]) return false
  return true
}
