/** The data path of udp is begun, told routes, ended, and begun again. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { COUNTERS, readCounters } from '../../src/overlay/udp/counters.ts'
import { UdpPath, type UdpWish } from '../../src/overlay/udp-path.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'

const wish: UdpWish = { tun: 'flannel0', address: '192.168.77.1', port: 8285, routes: [] }
const routes = [{ subnet: '10.5.2.0/24', node: '192.168.77.2' }]

function world() {
  const clock = new ManualClock()
  const events: string[] = []
  const state = { refusal: undefined as string | undefined, fail: (_: Error) => {}, ready: Promise.resolve() }
  const path = new UdpPath({
    clock,
    start({ port, onFailure }) {
      if (state.refusal !== undefined) throw new Error(state.refusal)
      state.fail = onFailure
      events.push(`start ${port}`)
      return {
        ready: state.ready,
        setRoutes: (told) => events.push(`routes ${told.length}`),
        counters: () => readCounters(new Float64Array(COUNTERS)),
        async stop() {
          events.push(`stopping ${port}`)
          await settled()
          events.push(`stopped ${port}`)
        },
      }
    },
    started: ({ port }) => events.push(`started ${port}`),
    failed: (error) => events.push(`failed: ${error.message}`),
  })
  return { clock, events, state, path }
}

test('routes are told to the one that runs; another port ends it first', async () => {
  const { path, events } = world()
  path.want(wish)
  await settled()
  path.want({ ...wish, routes })
  await settled()
  path.want({ ...wish, port: 9000 })
  path.want({ ...wish, port: 9001 })
  for (let i = 0; i < 3; i++) await settled()
  assert.deepEqual(events, [
    'start 8285',
    'started 8285',
    'routes 1',
    'stopping 8285',
    'stopped 8285',
    'start 9001',
    'started 9001',
  ])
  await path.close()
  assert.deepEqual(events.slice(7), ['stopping 9001', 'stopped 9001'])
  assert.equal(path.problem, undefined)
})

test('one that cannot begin is tried again, later and later, and told once', async () => {
  const { path, events, state, clock } = world()
  state.refusal = 'the TUN device is busy'
  path.want(wish)
  await clock.advance(60_000)
  assert.deepEqual(events, ['failed: the TUN device is busy'])
  assert.equal(path.problem, 'the TUN device is busy')
  state.refusal = undefined
  await clock.advance(10_000)
  assert.deepEqual(events.slice(1), ['start 8285', 'started 8285'])
  assert.equal(path.problem, undefined)
})

test('one that ends by itself is stopped and begun again', async () => {
  const { path, events, state, clock } = world()
  path.want(wish)
  await settled()
  state.fail(new Error('the TUN device is gone'))
  assert.equal(path.problem, 'the TUN device is gone')
  await clock.advance(1000)
  await settled()
  assert.deepEqual(events, [
    'start 8285',
    'started 8285',
    'failed: the TUN device is gone',
    'stopping 8285',
    'stopped 8285',
    'start 8285',
    'started 8285',
  ])
})

test('one that has begun to begin does not run yet', async () => {
  const { path, events, state } = world()
  const ready = Promise.withResolvers<void>()
  state.ready = ready.promise
  path.want(wish)
  await settled()
  assert.equal(path.problem, 'it is not running yet')
  ready.resolve()
  await settled()
  assert.equal(path.problem, undefined)
  assert.deepEqual(events, ['start 8285', 'started 8285'])
})

test('what is not wanted has no problem, and is not begun', async () => {
  const { path, events, state, clock } = world()
  state.refusal = 'no'
  path.want(wish)
  await settled()
  path.want(undefined)
  await clock.advance(60_000)
  assert.equal(path.problem, undefined)
  assert.deepEqual(events, ['failed: no'])
  assert.equal(clock.next, undefined)
})
