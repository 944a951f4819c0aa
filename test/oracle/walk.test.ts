/** What a walk records, and the application of the golden walks, on two hosts of the model. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { LiveKernel } from '../../src/kernel/live.ts'
import { buildModelLab } from '../../src/lab/model-lab.ts'
import { parseTopology } from '../../src/lab/topology-file.ts'
import { connect, parseEndpoint, serve } from '../../src/oracle/application.ts'
import { record, splitPlace } from '../../src/oracle/walk.ts'

const SECOND = 1_000_000
const { topology } = parseTopology(
  `
name: x
topology:
  nodes: { a: {}, b: {} }
  links: [{ endpoints: ["a:eth0", "b:eth0"], ipv4: [10.0.0.1/24, 10.0.0.2/24] }]
`,
  'x.ovl.yml',
)

test('places and endpoints are split where they end', () => {
  assert.deepEqual(splitPlace('n1:flannel.1'), ['n1', 'flannel.1'])
  assert.deepEqual(parseEndpoint('10.0.0.1:80'), { address: '10.0.0.1', port: 80 })
  assert.deepEqual(parseEndpoint('[fd00::1]:80'), { address: 'fd00::1', port: 80 })
})

test('ARP is background, but for what is to be shown; a device that is gone is not watched', async () => {
  for (const { show, arp } of [
    { show: [], arp: 0 },
    { show: ['10.0.0.2'], arp: 4 },
    { show: ['10.9.'], arp: 0 },
  ]) {
    const { kernelOf } = await buildModelLab({ topology })
    const recording = record(['a:eth0', 'b:eth0', 'b:gone'], (name): LiveKernel => kernelOf(name))
    await kernelOf('a').ping('10.0.0.2')
    const rows = recording.rows(show)
    assert.equal(rows.filter(({ hex }) => hex.slice(24, 28) === '0806').length, arp)
    const echo = rows.filter(({ hex }) => hex.slice(24, 28) === '0800')
    assert.deepEqual(
      echo.map(({ at, dir, len }) => `${at} ${dir} ${len}`),
      ['a:eth0 out 98', 'b:eth0 in 98', 'b:eth0 out 98', 'a:eth0 in 98'],
    )
    assert.equal(rows[0]?.t, 0)
  }
})

test('the client prints what Python would: an answer, a refusal, a silence', async () => {
  const { kernelOf, machine } = await buildModelLab({ topology })
  const ask = (to: string) => connect(kernelOf('a'), { ns: 'a', to, sends: 10, timeout_s: 1 })
  serve(kernelOf('b'), { ns: 'b', port: 80, reads: 10, answers: 7 })
  const answered = ask('10.0.0.2:80')
  const refused = ask('10.0.0.2:81')
  const nowhere = ask('10.9.0.1:80')
  machine.kernel.model.advance(SECOND)
  assert.equal(answered.result, 'CLIENT ok 7')
  assert.equal(refused.result, 'CLIENT ConnectionRefusedError [Errno 111] Connection refused')
  assert.equal(nowhere.result, 'CLIENT OSError [Errno 101] Network is unreachable')
  const silent = ask('10.0.0.3:80')
  silent.giveUp()
  assert.equal(silent.result, 'CLIENT TimeoutError timed out')
})
