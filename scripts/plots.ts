/**
 * `npm run plots`: the charts of docs/, from what was measured.
 *
 *   docs/fidelity.json      by `npm run fidelity`                                     → docs/fidelity.svg
 *   docs/bench-model.json   by `npm run bench -- model --json docs/bench-model.json`  → docs/bench-model-<unit>.svg
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Row as BenchRow } from '../bench/table.ts'
import { rowsOf } from '../src/oracle/fidelity/document.ts'
import { readModel } from '../src/oracle/fidelity/sites.ts'
import type { Fidelity } from '../src/oracle/fidelity/tally.ts'
import { benchCharts, fidelityChart } from './charts.ts'

const root = join(import.meta.dirname, '..')
const docs = join(root, 'docs')

function write(name: string, svg: string): void {
  writeFileSync(join(docs, name), svg)
  process.stdout.write(`docs/${name}\n`)
}

const fidelity: Fidelity = JSON.parse(readFileSync(join(docs, 'fidelity.json'), 'utf8'))
write('fidelity.svg', fidelityChart(rowsOf(readModel(root), fidelity)))

const bench = join(docs, 'bench-model.json')
if (existsSync(bench)) {
  const { rows }: { rows: readonly BenchRow[] } = JSON.parse(readFileSync(bench, 'utf8'))
  for (const [unit, svg] of benchCharts('The model, on one thread', rows)) write(`bench-model-${unit}.svg`, svg)
}
