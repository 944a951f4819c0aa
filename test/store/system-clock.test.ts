/** The machine's clocks wait longer than setTimeout can: 2³¹ − 1 ms, some 24 days. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, test, vi } from 'vitest'
import { steadyClock, systemClock } from '../../src/store/system-clock.ts'

const DAY = 86_400_000

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

for (const [name, clock] of Object.entries({ steadyClock, systemClock })) {
  test(`${name}: a year is a year`, () => {
    let runs = 0
    clock.after(364 * DAY, () => runs++)
    vi.advanceTimersByTime(363 * DAY)
    assert.equal(runs, 0)
    vi.advanceTimersByTime(2 * DAY)
    assert.equal(runs, 1)
  })

  test(`${name}: what is cancelled in between does not happen`, () => {
    const cancel = clock.after(100 * DAY, () => assert.fail('it was cancelled'))
    vi.advanceTimersByTime(60 * DAY)
    cancel()
    vi.advanceTimersByTime(60 * DAY)
    assert.equal(vi.getTimerCount(), 0)
  })
}
