/** The same losses on the real kernel: what is said, where, and that the command mends it. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'vitest'
import { linuxMachine } from '../../src/cli/machine.ts'
import { bringUp, takeDown } from '../../src/lab/lab.ts'
import { namespacePath } from '../../src/lab/node.ts'
import { findOrigin, originsOf } from '../../src/lab/origin.ts'
import { findDestination, findPlace } from '../../src/lab/place.ts'
import { readTopologyFile } from '../../src/lab/topology-file.ts'
import { acquaint, type KernelTraceLab, traceInKernel } from '../../src/lab/trace-kernel.ts'
import { formatWhere, type TraceDocument } from '../../src/trace/document.ts'
import { formatTrace } from '../../src/trace/text.ts'
import { type LossCase, losses } from '../trace/losses.ts'

const PLAIN = { verbose: false, hex: false, colour: false }
const plugins = new URL('../../cni-bin', import.meta.url).pathname

/** It is gone when the test is over. `number` makes its name its own: several are of one file. */
async function build(
  { file }: LossCase,
  number: number,
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
): Promise<KernelTraceLab> {
  const machine = linuxMachine([plugins])
  const { topology: described, lineOf } = readTopologyFile(file)
  const topology = { ...described, name: `${described.name}-${number}` }
  onTestFinished(() => {
    takeDown(topology.name, machine)
  })
  const plan = await bringUp(topology, machine, {
    owned: true,
    run: async (steps) => {
      for (const { run } of steps) await run()
    },
  })
  assert.ok(plan, `a lab ${topology.name} is up already`)
  const origins = originsOf(plan, topology, machine, { file, lineOf })
  const lab = { plan, machine, originOf: (node: string, ref: string) => findOrigin(origins, node, ref) }
  await acquaint(lab)
  return lab
}

function ask({ from, to, protocol, port = 0 }: LossCase, lab: KernelTraceLab): Promise<TraceDocument> {
  const { address } = findDestination(to, lab.plan, lab.machine)
  return traceInKernel({ from, address, spec: { protocol, port } }, lab)
}

async function run(place: string, line: string, { plan, machine }: KernelTraceLab): Promise<void> {
  const { status, stderr } = await machine.runLine(namespacePath(findPlace(place, plan)!.namespace), line)
  assert.equal(status, 0, `${place}: ${line}: ${stderr}`)
}

// They wait for answers that do not come far more than they compute.
describe.concurrent('a trace on the real kernel says what the model says', { timeout: 300_000 }, () => {
  for (const [number, each] of losses.entries()) {
    if (each.modelOnly !== undefined) continue
    test(each.title, async (context) => {
      const lab = await build(each, number, context)
      const { faults = {} } = readTopologyFile(each.file).topology
      for (const name of each.faults ?? []) await run(faults[name]!.node, faults[name]!.run, lab)
      for (const [place, line] of each.run ?? []) await run(place, line, lab)

      const trace = await ask(each, lab)
      const { disposition, reason, at, why = '', fix = [] } = trace.result
      const told = formatTrace(trace, PLAIN)
      assert.deepEqual([disposition, reason, at && formatWhere(at)], ['dropped', each.reason, each.at], told)
      for (const part of each.why) assert.match(why, part)

      for (const command of fix) await run(at!.node, command, lab)
      const mended = await ask(each, lab)
      const after = `after ${fix.join('; ')}\n${formatTrace(mended, PLAIN)}`
      if (each.andThen) assert.equal(mended.result.reason, each.andThen, after)
      else assert.equal(mended.result.disposition, 'delivered', after)
    })
  }
})
