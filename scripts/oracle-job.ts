/** A process of the oracle's campaign: src/oracle/random/jobs.ts sends it cases, and it answers what each came to. */
import { spawnSync } from 'node:child_process'
import { linuxMachine } from '../src/cli/machine.ts'
import { inlineMore } from '../src/lab/inlining.ts'
import { runCase } from '../src/oracle/random/campaign.ts'
import type { CaseOrder, JobAnswer } from '../src/oracle/random/jobs.ts'
import { kinds } from '../src/oracle/random/kinds.ts'

inlineMore()

// What is named here is in nobody's way, and gone with this process.
const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run'], { encoding: 'utf8' })
if (status !== 0) throw new Error(`Cannot mount a /run of its own: ${stderr}`)

const live = linuxMachine([])

process.on('message', async (order: CaseOrder) => {
  process.send!(await answerOf(order))
})
process.on('disconnect', () => process.exit())

async function answerOf(order: CaseOrder): Promise<JobAnswer> {
  try {
    const kind = kinds.find(({ name }) => name === order.kind)
    if (!kind) throw new RangeError(`Cannot find a kind "${order.kind}"`)
    return { report: await runCase(kind, order.number, live) }
  } catch (error) {
    return { order, error: (error as Error).stack ?? String(error) }
  }
}
