import assert from 'node:assert/strict'
import { test } from 'vitest'
import { MemoryServer } from '../../src/store/memory.ts'
import { StoreError } from '../../src/store/store.ts'
import { put, Witness } from '../contract/store/case.ts'
import { storeContract } from '../contract/store.ts'
import { ManualClock } from '../support/manual-clock.ts'

storeContract('memory', {
  setUp() {
    const clock = new ManualClock()
    const server = new MemoryServer(clock)
    const one = server.connect('one')
    return {
      one,
      other: server.connect('other'),
      prefix: '/case/',
      cut: () => one.cut(),
      mend: () => one.mend(),
      compact: () => server.compact(),
      loseData: () => server.restartEmpty(),
      passTime: () => clock.advance(100),
      tearDown: () => {},
    }
  },
})

test('keys go in the moment in which their lease ends', async () => {
  const clock = new ManualClock()
  const store = new MemoryServer(clock).connect()
  const [short, long] = [await store.grant(10), await store.grant(86_400)]
  await put(store, '/a', '1', short)
  await put(store, '/b', '2', long)
  await clock.advance(9_999)
  assert.equal((await store.list('/')).entries.length, 2)
  assert.deepEqual(await store.timeToLive(short), { left: 1, granted: 10 })
  await clock.advance(1)
  assert.deepEqual(
    (await store.list('/')).entries.map(({ key }) => key),
    ['/b'],
  )
  assert.equal(clock.next, 86_390_000)
})

test('a server that is stopped is lost to all, and comes back with all it had', async () => {
  const clock = new ManualClock()
  const server = new MemoryServer(clock)
  const nodes = [server.connect('one'), server.connect('two')]
  const witnesses = nodes.map((node) => {
    const witness = new Witness()
    node.watch('/', witness)
    return witness
  })
  await put(nodes[0]!, '/a', '1')
  await clock.advance(0)
  server.stop()
  await clock.advance(1_000)
  server.start()
  await clock.advance(0)
  for (const { told } of witnesses) assert.deepEqual(told, ['listed /a=1', 'lost', 'back'])
})

test('an answer that is lost is of a transaction that took place', async () => {
  const store = new MemoryServer(new ManualClock()).connect()
  store.loseAnswer()
  await assert.rejects(put(store, '/a', '1'), (error) => error instanceof StoreError && error.kind === 'unavailable')
  assert.equal((await store.get('/a'))?.value, '1')
})

test('a connection that is cut for a thousand changes is told all that is there', async () => {
  const clock = new ManualClock()
  const server = new MemoryServer(clock)
  const [one, other] = [server.connect(), server.connect()]
  const witness = new Witness()
  one.watch('/', witness)
  await clock.advance(0)
  one.cut()
  for (let at = 0; at <= 1000; at++) await put(other, '/a', String(at))
  one.mend()
  await clock.advance(0)
  assert.deepEqual(witness.told, ['listed', 'lost', 'listed /a=1000'])
})
