/** Routes that are tried again: tries.ts by the keys of a RouteKeeper, and who is told of them. */
import { KernelError } from '../kernel/errors.ts'
import type { RefusedRoute } from './route-writer.ts'
import { type Thing, Tries } from './tries.ts'

export interface RouteTryEvents {
  /** Told for the first of its kind, and again when none has been refused for a while. */
  refused?(error: Error): void
  /** Somebody else keeps changing it; it is put right less often from now on. */
  contested?(what: string): void
}

export class RouteTries<K> {
  readonly #destinationOf: (key: K) => string
  readonly #events: RouteTryEvents
  readonly #tries = new Tries()
  readonly #refused = new Set<K>()
  /** Kinds of refusals that have been told and are not over. */
  readonly #told = new Set<string>()

  constructor(destinationOf: (key: K) => string, events: RouteTryEvents) {
    this.#destinationOf = destinationOf
    this.#events = events
  }

  /** When the next is due; undefined when none waits. */
  get due(): number | undefined {
    return this.#tries.due
  }

  get isAnyRefused(): boolean {
    return this.#refused.size > 0
  }

  get refused(): { readonly what: string; readonly why: string }[] {
    return this.#tries.refused.map(({ thing, error }) => ({ what: thing.what, why: error.message }))
  }

  /** `way` in words. */
  noteRefused({ key, change: { operation, route }, errno }: RefusedRoute<K>, way: string, now: number): void {
    const why = operation === 'add' && errno === 'EEXIST' ? 'somebody else has one of this metric' : undefined
    const error = new KernelError(errno, `${operation} route ${route.destination} ${way}`.trimEnd(), why)
    this.#refused.add(key)
    this.#tries.noteRefused(this.#thingOf(key), error, now)
    if (this.#told.has(errno)) return
    this.#told.add(errno)
    this.#events.refused?.(error)
  }

  /** It is written, or something else is wanted. */
  forgetRefused(key: K): void {
    if (!this.#refused.delete(key)) return
    this.#tries.forget(this.#thingOf(key))
    if (this.#refused.size === 0) this.#told.clear()
  }

  /** Somebody else has changed it. Answers whether it may be put right at once; else it is when it is due. */
  noteMended(key: K, now: number): boolean {
    const thing = this.#thingOf(key)
    if (this.#tries.noteMended(thing, now)) this.#events.contested?.(thing.what)
    return this.#tries.admit(thing, now)
  }

  /** What was refused may be tried at once. */
  hasten(now: number): void {
    this.#tries.hasten(now)
  }

  /** Destinations that are due. */
  takeDue(now: number): string[] {
    return this.#tries.takeDue(now).map(({ key }) => key)
  }

  #thingOf(key: K): Thing {
    const destination = this.#destinationOf(key)
    return { subject: 'routes', link: undefined, key: destination, what: destination }
  }
}
