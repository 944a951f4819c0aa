/** A trace as pcapng, read back by tshark where it is installed, and otherwise by its blocks. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { captureOf } from '../../src/trace/capture-file.ts'
import type { TraceDocument, TraceStep } from '../../src/trace/document.ts'
import { toHex } from '../../src/trace/hex.ts'
import { udpFrame } from './frames.ts'

const hex = toHex(udpFrame())
const steps: readonly Omit<TraceStep, 'n'>[] = [
  { t: 0, at: { node: 'a', dev: 'eth0' }, stage: 'route', what: '10.0.0.0/24 dev eth0' },
  { t: 0, at: { node: 'a', dev: 'eth0' }, stage: 'tap', what: 'out', len: 43, hex },
  { t: 0.5, at: { node: 'n1', dev: 'veth1' }, stage: 'tap', what: 'in', len: 43, hex },
  { t: 0.5, at: { node: 'n1', dev: 'veth1' }, stage: 'drop', what: 'no route', verdict: 'drop' },
]
const document = (first: number): TraceDocument => ({
  v: 1,
  id: 't1',
  engine: { kind: 'model' },
  input: { node: 'a', dev: 'eth0', dir: 'out', hex, summary: '' },
  steps: steps.map((step, n) => ({ n, ...step, t: step.t + first })),
  result: { disposition: 'dropped' },
})
const encode = (text: string) => new TextEncoder().encode(text)
const hasTshark = spawnSync('tshark', ['--version']).status === 0

test.runIf(hasTshark)('tshark finds an interface per tap, directions, and decisions, the last one too', () => {
  const folder = mkdtempSync(join(tmpdir(), 'overlab-capture-'))
  try {
    const file = join(folder, 'trace.pcapng')
    writeFileSync(file, Buffer.concat([...captureOf(document(0), encode)]))
    const fields = ['frame.interface_name', 'frame.packet_flags_direction', 'frame.comment', 'ip.dst']
    const { stdout, stderr } = spawnSync(
      'tshark',
      ['-r', file, '-T', 'fields', '-E', 'separator=|', ...fields.flatMap((field) => ['-e', field])],
      { encoding: 'utf8' },
    )
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => line.split('|'))
    assert.equal(rows.length, 2, stderr)
    assert.deepEqual([rows[0]![0], rows[0]![2], rows[0]![3]], ['a/eth0', 'route: 10.0.0.0/24 dev eth0', '10.0.0.2'])
    assert.deepEqual([rows[1]![0], rows[1]![2]], ['n1/veth1', 'drop: no route'])
    assert.deepEqual(
      [rows[0]![1], rows[1]![1]].map((each) => Number(each)),
      [2, 1],
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('what came before the packet itself can be written, and nothing but a packet is one', () => {
  assert.equal([...captureOf(document(-3), encode)].length, 1 + 2 + 2)
  assert.equal([...captureOf({ ...document(0), steps: [] }, encode)].length, 1)
})
