/**
 * Two traces of one question compared. Two models of different seeds stand for the model and the kernel: they choose other
 * MACs, ports and numbers. test/lab/trace-both.test.ts asks the kernel.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'vitest'
import { compareTraces, isSame } from '../../../src/oracle/both/compare-traces.ts'
import { formatBoth } from '../../../src/oracle/both/text.ts'
import { lab } from '../../../src/testing/lab.ts'
import type { TraceDocument, TraceStep } from '../../../src/trace/document.ts'

const FILE = join(import.meta.dirname, '../../../examples/topologies/s02-overlay.ovl.yml')
const PLAIN = { columns: 110, verbose: false, colour: false }

async function ask(seed: number): Promise<TraceDocument> {
  const net = await lab(FILE, { seed })
  return net.pod('web-0').tcp('api-0', 80)
}

const ours = await ask(1)
const theirs = await ask(2)

/** The document with another byte in one frame: `at` from the end where it is negative. */
function withByte(
  document: TraceDocument,
  tap: (step: TraceStep) => boolean,
  at: number,
  value: number,
): TraceDocument {
  const step = document.steps.find((each) => each.hex !== undefined && tap(each))!
  const bytes = Buffer.from(step.hex!, 'hex')
  bytes[at] = value
  const changed = { ...step, hex: bytes.toString('hex') }
  return { ...document, steps: document.steps.map((each) => (each === step ? changed : each)) }
}

const tapAt = (node: string, dev: string, what: string) => (step: TraceStep) =>
  step.at.node === node && step.at.dev === dev && step.what === what

/** Offset of the TTL in a frame. */
const TTL = 22

test('what two stacks choose each for itself is no difference', () => {
  assert.notEqual(ours.input.hex, theirs.input.hex)
  const compared = compareTraces(ours, theirs)
  assert.deepEqual(compared.document.diff, [])
  assert.ok(isSame(compared))
  const text = formatBoth(compared, PLAIN)
  assert.match(
    text,
    /✔ DELIVERED at api-0\/eth0, in the model and in the kernel\n= \d+ frames of \d+ packets compared: the same$/,
  )
})

test('a field that differs is told at its step, by its name, with both frames', () => {
  const wrong = withByte(ours, tapAt('n1', 'flannel.1', 'out'), TTL, 62)
  const compared = compareTraces(wrong, theirs)
  assert.ok(!isSame(compared))
  const [first] = compared.document.diff!
  const step = compared.document.steps[first!.step]!
  assert.deepEqual([step.at, first!.field], [{ node: 'n1', dev: 'flannel.1' }, 'ipv4.ttl'])
  assert.deepEqual([first!.model, first!.kernel], ['62', '63'])
  const lines = formatBoth(compared, PLAIN).split('\n')
  assert.deepEqual(lines.filter((line) => line.startsWith('≠ ')).length, 3, lines.join('\n'))
  assert.ok(lines.some((line) => /^≠ +flannel\.1 +wire +out, \d+ B +ipv4\.ttl 63, model 62$/.test(line)))
  assert.ok(lines.includes('  n1/flannel.1 out: ipv4.ttl is 62 in the model, 63 in the kernel'))
  assert.ok(
    lines.some((line) => /^ {2}- 0010 .*>3f/.test(line)),
    "the kernel's frame",
  )
  assert.ok(
    lines.some((line) => /^ {2}\+ 0010 .*>3e/.test(line)),
    "the model's frame",
  )
})

test('a value that one stack chose must stay what it was at every tap', () => {
  const wrong = withByte(ours, tapAt('api-0', 'eth0', 'in'), 18, 0x77)
  const [first] = compareTraces(wrong, theirs).document.diff!
  assert.equal(first!.field, 'ipv4.identification')
})

test('a checksum that is wrong in one of them is told', () => {
  const wrong = withByte(ours, tapAt('n2', 'cni0', 'out'), 24, 0x12)
  const [first] = compareTraces(wrong, theirs).document.diff!
  assert.equal(first!.field, 'ipv4.checksum')
})

test('a tap that only one of them has is told, whichever it is', () => {
  const isTap = tapAt('n2', 'cni0', 'out')
  const without = (document: TraceDocument) => ({ ...document, steps: document.steps.filter((step) => !isTap(step)) })
  const [missing] = compareTraces(ours, without(theirs)).document.diff!
  assert.deepEqual([missing!.field, missing!.kernel], ['frame', null])
  const compared = compareTraces(without(ours), theirs)
  const [extra] = compared.document.diff!
  assert.deepEqual([extra!.field, extra!.model], ['frame', null])
  assert.deepEqual(compared.document.steps[extra!.step]!.at, { node: 'n2', dev: 'cni0' })
  assert.match(formatBoth(compared, PLAIN), /first difference\n {2}n2\/cni0 out: seen by the kernel, not in the model/)
})

test('another ending is told, though all frames are the same', () => {
  const lost = { ...theirs, result: { disposition: 'dropped', reason: 'NO_SOCKET', at: { node: 'api-0' } } } as const
  const compared = compareTraces(ours, lost)
  assert.deepEqual(
    compared.document.diff!.map(({ field }) => field),
    ['result.disposition', 'result.reason', 'result.at', 'result.mtu'],
  )
  assert.match(formatBoth(compared, PLAIN), /≠ reason: null in the model, "NO_SOCKET" in the kernel/)
})

test('nothing of the table is wider than 110 columns, and less where the terminal is narrower', () => {
  const wrong = withByte(ours, tapAt('n1', 'flannel.1', 'out'), TTL, 62)
  for (const columns of [110, 80]) {
    const text = formatBoth(compareTraces(wrong, theirs), { ...PLAIN, columns })
    const wide = text.split('\n').filter((line) => line.length > columns)
    assert.deepEqual(wide, [])
  }
  const narrow = formatBoth(compareTraces(wrong, theirs), { ...PLAIN, columns: 80 })
  assert.match(narrow, /\n≠ .*wire .*\n +kernel +ipv4\.ttl 63, model 62\n/)
})
