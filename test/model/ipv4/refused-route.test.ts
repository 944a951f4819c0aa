/** A table that a route was meant for is there, also when the route is refused: inet_rtm_newroute, net/ipv4/fib_frontend.c. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { runLine } from '../../../src/command/run.ts'
import { createModel } from '../../../src/model/create.ts'

test('a refused route leaves its table behind', async () => {
  const context = { kernel: createModel(), now: () => 0, sleep: async () => {} }
  const errorOf = async (line: string) => (await runLine(line, context)).stderr.trim()
  assert.equal(await errorOf('ip route del 10.0.1.0/24 table 101'), 'Error: FIB table does not exist.')
  assert.match(await errorOf('ip route add 10.0.1.0/24 via 10.0.9.9 table 101'), /invalid gateway|unreachable/)
  assert.equal(await errorOf('ip route del 10.0.1.0/24 table 101'), 'RTNETLINK answers: No such process')
})
