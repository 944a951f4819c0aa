/** Two sessions, whatever happens between them: loss, silence, restarts, stops of a process, changes of settings. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import type { BfdSettings } from '../../src/bfd/session.ts'
import { FAST, Pair } from './pair.ts'

const settings: fc.Arbitrary<BfdSettings> = fc.record(
  {
    minTx: fc.integer({ min: 10, max: 3000 }),
    minRx: fc.integer({ min: 10, max: 3000 }),
    multiplier: fc.integer({ min: 1, max: 5 }),
  },
  { noNullPrototype: true },
)

type Doing = (pair: Pair) => void

const end = fc.constantFrom('a' as const, 'b' as const)
const doing: fc.Arbitrary<Doing> = fc.oneof(
  fc.constantFrom<Doing>(
    (pair) => {
      pair.loses = () => true
    },
    (pair) => {
      pair.loses = () => false
    },
    (pair) => {
      pair.restarted()
    },
  ),
  end.map<Doing>((lost) => (pair) => {
    pair.loses = (from) => from === lost
  }),
  end.map<Doing>((name) => (pair) => pair[name].session.disable()),
  end.map<Doing>((name) => (pair) => pair[name].session.enable()),
  fc.tuple(end, settings).map<Doing>(
    ([name, changed]) =>
      (pair) =>
        pair[name].session.change(changed),
  ),
  fc.nat({ max: 2000 }).map<Doing>((time) => (pair) => pair.clock.stall(time)),
)
const history = fc.array(fc.tuple(doing, fc.nat({ max: 4000 })), { maxLength: 20 })

test('what is healed comes up again, and up and down are told in turn', () => {
  fc.assert(
    fc.property(settings, settings, fc.nat(), history, (a, b, seed, steps) => {
      const pair = new Pair({ a, b, seed })
      for (const [happen, time] of steps) {
        happen(pair)
        pair.clock.advance(time)
      }
      pair.loses = () => false
      for (const { session } of [pair.a, pair.b]) session.enable()
      // The slowest interval, as often as the highest multiplier has it, and the way up behind it.
      pair.clock.advance(5 * 3000 + 5 * 3000)
      assert.deepEqual([pair.a.session.state, pair.b.session.state], ['Up', 'Up'])
      for (const { told } of [pair.a, pair.b]) {
        assert.equal(told.at(-1), 'up')
        told.forEach((each, i) => {
          assert.ok(each === 'up' || told[i - 1] === 'up', `${told}`)
        })
      }
    }),
    { numRuns: 300 },
  )
})

test('nothing is told where nothing is lost, whoever is late by less than it may', () => {
  const lateness = fc.array(fc.tuple(fc.nat({ max: 199 }), fc.integer({ min: 300, max: 1000 })), { maxLength: 30 })
  fc.assert(
    fc.property(fc.nat(), lateness, (seed, stalls) => {
      const pair = new Pair({ seed })
      pair.clock.advance(3000)
      for (const [stall, time] of stalls) {
        pair.clock.stall(stall)
        pair.clock.advance(time)
      }
      assert.deepEqual([pair.a.told, pair.b.told], [['up'], ['up']])
    }),
  )
})

test('while they are up, periodic packets keep the interval that was agreed upon', () => {
  fc.assert(
    fc.property(settings, settings, fc.nat(), (a, b, seed) => {
      const pair = new Pair({ a, b, seed })
      pair.clock.advance(20_000)
      const from = pair.now
      pair.clock.advance(30_000)
      for (const [own, other] of [
        [pair.a, b],
        [pair.b, a],
      ] as const) {
        const most = own.session.status.transmitInterval
        const { minTx, multiplier } = own === pair.a ? a : b
        assert.equal(most, Math.max(minTx, other.minRx))
        const periodic = own.since(from).filter(({ final }) => !final)
        periodic.slice(1).forEach(({ at }, i) => {
          const gap = at - periodic[i]!.at
          assert.ok(gap >= 0.75 * most && gap <= (multiplier === 1 ? 0.9 : 1) * most, `${gap} of ${most}`)
        })
      }
    }),
    { numRuns: 100 },
  )
})

test('the slowest neighbour of all is waited for', () => {
  const pair = new Pair({ b: { ...FAST, minTx: 60_000, multiplier: 255 } })
  pair.clock.advance(200_000)
  assert.equal(pair.a.session.status.detectionTime, 60_000 * 255)
  pair.loses = () => true
  pair.clock.advance(60_000 * 254)
  assert.equal(pair.a.session.state, 'Up')
})
