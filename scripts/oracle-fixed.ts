/** `npm run oracle -- --fixed`: every fixed scenario in the model and in this machine's kernel, and what differs. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { linuxMachine } from '../src/cli/machine.ts'
import { modelMachine } from '../src/lab/model-machine.ts'
import { formatDifference } from '../src/oracle/difference.ts'
import { differenceInFixed, runFixed } from '../src/oracle/fixed.ts'
import { Sickbay } from '../src/oracle/sickbay.ts'
import { allScenarios } from '../test/oracle/scenarios/all.ts'

/** The process's exit status. With `record`, what the kernel did is written there. */
export async function compareFixed(only: readonly string[] | undefined, record: string | undefined): Promise<number> {
  const machine = linuxMachine([])
  const chosen = allScenarios().filter(({ scenario: { id } }) => only?.includes(id) ?? true)
  const sickbay = Sickbay.read(join(import.meta.dirname, '../sickbay.yml'))
  let differing = 0
  for (const fixed of chosen) {
    const { id } = fixed.scenario
    const kernel = await runFixed(fixed, machine)
    if (record !== undefined)
      write(join(record, `${id}.json`), { title: fixed.title, kernel: release(), ...kernel.walk })
    const difference = differenceInFixed(fixed, kernel, await runFixed(fixed, modelMachine()))
    const known = sickbay.know(id, difference)
    if (difference && !known) differing++
    const verdict = known
      ? `differs, known as ${known.id}`
      : difference
        ? `differs: ${formatDifference(difference)}`
        : `equal, ${kernel.walk.obs.length} frames`
    process.stdout.write(`${id} ${verdict}\n`)
  }
  const cured = sickbay.cured()
  for (const { id } of cured) process.stdout.write(`${id}: equal now; sickbay.yml still says that it differs\n`)
  process.stdout.write(`${chosen.length - differing} equal or known, ${differing} differ\n`)
  return differing > 0 || cured.length > 0 || chosen.length === 0 ? 1 : 0
}

function write(path: string, value: unknown): void {
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, `${JSON.stringify(value, undefined, 1)}\n`)
}
