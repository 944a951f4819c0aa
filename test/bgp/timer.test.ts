/** A timer that is started again and again. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { jittered, Timer } from '../../src/bgp/timer.ts'
import { StepClock } from './step-clock.ts'

function timer() {
  const clock = new StepClock()
  const expired: number[] = []
  const begin = clock.now()
  const it = new Timer(clock, () => expired.push(clock.now() - begin))
  return { clock, it, expired }
}

test('it expires once, when its time is over', () => {
  const { clock, it, expired } = timer()
  it.start(100)
  clock.advance(99)
  assert.deepEqual([expired, it.running], [[], true])
  clock.advance(1000)
  assert.deepEqual([expired, it.running], [[100], false])
})

test('started again it expires that much later, to the millisecond', () => {
  const { clock, it, expired } = timer()
  for (const _ of [1, 2, 3, 4]) {
    it.start(100)
    clock.advance(70)
  }
  clock.advance(1000)
  assert.deepEqual(expired, [310])
})

test('the clock’s timer runs late, behind the new deadline: it expires there and then', () => {
  const { clock, it, expired } = timer()
  it.start(3000)
  clock.advance(2)
  it.start(3000)
  clock.advance(2997)
  clock.stall(4)
  clock.advance(5000)
  assert.deepEqual(expired, [3003])
})

test('twice at the same moment is once', () => {
  const { clock, it, expired } = timer()
  it.start(100)
  it.start(100)
  clock.advance(100)
  assert.deepEqual(expired, [100])
})

test('a shorter time counts from now', () => {
  const { clock, it, expired } = timer()
  it.start(1000)
  clock.advance(10)
  it.start(20)
  clock.advance(5000)
  assert.deepEqual(expired, [30])
})

test('stopped, or started with 0, it does not expire; and may be started again', () => {
  const { clock, it, expired } = timer()
  it.start(100)
  it.stop()
  it.start(100)
  it.start(0)
  clock.advance(1000)
  assert.deepEqual(expired, [])
  it.start(100)
  clock.advance(1000)
  assert.deepEqual(expired, [1100])
})

test('started again while it expires it runs', () => {
  const clock = new StepClock()
  let times = 0
  const it: Timer = new Timer(clock, () => {
    if (++times < 3) it.start(10)
  })
  it.start(10)
  clock.advance(100)
  assert.equal(times, 3)
})

test('however often it is started, the clock has one timer of it', () => {
  const clock = new StepClock()
  let armed = 0
  const counting = {
    now: () => clock.now(),
    after: (milliseconds: number, run: () => void) => {
      armed++
      return clock.after(milliseconds, run)
    },
  }
  const it = new Timer(counting, () => undefined)
  for (let i = 0; i < 1000; i++) {
    it.start(90_000)
    clock.advance(1)
  }
  assert.equal(armed, 1)
})

test('a clock that is set forward while it is started again and again makes it expire no sooner', () => {
  const { clock, it, expired } = timer()
  it.start(100)
  clock.advance(50)
  it.start(100)
  clock.stall(3_600_000)
  clock.advance(40)
  assert.deepEqual(expired, [])
  it.start(100)
  clock.advance(99)
  assert.deepEqual(expired, [])
})

test('jitter takes up to a quarter', () => {
  assert.deepEqual(
    [0, 0.5, 1].map((random) => jittered(1000, () => random)),
    [750, 875, 1000],
  )
})
