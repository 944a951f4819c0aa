/**
 * A store as a log in a directory, synchronously.
 *
 *   <directory>/        0700
 *       log             0600   a line per change, lines.ts
 *       lock            0600   held with flock(2) around every change
 *
 * Who changes something takes the lock, reads what others wrote since, and appends one line by one write(2): before it the
 * change is not there, after it it is. A line without its end was never finished; the next writer writes over it. Readers
 * take no lock. When the log is long, a file with all that there is takes its place, by rename(2).
 *
 * A lease's end is written down by the wall clock of whoever grants it or keeps it alive. Who sees the line appear knows better
 * when that was, and goes on by his own steady clock: that somebody's time is wrong, or set, ends no lease. Only of a lease that
 * he finds when he begins he knows no more than what the wall clocks say.
 *
 * A line is not fsynced: after a crash of the machine the last changes may be missing.
 */
import type { WallClock } from '../clock.ts'
import { type Lease, State, type Step } from '../state.ts'
import { type Change, type Revision, StoreError } from '../store.ts'
import type { LogFile, StoreFiles } from './files.ts'
import { formatHeader, formatState, formatStep, parseHeader, parseStep } from './lines.ts'

const DIRECTORY_MODE = 0o700
const FILE_MODE = 0o600

/** Of a store that is kept open. Whoever reads all of it each time has less. */
const LONG = 1 << 20

export interface LogOptions {
  readonly files: StoreFiles
  readonly directory: string
  readonly clock: Pick<WallClock, 'now' | 'elapsed'>
  /** Bytes from which on a log is worth compacting. */
  readonly long?: number
  /** Text that nobody else gets. */
  newId(): string
  /** Whoever wrote it, we or others. */
  changed(news: News): void
  /** For people: what cannot be read and is left out. */
  report(problem: string): void
}

/** These changes, or so much that only all of it will do. */
export type News = readonly Change[] | 'all'

export class Log {
  readonly #options: LogOptions
  readonly #path: string
  #file: LogFile | undefined
  /** Undefined while there is no log. */
  #id: string | undefined
  #state = new State()
  /** On the steady clock: what was written before then has been read. */
  #readAt = Number.NEGATIVE_INFINITY
  /** How far the file has been read, in bytes and in lines. */
  #end = 0
  #lines = 0
  /** Bytes after the last compaction. */
  #compactSize = 0

  constructor(options: LogOptions) {
    this.#options = options
    this.#path = `${options.directory}/log`
  }

  get state(): State {
    return this.#state
  }

  /** `tryWrite` does so, too. */
  makeDirectory(): void {
    this.#options.files.makeDirectory(this.#options.directory, DIRECTORY_MODE)
  }

  /** Reads what was written since the last time. */
  read(): void {
    const start = this.#options.clock.elapsed()
    const news = this.#file?.isCurrent() ? this.#readOn(this.#state) : this.#readAnew()
    this.#readAt = start
    if (news === 'all' || news.length > 0) this.#options.changed(news)
  }

  /**
   * Under the lock: reads, and writes the step that `plan` makes of the state, unless it makes none. What has expired ends
   * before. Undefined, and nothing is done, while somebody else holds the lock.
   */
  tryWrite<T extends Step | undefined>(plan: (state: State) => T): { readonly step: T } | undefined {
    const { files, directory, clock } = this.#options
    this.makeDirectory()
    const lock = files.tryLock(`${directory}/lock`, FILE_MODE)
    if (!lock) return undefined
    try {
      this.read()
      const expired = this.#state.expired(clock.elapsed())
      if (expired.length > 0) this.#append(this.#state.ending(expired))
      const step = plan(this.#state)
      if (step) this.#append(step)
      if (this.#end > (this.#options.long ?? LONG) && this.#end > 2 * this.#compactSize) this.#tryCompact()
      return { step }
    } finally {
      lock.release()
    }
  }

  /** Forgets what it knows; it may be used again. */
  close(): void {
    this.#file?.close()
    this.#file = undefined
    this.#id = undefined
    this.#state = new State()
    this.#end = 0
    this.#lines = 0
  }

  #readAnew(): News {
    const file = this.#options.files.openLog(this.#path)
    const [id, known] = [this.#id, this.#state]
    this.close()
    this.#file = file
    if (!file) return id === undefined ? [] : 'all'
    const compacted = this.#readHeader()
    const isSame = (id === undefined || id === this.#id) && compacted <= known.revision
    const changes = this.#readOn(known, compacted)
    return isSame ? changes : 'all'
  }

  #append(step: Step): void {
    if (step.revision === undefined && step.leases.length === 0 && step.ended.length === 0) return
    if (!this.#file) this.#create()
    this.#end = this.#file!.append(this.#end, formatStep(step))
    this.#lines++
    const changes = this.#apply(step, this.#state)
    if (changes.length > 0) this.#options.changed(changes)
  }

  #create(): void {
    this.#id = this.#options.newId()
    this.#replace(formatHeader({ id: this.#id, compacted: this.#state.revision }))
  }

  #tryCompact(): void {
    try {
      this.#replace(formatState(this.#id!, this.#state))
    } catch {
      // What was to be written is written. The log stays long, and the next change tries again.
    }
  }

  #replace(text: string): void {
    this.#options.files.replace(this.#path, text, FILE_MODE)
    this.#file?.close()
    this.#file = this.#options.files.openLog(this.#path)
    const { lines, end } = this.#file!.lines(0)
    this.#lines = lines.length
    this.#end = end
    this.#compactSize = end
  }

  #readHeader(): Revision {
    const first = this.#file!.first()
    const header = parseHeader(first?.line ?? '')
    if (!first || !header) {
      this.close()
      throw new StoreError('refused', `Cannot read "${this.#path}": it does not begin as a store of ours does`)
    }
    this.#id = header.id
    this.#end = first.end
    this.#compactSize = first.end
    this.#lines = 1
    return header.compacted
  }

  /** Answers the changes that are later than what was known. `compacted`: from the beginning, up to where it was compacted. */
  #readOn(known: State, compacted?: Revision): Change[] {
    const { revision } = known
    let isCompact = compacted !== undefined
    const { lines, end } = this.#file!.lines(this.#end)
    const changes: Change[] = []
    for (const line of lines) {
      this.#lines++
      const step = parseStep(line)
      isCompact &&= (step?.revision ?? 0n) <= compacted!
      if (isCompact) this.#compactSize += line.length + 1
      if (!step) this.#options.report(`Cannot read line ${this.#lines} of "${this.#path}": it is left out`)
      else {
        const made = this.#apply(step, known)
        if (step.revision !== undefined && step.revision > revision) changes.push(...made)
      }
    }
    this.#end = end
    return changes
  }

  #apply(step: Step, known: State): Change[] {
    return this.#state.apply(step, (lease) => known.endOf(lease) ?? this.#endOf(lease))
  }

  /** Its time began when the wall clocks say; but not before we last read, nor later than now. */
  #endOf({ granted, until }: Lease): number {
    const { clock } = this.#options
    const [length, now] = [granted * 1000, clock.elapsed()]
    const age = clock.now() - (until - length)
    return now - Math.max(0, Math.min(age, now - this.#readAt)) + length
  }
}
