/**
 * Tells a monitoring station what this speaker hears: RFC 7854; its best routes: RFC 9069.
 *
 *   sessions ── up, down, UPDATEs as they come ──────────┐
 *   tables ── all of them at first ──┐                   ├──> station.ts
 *   rounds ── what has changed ──────┴─ contents.ts ─────┘
 *
 * Routes before our filters are the peers' own messages, passed on as they are. Those behind them, and the best ones, follow from
 * the tables, in slices and as long as the station takes them; what has changed is compared with what is true when its turn comes,
 * so a slow station is told the last state. A route may be told twice, or withdrawn that was not told; the end is the same.
 */
import type { Clock } from '../../store/clock.ts'
import type { Family } from '../family.ts'
import { unicastOf } from '../family.ts'
import type { State } from '../fsm.ts'
import { MessageType, messageType } from '../message/header.ts'
import { encodeOpen } from '../message/open.ts'
import type { ObservedSession, Observer } from '../observer.ts'
import type { Changes } from '../rib/loc.ts'
import type { SessionEnd } from '../session-owner.ts'
import type { Speaker } from '../speaker.ts'
import { Timer } from '../timer.ts'
import type { Transport } from '../transport.ts'
import { Contents, peerOf, type Slice, type Table } from './contents.ts'
import {
  type BmpPeer,
  encodeInitiation,
  encodePeerDown,
  encodePeerUp,
  encodeRouteMonitoring,
  encodeStatistics,
  encodeTermination,
} from './message.ts'
import { Station } from './station.ts'

export interface BmpSettings {
  readonly address: string
  readonly port: number
  readonly localAddress: string | undefined
  /** At least one. */
  readonly tables: readonly Table[]
  /** Seconds between two reports; 0: none. */
  readonly statistics: number
  /** Octets that may wait for it. When it is behind by more it is cut off, and told all anew. */
  readonly buffer: number
}

export interface BmpOptions {
  readonly settings: BmpSettings
  readonly speaker: Pick<Speaker, 'ribs' | 'observers' | 'settings' | 'neighbours'>
  readonly transport: Transport
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
  /** sysDescr and sysName: what speaks here, and where. */
  readonly description: string
  readonly name: string
  readonly log: (text: string) => void
}

const SECOND = 1000
/** Octets that are made in one go. */
const SLICE = 262_144
/** Prefixes whose changes wait, above which a station is cut off. */
const TOO_MANY = 2_000_000

export class BmpExporter implements Observer {
  readonly #options: BmpOptions
  readonly #station: Station
  readonly #contents: Contents
  readonly #unobserve: () => void
  readonly #reports: Timer
  /** Whom the station knows to be up, by address. */
  readonly #up = new Map<string, ObservedSession>()
  /** What is still to be told, in this order; and how many prefixes those are whose changes wait. */
  #waiting: { readonly slices: Generator<Slice>; readonly prefixes: number }[] = []
  #prefixes = 0
  #cancelPump: (() => void) | undefined
  #lastError: string | undefined

  constructor(options: BmpOptions) {
    const { settings, speaker, transport, clock, random } = options
    this.#options = options
    this.#contents = new Contents({
      tables: settings.tables,
      ribs: () => speaker.ribs,
      sessions: () => this.#up.values(),
      session: (address) => this.#up.get(address),
      own: () => this.#own(),
      now: () => clock.now(),
    })
    this.#reports = new Timer(clock, () => this.#report())
    this.#unobserve = speaker.observers.add(this)
    this.#station = new Station(
      { ...settings, transport, clock, random },
      { connected: () => this.#begin(), room: () => this.#goOn(), lost: (why) => this.#lost(why) },
    )
  }

  get status(): { readonly isConnected: boolean; readonly lastError: string | undefined } {
    return { isConnected: this.#station.isConnected, lastError: this.#lastError }
  }

  /** Says goodbye. */
  close(text = ''): void {
    this.#unobserve()
    this.#station.send(encodeTermination(text))
    this.#station.close()
    this.#forget()
  }

  // What is observed

  received(session: ObservedSession, message: Uint8Array): void {
    if (messageType(message) !== MessageType.update || !this.#contents.has('pre-policy')) return
    if (this.#up.get(session.settings.address) !== session) return
    const peer = peerOf(session, 'pre-policy', session.negotiated!.as4)
    this.#station.send(encodeRouteMonitoring(peer, this.#now(), message))
  }

  changed(session: ObservedSession, _from: State, to: State): void {
    if (to === 'Established' && this.#station.isConnected) this.#isUp(session)
  }

  ended(session: ObservedSession, end: SessionEnd): void {
    if (this.#up.get(session.settings.address) !== session) return
    this.#up.delete(session.settings.address)
    this.#station.send(encodePeerDown(peerOf(session, 'pre-policy'), this.#now(), end))
  }

  settled(family: Family, changes: Changes): void {
    if (!this.#station.isConnected) return
    this.#prefixes += changes.size
    this.#waiting.push({ slices: this.#contents.changed(family, changes), prefixes: changes.size })
    if (this.#prefixes > TOO_MANY) this.#station.cut('it does not keep up')
    else this.#goOn()
  }

  // The station

  #begin(): void {
    const { name, description, settings, speaker, log } = this.#options
    this.#lastError = undefined
    log(`BMP station ${settings.address} is connected`)
    this.#station.send(encodeInitiation(description, name))
    if (this.#contents.has('loc-rib')) this.#ownIsUp()
    for (const session of speaker.observers.established) this.#isUp(session)
    this.#waiting = [{ slices: this.#contents.all(), prefixes: 0 }]
    this.#reports.start(settings.statistics * SECOND)
    this.#goOn()
  }

  #lost(why: string): void {
    const { log, settings } = this.#options
    if (this.#lastError !== why) log(`BMP station ${settings.address}: ${why}`)
    this.#lastError = why
    this.#forget()
  }

  #forget(): void {
    this.#cancelPump?.()
    this.#cancelPump = undefined
    this.#reports.stop()
    this.#up.clear()
    this.#waiting = []
    this.#prefixes = 0
  }

  /** Later, and not within the call that something was told by. */
  #goOn(): void {
    if (this.#waiting.length > 0) this.#cancelPump ??= this.#options.clock.after(0, () => this.#pump())
  }

  #pump(): void {
    this.#cancelPump = undefined
    for (let octets = 0; octets < SLICE && this.#station.hasRoom; ) {
      const [first] = this.#waiting
      if (!first) return
      const { value, done } = first.slices.next()
      if (done) {
        this.#waiting.shift()
        this.#prefixes -= first.prefixes
        continue
      }
      for (const message of value) {
        octets += message.length
        this.#station.send(message)
      }
      // A slice without routes has taken its time, too.
      octets += SLICE / 16
    }
    if (this.#station.hasRoom) this.#goOn()
  }

  #isUp(session: ObservedSession): void {
    const { opens, ends, settings } = session
    if (!this.#hasPeers || !opens.sent || !opens.received) return
    this.#up.set(settings.address, session)
    const up = { local: ends.local, remotePort: ends.remote?.port ?? 0, sent: opens.sent, received: opens.received }
    // One for the routes before and behind our filters: §4.2, of the flag that tells them apart.
    this.#station.send(encodePeerUp(peerOf(session, 'pre-policy'), this.#now(), up))
  }

  /** RFC 9069 §4.3: OPENs as they would be between this speaker and itself. */
  #ownIsUp(): void {
    const { as, routerId, families } = this.#options.speaker.settings
    const open = encodeOpen({
      as,
      holdTime: 0,
      id: routerId,
      capabilities: [
        ...families.map((family) => ({ name: 'multiprotocol', value: unicastOf[family] }) as const),
        { name: 'four-octet-as', value: as },
      ],
    })
    const up = { local: undefined, remotePort: 0, sent: open, received: open }
    this.#station.send(encodePeerUp(this.#own(), this.#now(), up))
  }

  #report(): void {
    const { settings, speaker } = this.#options
    const time = this.#now()
    for (const { settings: each, routes } of speaker.neighbours()) {
      const session = this.#up.get(each.session.address)
      if (!session) continue
      const counts = { ipv4: routes.ipv4.received, ipv6: routes.ipv6.received }
      this.#station.send(encodeStatistics(peerOf(session, 'pre-policy'), time, { routes: counts }))
    }
    if (this.#contents.has('loc-rib')) {
      const { ipv4, ipv6 } = speaker.ribs.tables
      this.#station.send(encodeStatistics(this.#own(), time, { routes: { ipv4: ipv4.size, ipv6: ipv6.size } }))
    }
    this.#reports.start(settings.statistics * SECOND)
  }

  /** Who is told the best routes alone need not know the peers. */
  get #hasPeers(): boolean {
    return this.#contents.has('pre-policy') || this.#contents.has('post-policy')
  }

  #own(): BmpPeer {
    const { as, routerId } = this.#options.speaker.settings
    return { kind: 'loc-rib', as, id: routerId }
  }

  #now(): number {
    return this.#options.clock.now()
  }
}
