/** Traces in the model: where and why a packet was lost, and that the command which a trace gives mends it. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { buildModelLab, type ModelLab } from '../../src/lab/model-lab.ts'
import { findDestination } from '../../src/lab/place.ts'
import { readTopologyFile } from '../../src/lab/topology-file.ts'
import { acquaint, type TraceLab, traceInModel } from '../../src/lab/trace.ts'
import { formatWhere, type TraceDocument } from '../../src/trace/document.ts'
import { formatTrace } from '../../src/trace/text.ts'
import { type LossCase, losses } from './losses.ts'

const PLAIN = { verbose: false, hex: false, colour: false }

async function build({ file }: LossCase): Promise<ModelLab> {
  const { topology, lineOf } = readTopologyFile(file)
  const lab = await buildModelLab({ topology, source: { file, lineOf } })
  acquaint(lab)
  return lab
}

function ask({ from, to, protocol, port = 0 }: LossCase, lab: TraceLab): TraceDocument {
  const { address } = findDestination(to, lab.plan, lab.machine)
  return traceInModel({ from, address, spec: { protocol, port } }, lab)
}

async function run(place: string, line: string, lab: ModelLab): Promise<void> {
  const { status, stderr } = await lab.run({ place, line })
  assert.equal(status, 0, `${place}: ${line}: ${stderr}`)
}

for (const each of losses) {
  test(each.title, async () => {
    const lab = await build(each)
    const { faults = {} } = readTopologyFile(each.file).topology
    for (const name of each.faults ?? []) await run(faults[name]!.node, faults[name]!.run, lab)
    for (const [place, line] of each.run ?? []) await run(place, line, lab)

    const trace = ask(each, lab)
    const { disposition, reason, at, why = '', fix = [] } = trace.result
    const told = formatTrace(trace, PLAIN)
    assert.deepEqual([disposition, reason, at && formatWhere(at)], ['dropped', each.reason, each.at], told)
    for (const part of each.why) assert.match(why, part)
    assert.ok(told.includes(`DROPPED at ${each.at}: ${each.reason}`), told)

    for (const command of fix) await run(at!.node, command, lab)
    const mended = ask(each, lab)
    if (each.andThen) assert.equal(mended.result.reason, each.andThen, formatTrace(mended, PLAIN))
    else assert.equal(mended.result.disposition, 'delivered', `after ${fix.join('; ')}\n${formatTrace(mended, PLAIN)}`)
  })
}

test('a path on which all is well is delivered both ways, and told in some twenty lines', async () => {
  const lab = await build(losses[0]!)
  for (const protocol of ['icmp', 'tcp', 'udp'] as const) {
    const trace = ask({ ...losses[0]!, to: 'p3', protocol, port: 8080 }, lab)
    assert.equal(trace.result.disposition, 'delivered', protocol)
    assert.notEqual(trace.result.reply, undefined, protocol)
    const lines = formatTrace(trace, PLAIN).split('\n').length
    assert.ok(lines >= 15 && lines <= 40, `${lines} lines`)
  }
})
