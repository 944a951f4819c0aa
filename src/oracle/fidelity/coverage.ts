/**
 * Which places of src/model ran, by V8's precise coverage: https://v8.dev/blog/javascript-code-coverage. Node strips types by
 * writing blanks over them, so that an offset in the file is one in the script.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { type Profiler, Session } from 'node:inspector/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Place } from './sites.ts'

/** What ran between two looks. */
export interface Ran {
  /** Whether the code at this place of a file below src/model ran. */
  at(file: string, place: Place): boolean
}

export class Coverage {
  readonly #session = new Session()
  readonly #folder: string

  /** `root`: the repository. To be started before the model is imported. */
  static async start(root: string): Promise<Coverage> {
    const coverage = new Coverage(root)
    await coverage.#session.post('Profiler.enable')
    await coverage.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
    return coverage
  }

  private constructor(root: string) {
    this.#folder = pathToFileURL(join(root, 'src/model/')).href
    this.#session.connect()
  }

  /** What has run since the last call. */
  async take(): Promise<Ran> {
    return ranOf(await this.#scripts())
  }

  /** Writes down what has run since the last call, for another process to read. */
  async write(path: string): Promise<void> {
    writeFileSync(path, JSON.stringify(await this.#scripts()))
  }

  async #scripts(): Promise<Script[]> {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage')
    return result
      .filter(({ url }) => url.startsWith(this.#folder))
      .map(({ url, functions }) => ({
        file: url.slice(this.#folder.length),
        ranges: functions.flatMap(({ ranges }) => ranges),
      }))
  }

  async stop(): Promise<void> {
    await this.#session.post('Profiler.stopPreciseCoverage')
    this.#session.disconnect()
  }
}

/** A file below src/model. */
interface Script {
  readonly file: string
  readonly ranges: readonly Range[]
}

/** What Coverage.write has written. */
export function readCoverage(path: string): Ran {
  return ranOf(JSON.parse(readFileSync(path, 'utf8')))
}

function ranOf(scripts: readonly Script[]): Ran {
  const files = new Map(scripts.map(({ file, ranges }) => [file, new Stretches(ranges)]))
  return { at: (file, place) => place.every((offset) => files.get(file)?.ran(offset)) }
}

/** How often what stands between two offsets ran. */
export type Range = Readonly<Profiler.CoverageRange>

/** A script cut where counts change. Ranges lie in each other, and the innermost says how often it ran. */
export class Stretches {
  readonly #starts: number[] = []
  readonly #counts: number[] = []

  constructor(ranges: readonly Range[]) {
    const sorted = ranges.toSorted((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
    const around: Range[] = []
    const leave = (until: number) => {
      while (around.length > 0 && around.at(-1)!.endOffset <= until) {
        const { endOffset } = around.pop()!
        this.#cut(endOffset, around.at(-1)?.count ?? 0)
      }
    }
    for (const range of sorted) {
      leave(range.startOffset)
      around.push(range)
      this.#cut(range.startOffset, range.count)
    }
    leave(Number.POSITIVE_INFINITY)
  }

  #cut(at: number, count: number): void {
    this.#starts.push(at)
    this.#counts.push(count)
  }

  ran(offset: number): boolean {
    let low = 0
    let high = this.#starts.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#starts[middle]! <= offset) low = middle + 1
      else high = middle
    }
    return (this.#counts[low - 1] ?? 0) > 0
  }
}
