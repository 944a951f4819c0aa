/** The table that a group of benchmarks ends in: a row per figure, with its target. */
import type { Comparison } from './statistics.ts'

export interface Row {
  readonly name: string
  /** What is held against the target: a ratio, or a size in `unit`. NaN: it could not be measured, and misses. */
  readonly value: number
  /** At most. */
  readonly target?: number
  /** At least. */
  readonly least?: number
  readonly unit: 'ratio' | 'MB' | 'kB' | 's' | 'ms' | 'Mpps'
  readonly comparison?: Comparison
}

const columns = ['', 'ours, ms', 'theirs, ms', 'minima', 'figure', 'target', ''] as const

/** As Markdown, for docs/benchmarks.md. */
export function formatTable(rows: readonly Row[]): string {
  const cells = [columns, ...rows.map(cellsOf)]
  const widths = columns.map((_, column) => Math.max(3, ...cells.map((row) => row[column]!.length)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => (column ? cell.padStart(widths[column]!) : cell.padEnd(widths[0]!))).join(' | ')} |`
  const rule = `|${widths.map((width, column) => (column ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2))).join('|')}|`
  return [line(columns), rule, ...cells.slice(1).map(line)].join('\n')
}

function cellsOf(row: Row): string[] {
  const { name, value, target, least, unit, comparison } = row
  const { ours, theirs } = comparison ?? {}
  return [
    name,
    ours ? ours.median.toFixed(2) : '',
    theirs ? theirs.median.toFixed(2) : '',
    ours && theirs ? `${ours.minimum.toFixed(2)} / ${theirs.minimum.toFixed(2)}` : '',
    inUnit(value, unit),
    target !== undefined ? `≤ ${inUnit(target, unit)}` : least !== undefined ? `≥ ${inUnit(least, unit)}` : '',
    target === undefined && least === undefined ? '' : isMet(row) ? 'met' : 'MISSED',
  ]
}

export function isMet({ value, target, least }: Pick<Row, 'value' | 'target' | 'least'>): boolean {
  return (target === undefined || value <= target) && (least === undefined || value >= least)
}

function inUnit(value: number, unit: Row['unit']): string {
  if (Number.isNaN(value)) return '–'
  const digits = unit === 'kB' ? 0 : 2
  return unit === 'ratio' ? value.toFixed(digits) : `${value.toFixed(digits)} ${unit}`
}
