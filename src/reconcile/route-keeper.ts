/**
 * Keeps a great many routes, all of one protocol number in one table, for as long as it is told to. What keep.ts is to a state
 * that is given as a whole, this is to one that is amended prefix by prefix, a hundred thousand times in a second.
 *
 *   amend(changes) ─────────────> those that are different now, in batches                route-states.ts, route-writer.ts
 *   somebody changes one ───────> notification ─> that one again
 *   a link goes down ───────────> IPv4 routes vanish without a word: a look at the table  route-look.ts
 *   the kernel refuses ─────────> that one again, later and later                         tries.ts
 *   it begins ──────────────────> a look: what is there already is taken over, and what nobody wants stays until `sweep`
 *
 * Routes are ours by their protocol number; those of others are never touched, also where they are in the place of one of ours.
 *
 * All work is done in slices, and whoever else there is has a turn between two of them: neither a table that is loaded nor a look
 * through it keeps a session's keepalives waiting. Our own changes are not notified to us.
 */
import type { Change, LiveKernel, Subscription } from '../kernel/live.ts'
import type { Route } from '../kernel/route.ts'
import type { Clock } from './keep.ts'
import { RouteLook } from './route-look.ts'
import { RouteStates } from './route-states.ts'
import { RouteTries, type RouteTryEvents } from './route-tries.ts'
import { type RouteOwner, RouteWriter } from './route-writer.ts'
import { LONGEST_WAIT } from './tries.ts'
import { metricOf, type Way, wayOf } from './way.ts'

/** Milliseconds of work without a rest. */
const SLICE = 8
/** Routes in one call: at 20 µs each, no more than a slice. */
const BATCH = 256
/** Milliseconds from the first doubt to the look: there are more to come. */
const MOMENT = 20
/** A look that took some time is followed by a rest of so many times that. */
const REST = 2
/** Milliseconds between looks when there is no doubt. */
const PERIOD = 60_000
/** Milliseconds until the next look after one that failed. */
const AFTER_FAILURE = 1000

export interface RouteKeeperEvents extends RouteTryEvents {
  /** The table could not be looked through; it is tried again. */
  failed?(error: Error): void
}

export interface RouteKeeperOptions<K> extends RouteOwner<K> {
  readonly kernel: LiveKernel
  readonly clock: Clock
  readonly events?: RouteKeeperEvents
}

export class RouteKeeper<K> {
  readonly #options: RouteKeeperOptions<K>
  readonly #states = new RouteStates<K>()
  readonly #writer: RouteWriter<K>
  readonly #subscription: Subscription
  /** To be written. */
  readonly #queue = new Set<K>()
  /** There since before the beginning, and not wanted yet. */
  readonly #stale = new Set<K>()
  /** Where others have a route in the place of ours. */
  #foreign = new Set<K>()
  readonly #tries: RouteTries<K>
  #look: RouteLook<K> | undefined
  /** What is there is known: one look has come to its end. */
  #isReady = false
  #isSwept = false
  #isDoubtful = false
  #restUntil = Number.NEGATIVE_INFINITY
  #isOpen = true
  #cancelWork: (() => void) | undefined
  #cancelLook: (() => void) | undefined
  #cancelHaste: (() => void) | undefined
  #cancelRetry: () => void = () => {}
  #cancelPeriod: () => void = () => {}

  constructor(options: RouteKeeperOptions<K>) {
    this.#options = options
    this.#tries = new RouteTries(options.destinationOf, options.events ?? {})
    this.#writer = new RouteWriter(options.kernel, options, this.#states)
    // Before the look: what changes meanwhile is told.
    this.#subscription = options.kernel.watch(['link', 'address', 'route'], (change) => this.#onChange(change), {
      exceptOwnRoutes: true,
    })
    this.#beginLook()
  }

  /** What these should be from now on; undefined: nothing. A few are mostly written when this returns. */
  amend(changes: Iterable<readonly [K, Way | undefined]>): void {
    const isPlain = this.#stale.size === 0 && !this.#tries.isAnyRefused
    for (const [key, way] of changes) {
      if (!isPlain) {
        this.#stale.delete(key)
        this.#tries.forgetRefused(key)
      }
      if (this.#states.want(key, way)) this.#queue.add(key)
      else if (this.#queue.size > 0) this.#queue.delete(key)
    }
    if (!this.#cancelWork) this.#work()
  }

  /** Whatever should go by one of these ways goes by the one that it leads to. */
  exchange(ways: ReadonlyMap<Way, Way>): void {
    const changes: [K, Way][] = []
    for (const [key, way] of this.#states.allThere()) {
      const now = ways.get(way)
      if (now && !this.#states.isDifferent(key)) changes.push([key, now])
    }
    for (const [key, way] of this.#states.allDifferent()) {
      const now = way && ways.get(way)
      if (now) changes.push([key, now])
    }
    if (changes.length > 0) this.amend(changes)
  }

  /** What was there at the beginning and is not wanted goes. */
  sweep(): void {
    this.#isSwept = true
    for (const key of this.#stale) if (this.#states.want(key, undefined)) this.#queue.add(key)
    this.#stale.clear()
    if (!this.#cancelWork) this.#work()
  }

  /** What is wanted is written, or refused, or waits for its way; and there is no doubt. */
  get isSettled(): boolean {
    return this.#isReady && this.#queue.size === 0 && !this.#cancelLook && !this.#isDoubtful
  }

  get refused(): { readonly what: string; readonly why: string }[] {
    const { refused } = this.#tries
    for (const [key, way] of this.#states.allDifferent()) {
      if (way && !way.route) refused.push({ what: this.#options.destinationOf(key), why: way.text })
    }
    return refused
  }

  /** All that is wanted, whether it is there or not. */
  *wanted(): Generator<[K, Way]> {
    for (const one of this.#states.allThere()) {
      if (!this.#states.isDifferent(one[0]) && !this.#stale.has(one[0])) yield one
    }
    for (const [key, way] of this.#states.allDifferent()) if (way) yield [key, way]
  }

  /** Leaves everything as it is, and looks after it no more. */
  close(): void {
    this.#isOpen = false
    this.#subscription.close()
    this.#look?.close()
    this.#look = undefined
    this.#cancelWork?.()
    this.#cancelLook?.()
    this.#cancelHaste?.()
    this.#cancelRetry()
    this.#cancelPeriod()
  }

  /** Takes all of ours away before it returns. */
  remove(): void {
    while (this.#look && !this.#isReady) this.#lookOn()
    const keys = Array.from(this.#states.allThere(), ([key]) => key)
    for (const key of keys) this.#states.want(key, undefined)
    for (let at = 0; at < keys.length; at += BATCH) this.#writer.write(keys.slice(at, at + BATCH), this.#foreign)
    this.close()
  }

  // Work

  get #isBusy(): boolean {
    return this.#isOpen && (this.#look !== undefined || (this.#isReady && this.#queue.size > 0))
  }

  /** A slice. */
  #work(): void {
    const { clock } = this.#options
    const start = clock.now()
    let spent = 0
    while (this.#isBusy && spent >= 0 && spent < SLICE) {
      if (this.#look) this.#lookOn()
      if (this.#isReady && this.#queue.size > 0) this.#write()
      spent = clock.now() - start
    }
    if (this.#isBusy) {
      this.#cancelWork = clock.after(0, () => {
        this.#cancelWork = undefined
        this.#work()
      })
    } else this.#waitForRetry()
  }

  #write(): void {
    const keys: K[] = []
    for (const key of this.#queue) {
      keys.push(key)
      this.#queue.delete(key)
      this.#look?.touch(key)
      if (keys.length === BATCH) break
    }
    const { refused, again } = this.#writer.write(keys, this.#foreign)
    for (const key of again) this.#queue.add(key)
    if (this.#tries.isAnyRefused)
      for (const key of keys) if (!this.#states.isDifferent(key)) this.#tries.forgetRefused(key)
    const now = this.#options.clock.now()
    for (const refusal of refused) {
      const { key, change, errno } = refusal
      this.#tries.noteRefused(refusal, this.#states.wanted(key)?.text ?? '', now)
      // Or it is ours, and we did not know of it.
      if (change.operation === 'add' && errno === 'EEXIST' && !this.#foreign.has(key)) this.#lookSoon()
    }
  }

  #waitForRetry(): void {
    this.#cancelRetry()
    const { due } = this.#tries
    if (due === undefined || !this.#isOpen) return
    const { clock, keyOf } = this.#options
    const wait = Math.min(Math.max(0, due - clock.now()), LONGEST_WAIT)
    this.#cancelRetry = clock.after(wait, () => {
      for (const destination of this.#tries.takeDue(clock.now())) this.#queue.add(keyOf(destination))
      if (!this.#cancelWork) this.#work()
    })
  }

  // Looks

  #lookSoon(wait = MOMENT): void {
    if (this.#look) this.#isDoubtful = true
    if (this.#look || this.#cancelLook || !this.#isOpen) return
    const { clock } = this.#options
    // A clock that has been set back knows of no rest that is longer than a period.
    const rest = Math.min(this.#restUntil - clock.now(), PERIOD)
    this.#cancelLook = clock.after(Math.max(wait, rest), () => {
      this.#cancelLook = undefined
      this.#beginLook()
    })
  }

  #beginLook(): void {
    const { kernel, clock, table } = this.#options
    this.#cancelPeriod()
    this.#look?.close()
    this.#look = new RouteLook(kernel.routes.parts({ table }), clock.now())
    if (!this.#cancelWork) this.#work()
  }

  /** The next part. */
  #lookOn(): void {
    const look = this.#look!
    try {
      const part = look.next()
      for (const route of part ?? []) this.#see(look, route)
      if (!part) this.#conclude(look)
    } catch (error) {
      this.#look = undefined
      this.#isDoubtful = false
      this.#options.events?.failed?.(error instanceof Error ? error : new Error(String(error)))
      this.#lookSoon(AFTER_FAILURE)
    }
  }

  #see(look: RouteLook<K>, route: Route): void {
    const { protocol, keyOf } = this.#options
    const key = keyOf(route.destination)
    if (route.protocol !== protocol) {
      if (this.#isInPlaceOfOurs(key, route)) look.foreign.add(key)
      return
    }
    if (look.isTouched(key)) return
    const way = look.wayOf(route)
    if (look.see(key)) this.#meet(key, way)
    else this.#meetAnother(key, way)
  }

  #conclude(look: RouteLook<K>): void {
    const { clock } = this.#options
    this.#look = undefined
    const missing: K[] = []
    for (const [key] of this.#states.allThere()) if (look.isMissing(key)) missing.push(key)
    for (const key of missing) this.#lose(key)
    this.#foreign = look.foreign
    this.#isReady = true
    this.#tries.hasten(clock.now())
    this.#restUntil = clock.now() + REST * (clock.now() - look.start)
    this.#cancelPeriod = clock.after(PERIOD, () => this.#beginLook())
    if (this.#isDoubtful) {
      this.#isDoubtful = false
      this.#lookSoon()
    }
  }

  /** The kernel has this one of ours. */
  #meet(key: K, way: Way): void {
    const there = this.#states.there(key)
    if (there?.isLike(way)) return
    const isUnknown = !there && !this.#states.isDifferent(key)
    if (isUnknown || this.#stale.has(key)) {
      this.#states.adopt(key, way)
      if (!this.#isSwept) this.#stale.add(key)
      else if (this.#states.want(key, undefined)) this.#queue.add(key)
    } else this.#mend(key, way)
  }

  /** There are two of ours, of different metrics: one is too many. */
  #meetAnother(key: K, way: Way): void {
    const there = this.#states.there(key)
    const wanted = this.#states.wanted(key)
    const isWanted = wanted !== undefined && metricOf(wanted) === metricOf(way)
    if (isWanted) this.#meet(key, way)
    const other = isWanted ? there : way
    if (other) this.#writer.delete(key, other)
  }

  /** It is gone, and nobody has said so. */
  #lose(key: K): void {
    if (this.#stale.delete(key)) this.#states.want(key, undefined)
    if (this.#states.note(key, undefined)) this.#queue.add(key)
  }

  /** Somebody else has changed it: undefined, taken it away. */
  #mend(key: K, way: Way | undefined): void {
    if (this.#stale.delete(key)) this.#states.want(key, undefined)
    if (!this.#states.note(key, way)) return
    if (!this.#isReady || this.#tries.noteMended(key, this.#options.clock.now())) this.#queue.add(key)
  }

  // Notifications

  #onChange(change: Change | 'lost'): void {
    if (change === 'lost') {
      this.#lookSoon()
      return
    }
    if (change.subject === 'route') this.#onRoute(change)
    // With its link, or the last address of its link, a route of IPv4 goes without a word.
    else if (this.#mayTakeRoutes(change) && this.#isUsed(change.link)) this.#lookSoon()
    if (this.#tries.isAnyRefused) this.#hasten()
    if (this.#queue.size > 0 && !this.#cancelWork) this.#work()
  }

  #mayTakeRoutes({ subject, operation, up }: Change): boolean {
    return operation === 'delete' || (subject === 'link' && up === false)
  }

  #onRoute({ operation, thing }: Change): void {
    const route = thing as Route | undefined
    const { protocol, table, keyOf } = this.#options
    if (!route) this.#lookSoon()
    else if (route.table === table) {
      const key = keyOf(route.destination)
      if (route.protocol === protocol) this.#onOurs(operation, key, route)
      else this.#onForeign(operation, key, route)
    }
  }

  /** Somebody else has done something to one of ours. */
  #onOurs(operation: Change['operation'], key: K, route: Route): void {
    this.#look?.touch(key)
    const there = this.#states.there(key)
    const isKnown = there !== undefined && metricOf(there) === (route.metric ?? 0)
    if (operation === 'delete' && isKnown) this.#mend(key, undefined)
    if (operation === 'new' && (isKnown || !there)) this.#meet(key, wayOf(route))
    if (operation === 'new' && there && !isKnown) this.#lookSoon()
  }

  #onForeign(operation: Change['operation'], key: K, route: Route): void {
    if (!this.#isInPlaceOfOurs(key, route)) return
    if (operation === 'new') {
      this.#foreign.add(key)
      this.#look?.foreign.add(key)
      // It may have taken the place of ours.
      this.#lookSoon()
    } else {
      this.#foreign.delete(key)
      this.#look?.foreign.delete(key)
      this.#tries.forgetRefused(key)
      if (this.#states.isDifferent(key)) this.#queue.add(key)
    }
  }

  #isInPlaceOfOurs(key: K, { metric = 0, tos = 0 }: Route): boolean {
    if (tos !== 0) return false
    const [there, wanted] = [this.#states.there(key), this.#states.wanted(key)]
    return (there !== undefined && metricOf(there) === metric) || (wanted !== undefined && metricOf(wanted) === metric)
  }

  /** Whether a route goes by the link. */
  #isUsed(link: string | undefined): boolean {
    let last: Way | undefined
    for (const [, way] of this.#states.allThere()) {
      if (way === last) continue
      last = way
      const { route } = way
      if (route?.nextHops ? route.nextHops.some((hop) => hop.link === link) : route?.link === link) return true
    }
    return false
  }

  /** Something has come or gone that what was refused may have waited for. */
  #hasten(): void {
    const { clock } = this.#options
    this.#cancelHaste ??= clock.after(MOMENT, () => {
      this.#cancelHaste = undefined
      this.#tries.hasten(clock.now())
      this.#waitForRetry()
    })
  }
}
