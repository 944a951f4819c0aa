/**
 * Keeps a namespace as it should be, for as long as it is told to.
 *
 *   desire(state) ─────────────> what has come and gone since the state before, at once        difference.ts
 *   somebody changes something ─> notification ─> a moment later a look at that part of it     interest.ts, scope.ts
 *                                 └ lost: at everything                plan, attempt           reconcile.ts, attempt.ts
 *   the kernel refuses ─────────> that one thing again, later and later                        tries.ts
 *
 * Nothing is asked for while nothing happens, but everything once a minute: some settings change without a word. Our own
 * changes are notified as everybody's are: what is told whole, and is as desired, needs no look; for the rest the look finds
 * everything as desired, and writes nothing.
 *
 * Operations are carried out each for itself, so one that is refused holds up none. Its reason is told once, not with every
 * try. What others change as often as we put it right is put right once a second.
 */
import { KernelError } from '../kernel/errors.ts'
import type { Change, LiveKernel, Subscription } from '../kernel/live.ts'
import { attempt, linkOf, type Refused } from './attempt.ts'
import { mayBeMissing } from './compare.ts'
import { DesiredState } from './difference.ts'
import { Interest } from './interest.ts'
import { observe } from './observe.ts'
import { plan } from './reconcile.ts'
import { Scope } from './scope.ts'
import type { Operation, State } from './state.ts'
import type { Subject } from './subject.ts'
import { subjects } from './subjects.ts'
import { LONGEST_WAIT, type Thing, Tries } from './tries.ts'

/** Milliseconds from the first notification to the look: whoever changes something often changes more at once. */
const MOMENT = 20
/** A look that took some time is followed by a rest of so many times that: of a storm of notifications there may be no end. */
const REST = 2
/** Milliseconds between looks at everything. */
const PERIOD = 60_000
/** Milliseconds until the next look after one that failed. */
const AFTER_FAILURE = 1000

const CHANGES_ROUTING: ReadonlySet<Change['subject']> = new Set(['link', 'address', 'route'])

export interface Clock {
  /** Milliseconds. */
  now(): number
  /** Calls `run` once, when so many milliseconds have passed. Answers what cancels it. */
  after(milliseconds: number, run: () => void): () => void
}

/** What is worth a line in a log, or a count. */
export interface KeepEvents {
  /** `desired`: the state was another than before. `changed`: somebody had changed, or not yet taken, what was done. */
  done?(operations: readonly Operation[], cause: 'desired' | 'changed'): void
  /** Told for the first of its kind, and again when none of that kind has been refused for a while. */
  refused?(error: Error, operation: Operation): void
  /** Somebody else keeps changing it; it is put right less often from now on. */
  contested?(what: string): void
  /** The kernel could not be looked at; it is tried again. */
  failed?(error: Error): void
}

export interface Keeper {
  /**
   * What should be there from now on. When this returns, it is, but for what is refused. A function is called again when
   * links, addresses or routes have changed, whosever: what it answers may depend on them.
   */
  desire(state: State | (() => State)): void
  /** Everything is as desired, as far as we have been told. */
  readonly settled: boolean
  /** What is refused just now. */
  readonly refused: readonly { readonly what: string; readonly error: Error }[]
  /** Leaves everything as it is, and looks after it no more. */
  close(): void
}

export function keep(kernel: LiveKernel, clock: Clock, events: KeepEvents = {}): Keeper {
  return new KernelKeeper(kernel, clock, events)
}

class KernelKeeper implements Keeper {
  readonly #kernel: LiveKernel
  readonly #clock: Clock
  readonly #events: KeepEvents
  readonly #tries = new Tries()
  /** Kinds of refusals that have been told and are not over. */
  readonly #told = new Set<string>()
  readonly #watched = new Set<Change['subject']>()
  readonly #subscriptions: Subscription[] = []
  #source: State | (() => State) = {}
  #desired: DesiredState | undefined
  #interest = new Interest({})
  /** What is to be looked at next. */
  #pending = new Scope()
  /** A source that is a function may answer something else by now. */
  #askAgain = false
  /** No look in between, because of the last one. */
  #rest = { from: 0, until: 0 }
  #open = true
  #cancelLook: (() => void) | undefined
  #cancelRetry: () => void = () => {}
  #cancelPeriod: () => void = () => {}

  constructor(kernel: LiveKernel, clock: Clock, events: KeepEvents) {
    this.#kernel = kernel
    this.#clock = clock
    this.#events = events
  }

  get settled(): boolean {
    return this.#cancelLook === undefined && this.#tries.due === undefined
  }

  get refused(): readonly { readonly what: string; readonly error: Error }[] {
    return this.#tries.refused.map(({ thing, error }) => ({ what: thing.what, error }))
  }

  desire(state: State | (() => State)): void {
    if (!this.#open) return
    this.#source = state
    this.#safely(() => this.#adopt())
    this.#waitForRetry()
  }

  close(): void {
    this.#open = false
    for (const subscription of this.#subscriptions.splice(0)) subscription.close()
    this.#cancelLook?.()
    this.#cancelLook = undefined
    this.#cancelRetry()
    this.#cancelPeriod()
  }

  #adopt(): void {
    const state = typeof this.#source === 'function' ? this.#source() : this.#source
    this.#interest = new Interest(state)
    this.#watch()
    const operations = this.#desired?.become(state)
    this.#desired ??= new DesiredState(state)
    if (operations) this.#carryOut(operations, 'desired')
    else this.#look(everything(), 'desired')
  }

  /** Before anything is looked at: what changes meanwhile is told. */
  #watch(): void {
    const missing = this.#interest.subjects.filter((subject) => !this.#watched.has(subject))
    if (missing.length === 0) return
    for (const subject of missing) this.#watched.add(subject)
    this.#subscriptions.push(this.#kernel.watch(missing, (change) => this.#onChange(change)))
  }

  #onChange(change: Change | 'lost'): void {
    const lost = change === 'lost'
    const isExpected = !lost && this.#desired?.expects(change) === true
    if (lost) this.#pending.addEverything()
    else if (!isExpected && this.#interest.has(change)) this.#pending.addChange(change)
    // A route that went may have been the way to somewhere, whosever it was.
    const routing = lost || (CHANGES_ROUTING.has(change.subject) && !(isExpected && change.operation === 'new'))
    if (typeof this.#source === 'function' && routing) this.#askAgain = true
    const hastened = !lost && this.#interest.mayBeAwaited(change) && this.#tries.hasten(this.#clock.now())
    if (hastened || this.#askAgain || !this.#pending.isEmpty) this.#lookSoon()
  }

  #lookSoon(): void {
    if (this.#cancelLook) return
    const now = this.#clock.now()
    // A clock that has been set back knows of no rest.
    const left = now < this.#rest.from ? 0 : this.#rest.until - now
    this.#cancelLook = this.#clock.after(Math.max(MOMENT, left), () => {
      this.#cancelLook = undefined
      this.#lookAgain()
    })
  }

  /** At what has changed, and what is to be tried again. */
  #lookAgain(): void {
    const scope = this.#pending
    this.#pending = new Scope()
    for (const { subject, link } of this.#tries.takeDue(this.#clock.now())) {
      if (subject === 'links') scope.addChange({ subject: 'link', operation: 'new', link })
      else scope.add(subject, link)
    }
    if (this.#askAgain) {
      this.#askAgain = false
      this.#safely(() => this.#adopt())
    }
    if (!scope.isEmpty) this.#safely(() => this.#look(scope, 'changed'))
    this.#waitForRetry()
  }

  #look(scope: Scope, cause: Cause): void {
    const start = this.#clock.now()
    const desired = scope.narrow(this.#desired!.state)
    const operations = plan(desired, observe(this.#kernel, desired))
    if (cause === 'changed') this.#restFor(REST * (this.#clock.now() - start))
    this.#carryOut(operations, cause)
    const wrong = new Set(operations.map((operation) => thingOf(operation).key))
    this.#tries.forgetRefused(({ key, subject, link }) => scope.has(subject, link) && !wrong.has(key))
    this.#tellRefusals([])
    if (scope.isEverything) this.#beginPeriod()
  }

  #restFor(milliseconds: number): void {
    const from = this.#clock.now()
    this.#rest = { from, until: from + milliseconds }
  }

  #carryOut(operations: readonly Operation[], cause: Cause): void {
    const now = this.#clock.now()
    for (const operation of operations) if (cause === 'desired') this.#tries.forget(thingOf(operation))
    const admitted = operations.filter((operation) => this.#tries.admit(thingOf(operation), now))
    // A setting that the kernel does not have is missing again after that.
    const { done: carriedOut, refused } = attempt(this.#kernel, admitted)
    const done = carriedOut.filter((operation) => !(cause === 'changed' && mayBeMissing(operation)))
    for (const operation of done) {
      const thing = thingOf(operation)
      if (cause === 'desired') this.#tries.forget(thing)
      else if (this.#tries.noteMended(thing, now)) this.#events.contested?.(thing.what)
    }
    for (const { operation, error } of refused) this.#tries.noteRefused(thingOf(operation), error, now)
    if (done.length > 0) this.#events.done?.(done, cause)
    this.#tellRefusals(refused)
  }

  /** Of each kind the first; and those that are over may be told again. */
  #tellRefusals(refused: readonly Refused[]): void {
    const standing = new Set(this.#tries.refused.map(({ thing, error }) => kindOf(thing, error)))
    for (const kind of this.#told) if (!standing.has(kind)) this.#told.delete(kind)
    for (const { operation, error } of refused) {
      const kind = kindOf(thingOf(operation), error)
      if (this.#told.has(kind)) continue
      this.#told.add(kind)
      this.#events.refused?.(error, operation)
    }
  }

  #waitForRetry(): void {
    this.#cancelRetry()
    const { due } = this.#tries
    if (due === undefined || !this.#open) return
    const delay = Math.max(0, due - this.#clock.now())
    this.#cancelRetry = this.#clock.after(Math.min(delay, LONGEST_WAIT), () => this.#lookAgain())
  }

  #beginPeriod(): void {
    this.#cancelPeriod()
    if (!this.#open) return
    this.#cancelPeriod = this.#clock.after(PERIOD, () => {
      this.#pending.addEverything()
      this.#lookAgain()
    })
  }

  /** A kernel that cannot be read now is read again: a listing that changes all the time, no memory. */
  #safely(look: () => void): void {
    try {
      look()
    } catch (error) {
      this.#events.failed?.(error instanceof Error ? error : new Error(String(error)))
      this.#restFor(AFTER_FAILURE)
      this.#pending.addEverything()
      this.#lookSoon()
    }
  }
}

type Cause = 'desired' | 'changed'

function everything(): Scope {
  const scope = new Scope()
  scope.addEverything()
  return scope
}

function thingOf(operation: Operation): Thing {
  const subject = subjects[operation.subject] as Subject<unknown, unknown>
  const item = operation.operation === 'remove' ? operation.seen : operation.desired
  return {
    subject: operation.subject,
    link: linkOf(operation),
    key: `${operation.subject} ${subject.key(item)}`,
    get what() {
      return subject.describe(item)
    },
  }
}

function kindOf({ subject }: Thing, error: Error): string {
  return `${subject} ${error instanceof KernelError ? error.errno : error.message}`
}
