/**
 * What has been tried, thing by thing, and when it is tried next: later each time when the kernel refuses it, and also when
 * somebody else undoes it as often as we do it. Two that do not agree must not keep a machine busy.
 */
import type { SubjectName } from './state.ts'

/** Milliseconds. */
const FIRST_WAIT = 100
export const LONGEST_WAIT = 5000
/** So often a thing is put right at once. Whoever wants it otherwise so often is a program; and is met once a second. */
const AT_ONCE = 8
const LONGEST_CONTEST = 1000
/** Milliseconds without a try after which all is forgotten. */
const MEMORY = 10_000

export interface Thing {
  readonly subject: SubjectName
  /** The link that it is on, or is. */
  readonly link: string | undefined
  /** Tells it from others, of whatever subject. */
  readonly key: string
  /** In words. */
  readonly what: string
}

interface Try {
  readonly thing: Thing
  readonly count: number
  readonly at: number
  /** When it may be tried again. */
  readonly due: number
  /** Why it was refused; undefined: it was not. */
  readonly error: Error | undefined
  /** It is to be tried when it is due, even if nothing else happens. */
  readonly waiting: boolean
}

export class Tries {
  readonly #tries = new Map<string, Try>()

  /** When the next that waits is due; undefined when none does. */
  get due(): number | undefined {
    let due: number | undefined
    for (const one of this.#tries.values()) if (one.waiting && (due === undefined || one.due < due)) due = one.due
    return due
  }

  get refused(): { readonly thing: Thing; readonly error: Error }[] {
    return [...this.#tries.values()].flatMap(({ thing, error }) => (error ? [{ thing, error }] : []))
  }

  /** Whether it may be tried now. What may not waits until it may. */
  admit({ key }: Thing, now: number): boolean {
    const before = this.#tries.get(key)
    if (!before || isDue(before, now)) return true
    this.#tries.set(key, { ...before, waiting: true })
    return false
  }

  noteRefused(thing: Thing, error: Error, now: number): void {
    const before = this.#tries.get(thing.key)
    const count = before?.error ? before.count + 1 : 1
    this.#tries.set(thing.key, { thing, count, at: now, due: now + wait(count, LONGEST_WAIT), error, waiting: true })
  }

  /** It was put right after somebody had changed it. Answers whether that begins to be too often. */
  noteMended(thing: Thing, now: number): boolean {
    const before = this.#tries.get(thing.key)
    const count = before && !before.error && now - before.at < MEMORY ? before.count + 1 : 1
    const due = count < AT_ONCE ? now : now + wait(count - AT_ONCE + 1, LONGEST_CONTEST)
    this.#tries.set(thing.key, { thing, count, at: now, due, error: undefined, waiting: false })
    return count === AT_ONCE
  }

  forget({ key }: Thing): void {
    this.#tries.delete(key)
  }

  /** Those that were refused and meanwhile are as they should be. */
  forgetRefused(isRight: (thing: Thing) => boolean): void {
    for (const [key, { thing, error }] of this.#tries) if (error && isRight(thing)) this.#tries.delete(key)
  }

  /** What was refused may be tried at once: something has changed that it may have waited for. Answers whether there is any. */
  hasten(now: number): boolean {
    let any = false
    for (const [key, one] of this.#tries) {
      if (!one.error) continue
      this.#tries.set(key, { ...one, due: now })
      any = true
    }
    return any
  }

  /** Those that waited and are due. */
  takeDue(now: number): Thing[] {
    const due: Thing[] = []
    for (const [key, one] of this.#tries) {
      if (one.waiting && isDue(one, now)) {
        this.#tries.set(key, { ...one, waiting: false })
        due.push(one.thing)
      } else if (!one.error && !one.waiting && now - one.at >= MEMORY) {
        this.#tries.delete(key)
      }
    }
    return due
  }
}

/** A clock may be set back: then what was last tried in its future is due. */
function isDue({ at, due }: Try, now: number): boolean {
  return due <= now || now < at
}

function wait(count: number, longest: number): number {
  return Math.min(FIRST_WAIT * 2 ** (count - 1), longest)
}
