/**
 * A neighbour: its sessions, of which it has two while a collision is not resolved, and what becomes of it between them.
 *
 *   start ─> session ─ended─> rest ─> session ─> …
 *                 ╲ the peer dials while we do ─> a second session ─> collision.ts: one of them goes
 *
 * What two ends tell each other of routes is not its concern: it decodes and hands over, and sends what it is given.
 */
import { BackOff } from './back-off.ts'
import type { Negotiated } from './capability/negotiation.ts'
import { isCollision, resolveCollision } from './collision.ts'
import { CeaseError, ErrorCode } from './errors.ts'
import { type Family, unicastOf } from './family.ts'
import { STATES } from './fsm.ts'
import { hardReset, maximumPrefixesReached, type Notification, shutdown } from './message/notification.ts'
import { encodeEndOfRib } from './message/pack.ts'
import type { Update } from './message/update.ts'
import type { PeerEvents, Speaking } from './peer-owner.ts'
import { openOf, type PeerSettings, type RestartState, targetOf } from './peer-settings.ts'
import { describePeer, type PeerStatus } from './peer-status.ts'
import { isForGood, keptFamilies, Retention, restartFamilies } from './retention.ts'
import { RouteRefreshes } from './route-refreshes.ts'
import { Session } from './session.ts'
import { NO_COUNTS, type SessionEnd, type SessionOwner } from './session-owner.ts'
import { Timer } from './timer.ts'
import type { Connection, ConnectionEvents } from './transport.ts'

const SECOND = 1000
/** How long a connection waits for that which wins over it: the time of a round trip or two, also with a packet lost. */
const COLLISION_TIME = 5 * SECOND
const NO_DATA = new Uint8Array(0)

export class Peer {
  #settings: PeerSettings
  readonly #speaking: Speaking
  readonly #events: PeerEvents
  readonly #retention: Retention
  readonly #backOff: BackOff
  readonly #collision: Timer
  readonly #owner: SessionOwner
  #sessions: Session[] = []
  #established: Session | undefined
  #establishedAt: number | undefined
  #localAddress: string | undefined
  #lastError: string | undefined
  #enabled = false
  /** There was a session in this life of the speaker. */
  #hasMet = false
  #refreshes: RouteRefreshes | undefined
  /** Families whose End-of-RIB is to come. */
  readonly #awaited = new Set<Family>()

  constructor(settings: PeerSettings, speaking: Speaking, events: PeerEvents) {
    this.#settings = settings
    this.#speaking = speaking
    this.#events = events
    const { clock, random } = speaking
    this.#backOff = new BackOff(clock, random, () => this.#begin('AutomaticStart'))
    this.#collision = new Timer(clock, () => this.#releaseAll())
    this.#retention = new Retention(clock, {
      sweep: (family, why) => {
        events.log(`stale ${family} routes are deleted: ${why}`)
        events.sweep(family)
      },
      longLived: (family) => events.longLived(family),
    })
    this.#owner = {
      opened: (session) => this.#opened(session),
      established: (session) => this.#isEstablished(session),
      update: (session, update) => this.#update(session, update),
      refresh: (_, refresh) => this.#refreshes?.take(refresh, (family) => this.#awaited.has(family)),
      writable: () => events.writable(),
      disconnected: (session, why) => this.#disconnected(session, why),
      ended: (session, end) => this.#ended(session, end),
    }
  }

  get settings(): PeerSettings {
    return this.#settings
  }

  // What an operator does

  /**
   * Settings that no session depends upon while it is there (`concernsSession`): they count from the next one on. One that still
   * waits for its connection begins again if it is to dial now, or to dial no more.
   */
  revise(settings: PeerSettings): void {
    const isOther = settings.passive !== this.#settings.passive
    this.#settings = settings
    const isWaiting = this.#sessions.every(({ state }) => state === 'Connect' || state === 'Active')
    if (!isOther || !isWaiting || this.#sessions.length === 0) return
    for (const session of [...this.#sessions]) session.dump()
    this.#begin('AutomaticStart')
  }

  /** Lets the neighbour be dialled and called. */
  enable(): void {
    if (this.#enabled) return
    this.#enabled = true
    this.#backOff.forget()
    this.#begin('ManualStart')
  }

  /** Ends the session with Cease 6/2, and lets no other begin. The peer is told the text: RFC 9003. */
  disable(text = ''): void {
    this.#stop(shutdown(CeaseError.administrativeShutdown, text), text ? `disabled: ${text}` : 'disabled')
  }

  /** There is no such neighbour any more, or one with other settings in its place: Cease 6/3, 6/6. */
  remove(why: 'removed' | 'changed' = 'removed'): void {
    const { peerDeconfigured, otherConfigurationChange } = CeaseError
    const subcode = why === 'removed' ? peerDeconfigured : otherConfigurationChange
    this.#stop({ code: ErrorCode.cease, subcode, data: NO_DATA }, why)
  }

  /** Ends the session with Cease 6/4, and begins another. `hard`: the peer is to forget our routes, RFC 8538. */
  reset(text = '', { hard = false } = {}): void {
    const notification = shutdown(CeaseError.administrativeReset, text)
    this.#backOff.forget()
    if (this.#enabled && this.#sessions.length === 0) this.#begin('AutomaticStart')
    else this.fail(hard ? this.#forGood(notification) : notification)
  }

  // What the owner finds out

  /** Ends the session, and begins another after a rest: 6/6, 6/8, 6/10 and so on. */
  fail(notification: Notification): void {
    const notified = isForGood(notification) ? this.#forGood(notification) : notification
    for (const session of [...this.#sessions]) session.fail(notified)
  }

  /** Cease 6/1, and none of the peer's routes are kept. */
  tooManyPrefixes(family: Family, limit: number): void {
    this.fail(maximumPrefixesReached({ ...unicastOf[family], limit }))
  }

  /** The neighbour cannot be reached any more, as a link tells that is down. */
  unreachable(why: string): void {
    for (const session of [...this.#sessions]) {
      if (session.state === 'Established' || session.state === 'OpenConfirm') session.lose(why)
    }
  }

  /** The peer has dialled. undefined: it is refused. */
  accept(connection: Connection): ConnectionEvents | undefined {
    if (!this.#enabled) return undefined
    if (this.#sessions.length === 0) {
      if (this.#backOff.isDeaf) return undefined
      this.#begin('AutomaticStart', { passive: true })
    }
    const waiting = this.#sessions.find(({ state }) => state === 'Active')
    if (waiting) return waiting.accept(connection)
    // Who dials again has given up the connection that it dialled before.
    this.#sessions
      .find(({ initiator, state }) => initiator === 'peer' && state !== 'Established' && state !== 'Connect')
      ?.dump()
    const second = this.#session(false)
    second.start('AutomaticStartPassive')
    return second.accept(connection)
  }

  // Messages

  /** Messages for the peer, in Established. False: wait for writable() with the next. */
  send(messages: readonly Uint8Array[]): boolean {
    return this.#established?.send(messages) ?? true
  }

  /** All routes of the family are sent. */
  sendEndOfRib(family: Family): void {
    this.send([encodeEndOfRib(family)])
  }

  /** Asks for the peer's routes. False: it takes no such request. */
  requestRefresh(family: Family): boolean {
    const request = this.#refreshes?.request(family)
    if (request) this.send([request])
    return request !== undefined
  }

  /** Says that all routes of a family come again; the answer is to be sent behind them. Nothing unless the peer knows it. */
  beginRefresh(family: Family): Uint8Array | undefined {
    const beginning = this.#refreshes?.marker(family, 'beginning')
    if (beginning) this.send([beginning])
    return this.#refreshes?.marker(family, 'end')
  }

  // What is to be seen

  get established(): boolean {
    return this.#established !== undefined
  }

  /** Connections that are there, or being made. */
  get connections(): number {
    return this.#sessions.filter(({ state }) => state !== 'Idle' && state !== 'Active').length
  }

  /** Families whose End-of-RIB is promised and has not come: what a speaker that restarts waits for. */
  get awaitsEndOfRib(): ReadonlySet<Family> {
    return this.#awaited
  }

  /** Families whose stale routes are kept. */
  get kept(): readonly Family[] {
    return this.#retention.kept
  }

  get status(): PeerStatus {
    const session = this.#foremost()
    return {
      state: session?.state ?? 'Idle',
      disabled: !this.#enabled,
      localAddress: session?.ends.local?.address ?? this.#localAddress ?? this.settings.localAddress,
      establishedAt: this.#establishedAt,
      lastError: this.#lastError,
      counts: session?.counts ?? NO_COUNTS,
      negotiated: this.#established?.negotiated,
    }
  }

  /** In one line: who, from which address, and why not. */
  describe(): string {
    return describePeer(this.settings, this.status)
  }

  #foremost(): Session | undefined {
    return this.#sessions.reduce<Session | undefined>(
      (best, each) => (best && STATES.indexOf(best.state) >= STATES.indexOf(each.state) ? best : each),
      undefined,
    )
  }

  // Sessions

  #begin(event: 'ManualStart' | 'AutomaticStart', { passive }: { readonly passive: boolean } = this.settings): void {
    this.#session(!this.settings.passive).start(passive ? `${event}Passive` : event)
    this.#events.changed()
  }

  #session(dials: boolean): Session {
    this.#backOff.stop()
    const { settings } = this
    const { id, clock, turns, random, transport, observers, asSets, attributes } = this.#speaking
    const { holdTime, keepalive, connectRetry, remoteAs, required } = settings
    const session = new Session(
      {
        settings,
        observers,
        clock,
        turns,
        random,
        times: { holdTime, keepalive, connectRetry },
        connect: dials ? (events) => transport.connect(targetOf(settings), events) : undefined,
        open: () => openOf(settings, id, this.#restartState()),
        expected: { as: remoteAs, required },
        asSets,
        attributes,
      },
      this.#owner,
    )
    this.#sessions.push(session)
    return session
  }

  /** Whom we have had a session with in this life, our routes have been forwarded for ever since. */
  #restartState(): RestartState {
    const { restart } = this.#speaking
    const forwarding = (family: Family) => this.#hasMet || restart.forwarding(family)
    return { restarting: restart.restarting, forwarding }
  }

  #stop(notification: Notification, why: string): void {
    this.#enabled = false
    this.#backOff.stop()
    const notified = isForGood(notification) ? this.#forGood(notification) : notification
    for (const session of [...this.#sessions]) session.stop(notified)
    this.#lastError = why
    this.#retention.sweepAll(why)
    this.#events.changed()
  }

  /** As a Hard Reset, where the peer would keep our routes otherwise. */
  #forGood(notification: Notification): Notification {
    return this.#established?.negotiated?.gracefulRestart?.notification ? hardReset(notification) : notification
  }

  #opened(session: Session): void {
    const { peerId, peerAs } = session.negotiated!
    const own = { id: this.#speaking.id, as: this.settings.localAs }
    for (const other of this.#others(session)) {
      if (other.state === 'Established' && this.#hasComeBack(other)) {
        other.lose('the peer has come back on another connection')
        continue
      }
      const verdict = resolveCollision(session, other, own, { id: peerId, as: peerAs })
      if (verdict === 'this goes') session.dump()
      else if (verdict === 'the other goes') other.dump()
      else {
        session.holdBack()
        this.#collision.start(COLLISION_TIME)
      }
    }
  }

  /**
   * RFC 4724 §4.2: with graceful restart, an OPEN on another connection says that the peer has lost the one that is established,
   * which is closed without a NOTIFICATION. What collides with a session is gone when it is established, so this is none.
   */
  #hasComeBack(established: Session): boolean {
    const { gracefulRestart } = established.negotiated!
    return gracefulRestart !== undefined && gracefulRestart.families.length > 0
  }

  #isEstablished(session: Session): void {
    this.#collision.stop()
    for (const other of this.#others(session)) other.dump()
    const { clock } = this.#speaking
    const negotiated = session.negotiated!
    this.#established = session
    this.#establishedAt = clock.now()
    this.#hasMet = true
    this.#refreshes = new RouteRefreshes(negotiated, this.#events)
    const isWaiting = negotiated.gracefulRestart?.restarting
    for (const family of isWaiting ? [] : restartFamilies(negotiated)) this.#awaited.add(family)
    this.#lastError = undefined
    this.#retention.back(negotiated)
    this.#events.established(negotiated)
    this.#events.changed()
  }

  #update(session: Session, update: Update): void {
    this.#events.update(update)
    // The owner may have ended the session over it.
    if (!update.endOfRib || this.#established !== session) return
    this.#awaited.delete(update.endOfRib)
    this.#retention.endOfRib(update.endOfRib)
    this.#events.endOfRib(update.endOfRib)
  }

  #disconnected(session: Session, why: string): void {
    this.#noteError(session, why)
    // A session that was there for a connection of the peer's only.
    if (!session.dials && (!this.settings.passive || this.#sessions.length > 1)) {
      this.#sessions = this.#others(session)
      if (this.#sessions.length === 0) this.#backOff.rest()
    }
    this.#releaseUnrivalled()
    this.#events.changed()
  }

  #ended(session: Session, end: SessionEnd): void {
    const lasted = this.#established === session ? this.#speaking.clock.now() - this.#establishedAt! : 0
    this.#sessions = this.#others(session)
    if (end.event !== 'OpenCollisionDump') this.#noteError(session, end.why)
    if (this.#established === session) this.#isDown(end, session.negotiated!)
    this.#releaseUnrivalled()
    if (this.#enabled && this.#sessions.length === 0) {
      if (!isCollision(end)) this.#backOff.failed(lasted)
      this.#backOff.rest()
    }
    this.#events.changed()
  }

  #isDown(end: SessionEnd, negotiated: Negotiated): void {
    this.#established = undefined
    this.#establishedAt = undefined
    this.#refreshes = undefined
    this.#awaited.clear()
    const keepRoutes = keptFamilies(end, negotiated)
    this.#retention.lost(keepRoutes, negotiated)
    const restartTime = keepRoutes.length > 0 ? negotiated.gracefulRestart!.time : 0
    this.#events.down({ why: end.why, keepRoutes, restartTime })
  }

  #others(session: Session): Session[] {
    return this.#sessions.filter((each) => each !== session)
  }

  /** Told once, and not with every attempt. */
  #noteError(session: Session, why: string): void {
    const isNews = why !== this.#lastError
    this.#lastError = why
    this.#localAddress = session.ends.local?.address ?? this.#localAddress
    if (isNews) this.#events.log(this.describe())
  }

  /** That which a session waited for is gone. */
  #releaseUnrivalled(): void {
    if (!this.#sessions.some(({ state }) => state === 'OpenSent')) this.#releaseAll()
  }

  #releaseAll(): void {
    this.#collision.stop()
    for (const session of [...this.#sessions]) if (session.isHeldBack) session.release()
  }
}
