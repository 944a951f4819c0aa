/** ping in a process that is kept from looking. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { sys } from '#sys'
import { liveLinux } from '../../src/linux/live.ts'

test('an answer that has come is heard, though the time is over when the process can look', async () => {
  const node = liveLinux()
  node.links.set('lo', { up: true })
  try {
    const answer = node.ping('127.0.0.1', { timeout: 10 })
    sys.sleep(500)
    assert.equal((await answer).outcome, 'reply')
  } finally {
    node.close()
  }
})
