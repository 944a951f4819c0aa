/** What a plugin asks by a socket, and is answered, over a store whose connection breaks. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { createPool } from '../../src/pool/pools.ts'
import type { PoolRequest } from '../../src/pool/requests.ts'
import { formatRequest, parseRequest, parseResponse, responder } from '../../src/pool/socket-protocol.ts'
import { carryOut } from '../../src/pool/steps.ts'
import { MemoryServer } from '../../src/store/memory.ts'
import { ManualClock } from '../support/manual-clock.ts'

const attachment = { containerId: 'c1', ifName: 'eth0' }
const wanted: PoolRequest = {
  verb: 'assign',
  network: 'pods',
  attachment,
  families: ['ipv4'],
  pools: undefined,
  addresses: [],
  about: { pod: 'web-0' },
}

async function begin() {
  const server = new MemoryServer(new ManualClock())
  const store = server.connect()
  await carryOut(createPool({ cidr: '10.244.0.0/28', blockSize: 30 }), store)
  const respond = responder(store, () => ({ node: 'n1', labels: {} }))
  const ask = async (request: PoolRequest) => parseResponse(await respond(formatRequest(request)))
  return { store, respond, ask }
}

test('a request and its answer are a line each', async () => {
  const { ask, respond } = await begin()
  const answer = await ask(wanted)
  assert.ok(answer && 'assigned' in answer)
  assert.match(answer.assigned[0]!.address, /^10\.244\.0\./)
  assert.ok(!(await respond(formatRequest(wanted))).includes('\n'))
  assert.deepEqual(await ask({ verb: 'list', network: 'pods', attachment }), answer)
  assert.deepEqual(await ask({ verb: 'release', network: 'pods', attachment }), { assigned: [] })
  assert.deepEqual(await ask({ verb: 'list', network: 'pods', attachment }), { assigned: [] })
})

test('an answer that was lost is had by asking again, and not a second address', async () => {
  const { store, ask } = await begin()
  // Of the claim, the block, and the address.
  for (let lost = 1; lost <= 3; lost++) {
    store.loseAnswer()
    assert.match(JSON.stringify(await ask(wanted)), /"unavailable"/)
  }
  const first = await ask(wanted)
  assert.deepEqual(await ask(wanted), first)
  assert.equal((first as { assigned: unknown[] }).assigned.length, 1)
})

test('what cannot be is told with its kind', async () => {
  const { store, ask } = await begin()
  const kindOf = async (request: PoolRequest) => ((await ask(request)) as { error: { kind: string } }).error.kind
  assert.equal(await kindOf({ ...wanted, families: ['ipv6'] }), 'exhausted')
  assert.equal(await kindOf({ ...wanted, addresses: ['192.0.2.1'] }), 'conflict')
  assert.equal(await kindOf({ verb: 'status', families: ['ipv6'], pools: undefined }), 'exhausted')
  store.cut()
  assert.equal(await kindOf(wanted), 'unavailable')
})

test('any other line is refused, and nothing is thrown', async () => {
  const { respond } = await begin()
  const lines = fc.oneof(fc.string(), fc.json(), fc.constant(JSON.stringify({ ...wanted, families: ['ipv5'] })))
  await fc.assert(
    fc.asyncProperty(lines, async (line) => {
      const answer = parseResponse(await respond(line))
      assert.ok(answer && 'error' in answer && answer.error.kind === 'invalid')
    }),
  )
})

test('every request is read as it was written', () => {
  const requests: PoolRequest[] = [
    { ...wanted, pools: ['10.244.0.0/28'] },
    { verb: 'release', network: 'pods', attachment },
    { verb: 'collect', network: 'pods', valid: [attachment] },
    { verb: 'status', families: ['ipv4', 'ipv6'], pools: ['10.244.0.0/28'] },
  ]
  for (const request of requests) assert.deepEqual(parseRequest(formatRequest(request)), request)
})
