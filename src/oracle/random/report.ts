/** A campaign as people read it: each difference with the smallest case that shows it, and the shares of every kind. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatDifference } from '../difference.ts'
import type { Sickbay } from '../sickbay.ts'
import type { CaseReport } from './campaign.ts'
import { type CaseOrder, type JobAnswer, runJobs } from './jobs.ts'
import { writeScenario } from './scenario-file.ts'
import { Tally } from './tally.ts'

export interface CampaignOptions {
  /** Names. Case i is of the kind whose turn it is. */
  readonly kinds: readonly string[]
  readonly seed: number
  readonly cases: number
  /** Processes at once. */
  readonly jobs: number
  /** The script that a process runs. */
  readonly script: string
  /** Where the smallest cases are written. */
  readonly directory: string
  /** A file for the tallies, as JSON. */
  readonly json?: string | undefined
  readonly sickbay: Sickbay
  write(line: string): void
}

/** What npm test counts by. */
export interface CampaignReport {
  readonly cases: number
  /** Names of cases that differ or could not be run, and of kinds with too few fates. */
  readonly failed: readonly string[]
}

/** Cases between two lines that say how far a campaign is. */
const STRETCH = 500

/** Whether the two kernels agreed in every case, but for what is known. */
export async function reportCampaign(options: CampaignOptions): Promise<boolean> {
  const { kinds, cases, jobs, script, json, sickbay, write } = options
  const tally = new Tally(kinds)
  const failed: string[] = []
  const judge = (answer: JobAnswer) => {
    if ('report' in answer) {
      const { report } = answer
      tally.add(report)
      const known = sickbay.know(report.kind, report.smallest?.difference)
      if (known) {
        write(`${nameOf(report)}: known as ${known.id}`)
        return
      }
    }
    const failure = failureOf(answer, options)
    if (failure === undefined) return
    failed.push(failure.name)
    write(failure.text)
  }
  let ended = 0
  await runJobs(script, jobs, ordersOf(options), (answer) => {
    judge(answer)
    ended++
    if (ended % STRETCH === 0 && ended < cases) write(`${ended} of ${cases} cases, ${failed.length} failed`)
  })
  for (const { id } of sickbay.cured()) {
    failed.push(`sickbay: ${id}`)
    write(`${id}: no case differs so any more; sickbay.yml still says it`)
  }
  for (const kind of tally.lopsided()) {
    failed.push(`${kind}: shares`)
    write(`${kind}: fewer than 20 % of its frames were delivered, or fewer than 20 % dropped or answered by ICMP`)
  }
  for (const line of tally.lines()) write(line)
  if (json !== undefined) {
    const report: CampaignReport = { cases: tally.cases, failed }
    writeFileSync(json, `${JSON.stringify({ ...report, kinds: tally.kinds }, undefined, 1)}\n`)
  }
  return failed.length === 0
}

function* ordersOf({ kinds, seed, cases }: CampaignOptions): Generator<CaseOrder> {
  for (let i = 0; i < cases; i++) yield { kind: kinds[i % kinds.length]!, number: seed + i }
}

function failureOf(answer: JobAnswer, options: CampaignOptions): { name: string; text: string } | undefined {
  if ('error' in answer) {
    const { order, error } = answer
    return { name: nameOf(order), text: `${nameOf(order)} could not be run: ${error}\n${repeatOf(order)}` }
  }
  const { report } = answer
  if (!report.smallest) return undefined
  return { name: nameOf(report), text: describe(report, report.smallest, options) }
}

const nameOf = ({ kind, number }: CaseOrder) => `${kind}-${number}`
const repeatOf = ({ kind, number }: CaseOrder) => `  npm run oracle -- --kind ${kind} --seed ${number} --cases 1`

function describe(
  order: CaseOrder,
  { scenario, difference, shrinks }: NonNullable<CaseReport['smallest']>,
  { directory }: CampaignOptions,
): string {
  mkdirSync(directory, { recursive: true })
  const path = join(directory, `${scenario.id}.ovl.yml`)
  writeScenario(scenario, path)
  const steps = scenario.steps.length
  return [
    `${nameOf(order)}: ${formatDifference(difference)}`,
    `made smaller ${shrinks} times, ${steps} ${steps === 1 ? 'step' : 'steps'} are left: ${path}`,
    `  npm run oracle -- --scenario ${path}`,
    repeatOf(order),
  ].join('\n')
}
