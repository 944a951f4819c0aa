/**
 * The fidelity table: which of the model's decisions were compared with a kernel.
 *
 *   npm run fidelity [-- --cases N] [--seed S]   as root: compares, and writes docs/fidelity.json, .md and .svg. N random cases a kind
 *   npm run fidelity -- --render                 writes them again for the code of today: what is new in it was never compared
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Coverage } from '../src/oracle/fidelity/coverage.ts'
import { formatFidelity, rowsOf } from '../src/oracle/fidelity/document.ts'
import { readModel } from '../src/oracle/fidelity/sites.ts'
import { Tally, withModel } from '../src/oracle/fidelity/tally.ts'
import { fidelityChart } from './charts.ts'

const root = join(import.meta.dirname, '..')
const docs = join(root, 'docs')

const { values } = parseArgs({
  options: {
    render: { type: 'boolean', default: false },
    cases: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
})

const model = readModel(root)
const say = (line: string) => process.stderr.write(`${line}\n`)
if (!values.render) await measure(Number(values.cases), Number(values.seed))

const data = join(docs, 'fidelity.json')
const fidelity = withModel(JSON.parse(readFileSync(data, 'utf8')), model)
writeFileSync(data, `${JSON.stringify(fidelity, undefined, 1)}\n`)
writeFileSync(join(docs, 'fidelity.md'), formatFidelity(model, fidelity))
writeFileSync(join(docs, 'fidelity.svg'), fidelityChart(rowsOf(model, fidelity)))

async function measure(cases: number, seed: number): Promise<void> {
  const tally = new Tally(model)
  const coverage = await Coverage.start(root)
  // Behind the start: V8 counts what is compiled from then on.
  const { linuxMachine } = await import('../src/cli/machine.ts')
  const { measureFixed, measureGoldens, measureKind, measureTests } = await import('../src/oracle/fidelity/measure.ts')
  const { kinds } = await import('../src/oracle/random/kinds.ts')
  const measuring = { root, coverage, tally, say }
  const live = linuxMachine([])
  const differ = await measureGoldens(measuring)
  const { allScenarios } = await import('../test/oracle/scenarios/all.ts')
  const { branches } = await import('../test/oracle/scenarios/branches.ts')
  differ.push(...(await measureFixed(measuring, [...allScenarios(), ...branches], live)))
  for (const kind of kinds) {
    say(`${cases} cases of ${kind.name}`)
    differ.push(...(await measureKind(measuring, kind, { cases, seed, live })))
  }
  await coverage.stop()
  differ.push(...measureTests(measuring))
  const measured = tally.fidelity(`Linux ${release()}`)
  writeFileSync(join(docs, 'fidelity.json'), `${JSON.stringify(measured, undefined, 1)}\n`)
  if (differ.length === 0) return
  say(`Different, and not counted: ${differ.join(' ')}`)
  process.exitCode = 1
}
