/** What of src/model ran in tests that hold it against Linux: the report of vitest's coverage, in Istanbul's form. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ran, type Range, Stretches } from './coverage.ts'

interface Position {
  readonly line: number
  /** null: the end of the line. */
  readonly column: number | null
}

interface Span {
  readonly start: Position
  readonly end: Position
}

interface FileCoverage {
  readonly path: string
  readonly statementMap: Readonly<Record<string, Span>>
  readonly s: Readonly<Record<string, number>>
  readonly fnMap: Readonly<Record<string, { readonly loc: Span }>>
  readonly f: Readonly<Record<string, number>>
  readonly branchMap: Readonly<Record<string, { readonly locations: readonly Span[] }>>
  readonly b: Readonly<Record<string, readonly number[]>>
}

/** `report`: the path of coverage-final.json. */
export function readTestCoverage(report: string, root: string): Ran {
  const files = new Map<string, Stretches>()
  const folder = join(root, 'src/model/')
  for (const file of Object.values<FileCoverage>(JSON.parse(readFileSync(report, 'utf8')))) {
    if (file.path.startsWith(folder)) files.set(file.path.slice(folder.length), new Stretches(rangesOf(file)))
  }
  return { at: (file, place) => place.every((offset) => files.get(file)?.ran(offset)) }
}

function rangesOf({ path, statementMap, s, fnMap, f, branchMap, b }: FileCoverage): Range[] {
  const starts = lineStarts(readFileSync(path, 'utf8'))
  const range = ({ start, end }: Span, count = 0): Range => ({
    startOffset: offsetOf(start, starts),
    endOffset: offsetOf(end, starts),
    count,
  })
  return [
    ...Object.entries(fnMap).map(([key, { loc }]) => range(loc, f[key])),
    ...Object.entries(statementMap).map(([key, span]) => range(span, s[key])),
    ...Object.entries(branchMap).flatMap(([key, { locations }]) =>
      locations.map((span, i) => range(span, b[key]?.[i])),
    ),
  ]
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function offsetOf({ line, column }: Position, starts: readonly number[]): number {
  return column === null ? (starts[line] ?? Number.POSITIVE_INFINITY) - 1 : starts[line - 1]! + column
}
