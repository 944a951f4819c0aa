import assert from 'node:assert/strict'
import { afterEach, beforeEach, test, vi } from 'vitest'
import { memoryGiver } from '../../../src/cli/daemon/memory.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Something that nobody has any more; for the job that made it, it is kept. */
async function garbage(): Promise<WeakRef<object>> {
  const reference = new WeakRef({ some: 'thing' })
  await new Promise((resolve) => setImmediate(resolve))
  return reference
}

test('what is garbage is collected when there has been no work for a second', async () => {
  const worked = memoryGiver()
  const reference = await garbage()
  worked()
  vi.advanceTimersByTime(900)
  worked()
  vi.advanceTimersByTime(900)
  assert.equal(vi.getTimerCount(), 1)
  vi.advanceTimersByTime(100)
  assert.equal(vi.getTimerCount(), 0)
  assert.equal(reference.deref(), undefined)
})

test('where the work does not end, every ten seconds', () => {
  const worked = memoryGiver()
  worked()
  for (let passed = 0; passed < 9_900; passed += 900) {
    assert.equal(vi.getTimerCount(), 1)
    worked()
    vi.advanceTimersByTime(900)
  }
  vi.advanceTimersByTime(100)
  assert.equal(vi.getTimerCount(), 0)
})

test('a little more than there was the last time is let lie', async () => {
  const worked = memoryGiver()
  worked()
  vi.advanceTimersByTime(1000)
  const reference = await garbage()
  worked()
  vi.advanceTimersByTime(1000)
  assert.equal(vi.getTimerCount(), 0)
  assert.notEqual(reference.deref(), undefined)
})
