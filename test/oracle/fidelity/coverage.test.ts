import assert from 'node:assert/strict'
import { test } from 'vitest'
import { Stretches } from '../../../src/oracle/fidelity/coverage.ts'
import { namesOf } from '../../../src/oracle/fidelity/document.ts'
import { joined, Tally, withModel } from '../../../src/oracle/fidelity/tally.ts'

const range = (startOffset: number, endOffset: number, count: number) => ({ startOffset, endOffset, count })

test('the innermost range says whether a place ran', () => {
  // function f() { if (…) { not run } run }   and behind it a function that nobody called
  const script = new Stretches([
    range(60, 90, 0),
    range(20, 30, 0),
    range(0, 100, 1),
    range(10, 50, 3),
    range(22, 24, 0),
  ])
  assert.deepEqual(
    [5, 10, 19, 20, 23, 29, 30, 49, 50, 60, 89, 90, 99, 100].filter((offset) => script.ran(offset)),
    [5, 10, 19, 30, 49, 50, 90, 99],
  )
})

test('what no range holds did not run', () => {
  assert.equal(new Stretches([]).ran(0), false)
  assert.equal(new Stretches([range(10, 20, 1)]).ran(5), false)
})

const model = [
  {
    file: 'a.ts',
    sites: [{ id: 'a.ts f drop X@y', file: 'a.ts', where: 'f', kind: 'drop', says: 'X@y', place: [3, 1] } as const],
    functions: [
      { name: 'f', place: [1] },
      { name: 'g', place: [9] },
    ],
    arms: [[3], [9]],
  },
]
const ranAt = (...offsets: number[]) => ({
  at: (_: string, place: readonly number[]) => place.every((offset) => offsets.includes(offset)),
})

test('a decision counts where all before it ran, by the names of the runs', () => {
  const tally = new Tally(model)
  tally.add({ name: 'S01', what: 'scenario', cases: 1 }, ranAt(3))
  tally.add({ name: 'S02', what: 'scenario', cases: 1 }, ranAt(1, 3))
  tally.add({ name: 'bridge', what: 'random', cases: 5 }, ranAt(1, 3))
  tally.add({ name: 'bridge', what: 'random', cases: 5 }, ranAt(1, 3))
  tally.add({ name: 'S02', what: 'second', cases: 1 }, ranAt(1, 3))
  const { sites, secondSites, files, runs } = tally.fidelity('Linux 6.18', 'Linux 6.1')
  assert.deepEqual(sites, { 'a.ts f drop X@y': 'S02 bridge' })
  assert.deepEqual(secondSites, { 'a.ts f drop X@y': 'S02' })
  assert.deepEqual(files, { 'a.ts': { functions: 2, never: ['g'], arms: '10' } })
  assert.deepEqual(
    runs.map(({ what, name, cases }) => `${what} ${name} ${cases}`),
    ['scenario S01 1', 'scenario S02 1', 'random bridge 10', 'second S02 1'],
  )
})

test('what is measured anew takes the place of what was known of it, and leaves what is known of others', () => {
  const [before, now] = [new Tally(model), new Tally(model)]
  for (const name of ['S01', 'S02']) before.add({ name, what: 'scenario', cases: 1 }, ranAt(1, 3))
  now.add({ name: 'S02', what: 'scenario', cases: 1 }, ranAt(9))
  now.add({ name: 'nat', what: 'random', cases: 5 }, ranAt(1, 3))
  const wanted = (_: string, name: string) => name !== 'S01'
  const { sites, files, runs } = joined(before.fidelity('Linux 6.18', ''), now.fidelity('Linux 6.18', ''), wanted)
  assert.deepEqual(sites, { 'a.ts f drop X@y': 'S01 nat' })
  assert.deepEqual(files, { 'a.ts': { functions: 2, never: [], arms: '11' } })
  assert.deepEqual(
    runs.map(({ name }) => name),
    ['S01', 'S02', 'nat'],
  )
})

test('of code that has changed, what is new was never compared', () => {
  const tally = new Tally(model)
  tally.add({ name: 'S01', what: 'scenario', cases: 1 }, ranAt(1, 3))
  const [{ sites, ...file }] = model as [(typeof model)[number]]
  const changed = [{ ...file, sites: [{ ...sites[0]!, id: 'a.ts f drop Z@y' }], arms: [[3], [9], [12]] }]
  const { sites: names, files } = withModel(tally.fidelity('Linux 6.18', ''), changed)
  assert.deepEqual(names, { 'a.ts f drop Z@y': '' })
  assert.equal(files['a.ts']?.arms, '100')
})

test.each([
  ['', ''],
  ['S01', 'S01'],
  ['S01 S02 S03 S07 X1 bridge nat', 'S01–S03 S07 X1 bridge nat'],
  ['S36 S37 X1 X2', 'S36–S37 X1–X2'],
])('"%s" is told as %s', (names, told) => {
  assert.equal(namesOf(names), told)
})
