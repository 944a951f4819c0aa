/** State dumps: what is normalised, and how a difference is said; on the model's own programs. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { modelMachine } from '../../src/lab/model-machine.ts'
import { differenceOf } from '../../src/oracle/compare.ts'
import { runScenario } from '../../src/oracle/run.ts'
import { type StateDump, stateDifference } from '../../src/oracle/state.ts'
import { udp } from './scenarios/frames.ts'
import { from, onRig, run, ways } from './scenarios/rig.ts'

const rule = 'iptables -A FORWARD -s 10.244.0.2 -j ACCEPT'
const scenario = (frames: number) =>
  onRig('counted', 'a rule that counts', [
    run('n1', rule),
    ...Array.from({ length: frames }, (_, i) => from('p1', udp({ ...ways.p1, destination: '10.244.1.2', id: i + 1 }))),
  ]).scenario
const observe = (frames: number) => runScenario(scenario(frames), modelMachine(), { state: true })

test('two runs of one scenario leave one state', async () => {
  const [first, second] = [await observe(1), await observe(1)]
  assert.ok(first.state && Object.keys(first.state).length === 5)
  assert.equal(differenceOf(first, second), undefined)
})

test('a rule that met one frame more is a difference of state', async () => {
  const [once, twice] = [await observe(1), await observe(2)]
  const difference = stateDifference(once.state!, twice.state!)
  assert.equal(difference?.kind, 'state')
  assert.match(difference.what, /^n1, nft -j list ruleset: entry \d+: .*"packets":2.*, expected .*"packets":1/)
})

test('an entry that is missing, and one too many', () => {
  const dump = (...entries: string[]): StateDump => ({ n1: { 'ip -j rule': entries } })
  assert.equal(stateDifference(dump('a', 'b'), dump('a'))?.what, 'n1, ip -j rule: entry 2: none, expected "b"')
  assert.equal(stateDifference(dump('a'), dump('a', 'b'))?.what, 'n1, ip -j rule: entry 2: "b", expected none')
  assert.equal(stateDifference(dump('a'), dump('a')), undefined)
})
