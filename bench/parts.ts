/** A group that is measured in parts: what goes wrong in one leaves its rows without figures, and the others as they are. */
import type { Comparison } from './statistics.ts'
import type { Row } from './table.ts'

export type Promised = Omit<Row, 'value' | 'comparison'>

export interface Part<O> {
  /** One word, to choose it by. */
  readonly name: string
  /** What it will tell, in this order. */
  rows(options: O): readonly Promised[]
  /** `tell`: a row's figure, by the row's name, and what it was made of. */
  run(options: O, tell: Tell): Promise<void>
}

export type Tell = (row: string, value: number, comparison?: Comparison) => void

/** Every row of every part. The figure of a row that was not told is NaN. */
export async function runParts<O extends { say(line: string): void }>(
  parts: readonly Part<O>[],
  options: O,
): Promise<Row[]> {
  const rows: Row[] = []
  for (const part of parts) {
    const told = new Map<string, Pick<Row, 'value' | 'comparison'>>()
    options.say(`${part.name} …`)
    const began = performance.now()
    try {
      await part.run(options, (row, value, comparison) => told.set(row, { value, ...(comparison && { comparison }) }))
    } catch (error) {
      options.say(`${part.name}: ${error instanceof Error ? error.message : error}`)
    }
    options.say(`${part.name}: ${((performance.now() - began) / 1000).toFixed(0)} s`)
    for (const row of part.rows(options)) rows.push({ ...row, ...(told.get(row.name) ?? { value: Number.NaN }) })
  }
  return rows
}

/** One step of a part: where it fails, or has not ended after so many seconds, that is said, and the next one has its turn. */
export async function attempt(
  what: string,
  seconds: number,
  say: (line: string) => void,
  work: () => Promise<void>,
): Promise<void> {
  const { promise: end, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`it has not ended after ${seconds} s`)), 1000 * seconds)
  try {
    await Promise.race([work(), end])
  } catch (error) {
    say(`${what}: ${error instanceof Error ? error.message : error}`)
  } finally {
    clearTimeout(timer)
  }
}
