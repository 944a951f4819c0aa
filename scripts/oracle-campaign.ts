/**
 * Random cases from the command line: a campaign of many (src/oracle/random/report.ts), or one scenario from its files.
 */
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { linuxMachine } from '../src/cli/machine.ts'
import { formatDifference } from '../src/oracle/difference.ts'
import { kinds } from '../src/oracle/random/kinds.ts'
import { reportCampaign } from '../src/oracle/random/report.ts'
import { readScenario } from '../src/oracle/random/scenario-file.ts'
import { tryScenario } from '../src/oracle/random/trial.ts'
import { Sickbay } from '../src/oracle/sickbay.ts'

export interface CampaignValues {
  readonly cases?: string | undefined
  readonly seed: string
  /** Names with commas. */
  readonly kind?: string | undefined
  readonly jobs?: string | undefined
  readonly json?: string | undefined
}

const write = (line: string) => void process.stdout.write(`${line}\n`)

const DIRECTORY = '.cache/oracle'

/** Exit status. */
export async function runCampaign({ cases = '100', seed, kind, jobs, json }: CampaignValues): Promise<number> {
  const names = kinds.map(({ name }) => name)
  const wanted = kind?.split(',') ?? names
  const unknown = wanted.find((name) => !names.includes(name))
  if (unknown !== undefined) {
    process.stderr.write(`Cannot find a kind "${unknown}": there are ${names.join(', ')}\n`)
    return 2
  }
  const agree = await reportCampaign({
    kinds: wanted,
    seed: Number(seed),
    cases: Number(cases),
    jobs: Number(jobs ?? availableParallelism()),
    script: join(import.meta.dirname, 'oracle-job.ts'),
    directory: DIRECTORY,
    json,
    sickbay: Sickbay.read(join(import.meta.dirname, '../sickbay.yml')),
    write,
  })
  return agree ? 0 : 1
}

/** One case again, from the files that a campaign has written. Exit status. */
export async function repeatScenario(path: string): Promise<number> {
  const scenario = readScenario(path)
  const { difference, endings } = await tryScenario(scenario, linuxMachine([]))
  for (const [i, { outcome, ending }] of endings.entries())
    write(`frame ${i + 1}: ${outcome} ${JSON.stringify(ending)}`)
  write(difference ? formatDifference(difference) : 'No difference')
  return difference ? 1 : 0
}
