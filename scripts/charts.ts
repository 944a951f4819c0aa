/** What the charts of docs/ show: fidelity by feature, and the model's benchmark. */
import { type Row as BenchRow, isMet } from '../bench/table.ts'
import type { Row } from '../src/oracle/fidelity/document.ts'
import { type Bar, type Chart, drawBars } from './bar-chart.ts'

/** docs/fidelity.svg */
export function fidelityChart(rows: readonly Row[]): string {
  const shown = rows.filter(({ sites }) => sites.length > 0)
  return drawBars({
    title: 'Decisions of the model that were compared with a kernel',
    legend: 'by feature, with its need in brackets; the fainter bar is what was not compared',
    bars: shown.map(({ feature, sites, compared }) => ({
      name: `${feature.name} (${feature.need})`,
      figure: `${compared} of ${sites.length}`,
      value: compared,
      whole: sites.length,
      missed: feature.need === 'M' && compared < sites.length,
    })),
  })
}

const legends: Readonly<Record<BenchRow['unit'], string>> = {
  Mpps: 'million packets a second, one thread; the line across a bar is the least it shall be',
  MB: 'megabytes; the line across a bar is the most it shall be',
  kB: 'kilobytes; the line across a bar is the most it shall be',
  s: 'seconds; the line across a bar is the most it shall be',
  ms: 'milliseconds; the line across a bar is the most it shall be',
  ratio: 'ratios; the line across a bar is the most it shall be',
}

/** A chart for each unit, by its name. */
export function benchCharts(title: string, rows: readonly BenchRow[]): Map<BenchRow['unit'], string> {
  const measured = rows.filter(({ value }) => Number.isFinite(value))
  const units = [...new Set(measured.map(({ unit }) => unit))]
  return new Map(
    units.map((unit) => {
      const bars = measured.filter((row) => row.unit === unit).map(barOf)
      const chart: Chart = { title, legend: legends[unit], bars }
      return [unit, drawBars(chart)]
    }),
  )
}

function barOf(row: BenchRow): Bar {
  const { name, value, unit, target, least } = row
  const mark = least ?? target
  return {
    name,
    figure: `${value >= 100 ? value.toFixed(0) : value.toFixed(2)}${unit === 'ratio' ? '' : ` ${unit}`}`,
    value,
    missed: !isMet(row),
    ...(mark !== undefined && { mark }),
  }
}
