/** The loopback's own address: init_loopback, net/ipv6/addrconf.c. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { runLine } from '../../../src/command/run.ts'
import { createModel } from '../../../src/model/create.ts'

test('::1 is usable at once, though nobody has said nodad', async () => {
  const kernel = createModel()
  kernel.links.set('lo', { up: true })
  const { stdout } = await runLine('ip -6 address show dev lo', { kernel, now: () => 0, sleep: async () => {} })
  assert.match(stdout, /inet6 ::1\/128 scope host (?:proto kernel_lo )?\n/)
})
