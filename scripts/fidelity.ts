/**
 * The fidelity table: which of the model's decisions were compared with a kernel.
 *
 *   npm run fidelity [-- --cases N] [--seed S]   as root: compares, and writes docs/fidelity.json, .md and .svg. N random cases a kind
 *   npm run fidelity -- --only NAMES             compares these anew, and leaves what is known of the others: scenario, golden, random,
 *                                                test, second or guest, or the names of some: S14,policy,model/tcp
 *   npm run fidelity -- --render                 writes them again for the code of today: what is new in it was never compared
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { quoteWords } from '../src/command/shell-words.ts'
import { Coverage } from '../src/oracle/fidelity/coverage.ts'
import { formatFidelity, rowsOf } from '../src/oracle/fidelity/document.ts'
import type { SecondKernel } from '../src/oracle/fidelity/second.ts'
import { readModel } from '../src/oracle/fidelity/sites.ts'
import { type Fidelity, joined, Tally, type Wanted, withModel } from '../src/oracle/fidelity/tally.ts'
import type { TestRun } from '../src/oracle/fidelity/tests.ts'
import { runInGuest } from '../test/uml/guest.ts'
import { fidelityChart } from './charts.ts'

const root = join(import.meta.dirname, '..')
const docs = join(root, 'docs')
const GUEST_LIMIT = 15 * 60_000

const { values } = parseArgs({
  options: {
    render: { type: 'boolean', default: false },
    only: { type: 'string' },
    cases: { type: 'string', default: '200' },
    seed: { type: 'string', default: '1' },
  },
})

const model = readModel(root)
const say = (line: string) => process.stderr.write(`${line}\n`)
const read = <T>(name: string): T => JSON.parse(readFileSync(join(docs, name), 'utf8')) as T

const only = values.only?.split(',')
const wanted: Wanted = (what, name) => only?.some((each) => each === what || each === name) ?? true
const known = withModel(read<Fidelity>('fidelity.json'), model)
write(values.render ? known : await measure(Number(values.cases), Number(values.seed)))

function write(fidelity: Fidelity): void {
  writeFileSync(join(docs, 'fidelity.json'), `${JSON.stringify(fidelity, undefined, 1)}\n`)
  writeFileSync(join(docs, 'fidelity.md'), formatFidelity(model, fidelity))
  writeFileSync(join(docs, 'fidelity.svg'), fidelityChart(rowsOf(model, fidelity)))
}

async function measure(cases: number, seed: number): Promise<Fidelity> {
  const tally = new Tally(model)
  const coverage = await Coverage.start(root)
  // Behind the start: V8 counts what is compiled from then on.
  const { linuxMachine } = await import('../src/cli/machine.ts')
  const { measureFixed, measureGoldens, measureKind } = await import('../src/oracle/fidelity/measure.ts')
  const { measureSecond } = await import('../src/oracle/fidelity/second.ts')
  const { measureTests, RECORDS } = await import('../src/oracle/fidelity/tests.ts')
  const { kinds } = await import('../src/oracle/random/kinds.ts')
  const { linux61 } = await import('../src/model/profile/linux-6.1.ts')
  const { allScenarios } = await import('../test/oracle/scenarios/all.ts')
  const measuring = { root, coverage, tally, wants: wanted, say }
  const live = linuxMachine([])
  const scenarios = allScenarios()
  const differ = await measureGoldens(measuring)
  differ.push(...(await measureFixed(measuring, scenarios, live)))
  for (const kind of kinds) differ.push(...(await measureKind(measuring, kind, { cases, seed, live })))
  const second = read<SecondKernel>('second-kernel.json')
  await measureSecond(measuring, scenarios, { ...second, profile: linux61 })
  await coverage.stop()
  const inGuest = ({ argv, records }: TestRun) => {
    const command = quoteWords(['env', `${RECORDS}=${records}`, ...argv])
    say(runInGuest(command, { limit: GUEST_LIMIT }).output)
  }
  differ.push(...measureTests(measuring, inGuest))
  const measured = tally.fidelity(`Linux ${release()}`, second.kernel)
  if (differ.length > 0) {
    say(`Different, and not counted: ${differ.join(' ')}`)
    process.exitCode = 1
  }
  return only ? joined(known, measured, wanted) : measured
}
