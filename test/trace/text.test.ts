/** How a trace looks: nothing cut where it matters, and no line too long to read. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { TraceDocument, TraceStep } from '../../src/trace/document.ts'
import { toHex } from '../../src/trace/hex.ts'
import { formatTrace } from '../../src/trace/text.ts'
import { udpFrame } from './frames.ts'

const PLAIN = { verbose: false, hex: false, colour: false }
const hex = toHex(udpFrame())
const tap = (node: string, what: 'in' | 'out') =>
  ({ at: { node, dev: 'eth0' }, stage: 'tap', what, len: 43, hex }) as const

function trace(steps: readonly Partial<TraceStep>[], rest: Partial<TraceDocument> = {}): TraceDocument {
  return {
    v: 1,
    id: 't1',
    engine: { kind: 'model', profile: 'linux-6.18', seed: 0 },
    input: { node: 'a', dev: 'eth0', dir: 'out', hex, summary: 'UDP 10.0.0.1:4000 → 10.0.0.2:53' },
    steps: steps.map((step, n) => ({ n, t: 0, at: { node: 'a', dev: 'eth0' }, stage: 'route', ...step })),
    result: { disposition: 'delivered', at: { node: 'b', dev: 'eth0' }, hops: 1 },
    ...rest,
  }
}

test('the head says who sends what, how large, and which kernel with which seed, 0 too', () => {
  assert.match(
    formatTrace(trace([]), PLAIN),
    /^a UDP 10\.0\.0\.1:4000 → 10\.0\.0\.2:53 {2}43 B {3}model linux-6\.18 · seed 0\n/,
  )
})

test('a wire is one row, and where nothing is left to decide the socket is', () => {
  const text = formatTrace(
    trace([
      { what: '10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1 (main)' },
      tap('a', 'out'),
      { stage: 'veth', what: 'to eth0, another namespace' },
      tap('b', 'in'),
      { at: { node: 'b', dev: 'eth0' }, what: 'local 10.0.0.2 dev eth0 table local (local)' },
      { at: { node: 'b', dev: 'eth0' }, stage: 'local', what: 'for this host' },
    ]),
    PLAIN,
  )
  const rows = text.split('\n').slice(2, -2)
  assert.deepEqual(
    rows.map((row) => row.trim().split(/ {2,}/)),
    [
      ['a', 'eth0', 'route', '10.0.0.0/24 dev eth0'],
      ['b', 'eth0', 'socket', 'for this host'],
    ],
  )
})

test('a long decision is cut, but not the one that drops, and not when everything is asked for', () => {
  const long = 'word '.repeat(30).trim()
  const kept = trace([{ stage: 'forward', what: long }])
  assert.ok(!formatTrace(kept, PLAIN).includes(long))
  assert.ok(formatTrace(kept, { ...PLAIN, verbose: true }).includes(long))
  assert.ok(formatTrace(trace([{ stage: 'drop', what: long, verdict: 'drop' }]), PLAIN).includes(long))
})

test('a sentence has lines of at most 100 columns, and loses no word', () => {
  const why = 'a cause with its object and value '.repeat(12).trim()
  const text = formatTrace(
    trace([], {
      result: { disposition: 'dropped', reason: 'X', kernel: 'f', at: { node: 'a' }, why, fix: ['ip link'] },
    }),
    PLAIN,
  )
  const lines = text.split('\n')
  assert.ok(lines.includes('✗ DROPPED at a: X (f)'))
  assert.ok(lines.every(({ length }) => length <= 100))
  const sentence = lines.filter((line) => line.startsWith('  a') || line.startsWith('  w') || line.startsWith('  o'))
  assert.ok(lines.includes('  fix: ip link'))
  assert.ok(sentence.length > 2)
  assert.ok(
    lines
      .map((line) => line.trim())
      .join(' ')
      .includes(why),
  )
})

test('a loop is told by its beginning and its end', () => {
  const steps = Array.from({ length: 200 }, (_, i) => ({ stage: 'forward', what: `number ${i}.` }) as const)
  const text = formatTrace(trace(steps), PLAIN)
  assert.match(text, /number 0\./)
  assert.match(text, /number 199\./)
  assert.match(text, /… 174 more rows: --verbose/)
  assert.ok(!text.includes('number 100.'))
  assert.ok(formatTrace(trace(steps), { ...PLAIN, verbose: true }).includes('number 100.'))
})

test('the answer is one line, with whose address it got back', () => {
  const reply = trace([{ stage: 'nat', what: 'undone', set: { 'ip.src': ['10.0.0.2', '10.96.0.10'] }, t: 0.28 }], {
    id: 't2',
    input: { node: 'b', dev: 'eth0', dir: 'out', hex, summary: 'TCP SYN-ACK 10.0.0.2:53 → 10.0.0.1:4000' },
  })
  const text = formatTrace(
    trace([{}], { result: { disposition: 'delivered', reply: 't2', mtu: 1450, hops: 2 }, traces: [reply] }),
    PLAIN,
  )
  assert.match(text, /^ reply {2}TCP SYN-ACK back in 1 stages, un-DNAT on a {2}OK 0\.28 ms$/m)
  assert.match(text, /^✔ DELIVERED both ways · 2 L3 hops · MTU 1450$/m)
})
