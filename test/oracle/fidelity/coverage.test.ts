import assert from 'node:assert/strict'
import { test } from 'vitest'
import { Stretches } from '../../../src/oracle/fidelity/coverage.ts'
import { namesOf } from '../../../src/oracle/fidelity/document.ts'
import { Tally } from '../../../src/oracle/fidelity/tally.ts'

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
  const { sites, files, runs } = tally.fidelity('Linux 6.18')
  assert.deepEqual(sites, { 'a.ts f drop X@y': 'S02 bridge' })
  assert.deepEqual(files, {
    'a.ts': { functions: { compared: 1, of: 2 }, arms: { compared: 1, of: 2 }, never: ['g'] },
  })
  assert.deepEqual(runs.at(-1), { name: 'bridge', what: 'random', cases: 10 })
})

test.each([
  ['', '**never**'],
  ['S01', 'S01'],
  ['S01 S02 S03 S07 X1 bridge nat', 'S01–S03 S07 X1 bridge nat'],
  ['S36 S37 X1 X2', 'S36–S37 X1–X2'],
])('"%s" is told as %s', (names, told) => {
  assert.equal(namesOf(names), told)
})
