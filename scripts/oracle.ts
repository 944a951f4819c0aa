/**
 * The oracle from the command line: src/oracle/oracle.ts.
 *
 *   npm run oracle -- --golden QUESTIONS --dump OUT [--only S14,S15] [--engine model|kernel]
 *   npm run oracle -- --fixed [--only S05,X3] [--record DIRECTORY]      the model against this machine's kernel
 *   npm run oracle -- --cases N [--seed S] [--kind bridge,nat] [--jobs J] [--json FILE]     random ones, the same
 *   npm run oracle -- --scenario FILE.ovl.yml                           one of these again
 *   npm run oracle -- --mutant NAME|all [--cases N] [--seed S] [--json FILE]
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { linuxMachine } from '../src/cli/machine.ts'
import { inlineMore } from '../src/lab/inlining.ts'
import type { Machine } from '../src/lab/machine.ts'
import { modelMachine } from '../src/lab/model-machine.ts'
import { ENOUGH, reportMutants } from '../src/oracle/mutant/report.ts'
import { answerAll } from '../src/oracle/oracle.ts'
import { repeatScenario, runCampaign } from './oracle-campaign.ts'
import { compareFixed } from './oracle-fixed.ts'

inlineMore()

const usage = `Usage: npm run oracle -- --golden QUESTIONS --dump OUT [--only S14,S15] [--engine model|kernel]
       npm run oracle -- --fixed [--only S05,X3] [--record DIRECTORY]
       npm run oracle -- --cases N [--seed S] [--kind bridge,nat] [--jobs J] [--json FILE]
       npm run oracle -- --scenario FILE.ovl.yml
       npm run oracle -- --mutant NAME|all [--cases N] [--seed S] [--json FILE]
`

const { values } = parseArgs({
  options: {
    golden: { type: 'string' },
    dump: { type: 'string' },
    only: { type: 'string' },
    fixed: { type: 'boolean', default: false },
    record: { type: 'string' },
    engine: { type: 'string', default: 'model' },
    mutant: { type: 'string' },
    cases: { type: 'string' },
    seed: { type: 'string', default: '1' },
    kind: { type: 'string' },
    jobs: { type: 'string' },
    json: { type: 'string' },
    scenario: { type: 'string' },
  },
})
const { golden, dump, engine } = values
const only = values.only?.split(',')

if (values.mutant !== undefined) {
  const write = (line: string) => process.stdout.write(`${line}\n`)
  const cases = Number(values.cases ?? ENOUGH)
  const report = await reportMutants(values.mutant, { cases, seed: Number(values.seed), write })
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report)}\n`)
  process.exitCode = report.lost.length > 0 ? 1 : 0
} else if (golden !== undefined && dump !== undefined && (engine === 'model' || engine === 'kernel')) {
  const { answered, refused } = await answerAll(golden, dump, { only, machine: machineOf(engine) })
  for (const { id, reason } of refused) process.stderr.write(`${id}: ${reason}\n`)
  process.stdout.write(`${answered.length} answered, ${refused.length} refused\n`)
  process.exitCode = refused.length > 0 || answered.length === 0 ? 1 : 0
} else if (values.scenario !== undefined) {
  process.exitCode = await repeatScenario(values.scenario)
} else if (values.cases !== undefined || values.kind !== undefined) {
  process.exitCode = await runCampaign(values)
} else if (values.fixed) {
  process.exitCode = await compareFixed(only, values.record)
} else {
  process.stderr.write(usage)
  process.exitCode = 2
}

/** A model for each scenario; of the real kernel there is one. */
function machineOf(engine: 'model' | 'kernel'): () => Machine {
  if (engine === 'model') return () => modelMachine()
  const machine = linuxMachine([])
  return () => machine
}
