/** Work that is called for often: once for all who ask, never within their calls, and with rests. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { Turns } from '../../src/overlay/turns.ts'
import { ManualClock } from '../support/manual-clock.ts'

/** Turns that take so many milliseconds each, and when they began. */
function turnsOf(duration: number) {
  const [manual, begun] = [new ManualClock(0), [] as number[]]
  let worked = 0
  const clock = { now: () => manual.now() + worked, after: manual.after.bind(manual) }
  const turns = new Turns(clock, () => {
    begun.push(clock.now())
    worked += duration
  })
  return { manual, begun, turns }
}

test('who asks twice is served once, at the earlier time', async () => {
  const { manual, begun, turns } = turnsOf(0)
  turns.soon(200)
  turns.soon(20)
  turns.soon(100)
  assert.deepEqual(begun, [])
  await manual.advance(1000)
  assert.deepEqual(begun, [20])
})

test('who asks after a turn of ten milliseconds waits for twenty', async () => {
  const { manual, begun, turns } = turnsOf(10)
  turns.soon()
  await manual.advance(0)
  turns.soon()
  await manual.advance(1000)
  assert.deepEqual(begun, [0, 30])
})

test('who wants it now has it within his call, unless it rests', async () => {
  const { manual, begun, turns } = turnsOf(10)
  turns.soon(50)
  turns.now()
  assert.deepEqual(begun, [0])
  turns.now()
  turns.now()
  assert.deepEqual(begun, [0])
  await manual.advance(1000)
  assert.deepEqual(begun, [0, 30])
})

test('nothing is done after the close', async () => {
  const { manual, begun, turns } = turnsOf(0)
  turns.soon()
  turns.close()
  turns.soon()
  turns.now()
  await manual.advance(1000)
  assert.deepEqual(begun, [])
})
