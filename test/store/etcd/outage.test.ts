import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { onTestFinished, test } from 'vitest'
import { etcdStore } from '../../../src/store/etcd/etcd.ts'
import type { Store } from '../../../src/store/store.ts'
import { put, refused, succeeds, until, Witness } from '../../contract/store/case.ts'
import { freePorts, startCluster, startEtcd } from '../../support/etcd.ts'
import { Forwarder } from '../../support/forwarder.ts'

const moment = { passTime: () => new Promise<void>((resolve) => setTimeout(resolve, 10)) }

function open(...endpoints: string[]): Store {
  const store = etcdStore({ endpoints })
  onTestFinished(() => store.close())
  return store
}

async function watching(store: Store): Promise<Witness> {
  const witness = new Witness()
  store.watch('/', witness)
  await until(moment, () => witness.told.length > 0, 'the watch lists')
  return witness
}

async function openWay(port: number): Promise<Forwarder> {
  const way = new Forwarder(port)
  await way.open()
  onTestFinished(() => way.cut())
  return way
}

test('etcd that is killed and started again is lost once, and goes on where it was', async () => {
  await using etcd = await startEtcd()
  const store = open(etcd.endpoint)
  const lease = await store.grant(1000)
  await put(store, '/a', '1', lease)
  const witness = await watching(store)
  await etcd.kill()
  await until(moment, () => witness.has('lost'), 'the watch is told')
  await refused(() => store.get('/a'), 'unavailable')
  await etcd.restart()
  await until(moment, () => witness.has('back'), 'the watch is told that it is back')
  await put(store, '/b', '2')
  await until(moment, () => witness.has('put /b=2'), 'the change is told')
  assert.deepEqual(witness.told, ['listed /a=1', 'lost', 'back', 'put /b=2'])
  assert.equal((await store.timeToLive(lease))?.granted, 1000)
})

test('etcd that does not answer is unavailable in time, and used again when it does', async () => {
  await using etcd = await startEtcd()
  const store = open(etcd.endpoint)
  await put(store, '/a', '1')
  const witness = await watching(store)
  etcd.signal('SIGSTOP')
  await refused(() => store.get('/a'), 'unavailable')
  await until(moment, () => witness.has('lost'), 'the watch is told')
  etcd.signal('SIGCONT')
  await until(moment, () => witness.has('back'), 'the watch is back')
  await put(store, '/b', '2')
  await until(moment, () => witness.has('put /b=2'), 'the change is told')
  assert.ok(!witness.told.slice(1).some((told) => told.startsWith('listed')))
})

test('a way that is dead without a word is found dead when somebody says that the network has changed', async () => {
  await using etcd = await startEtcd()
  const way = await openWay(etcd.port)
  const store = open(`http://127.0.0.1:${way.port}`)
  await put(store, '/a', '1')
  const witness = await watching(store)
  way.silence()
  store.reconnect()
  await until(moment, () => witness.has('lost'), 'the watch is told')
  await etcd.etcdctl('put', '/b', '2')
  await way.cut() // the old connections come to nothing
  way.resume()
  await way.open()
  store.reconnect()
  await until(moment, () => witness.has('put /b=2'), 'the change is told')
})

test('endpoints that are dead, or silent, are passed over', async () => {
  await using etcd = await startEtcd()
  const [dead] = await freePorts(1)
  const sockets = new Set<Socket>()
  const silent = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    silent.close()
  })
  const { port } = silent.address() as { port: number }
  const store = open(`http://127.0.0.1:${dead}`, `http://127.0.0.1:${port}`, etcd.endpoint)
  await put(store, '/a', '1')
  const witness = await watching(store)
  assert.deepEqual(witness.told, ['listed /a=1'])
  await refused(() => open(`http://127.0.0.1:${dead}`, `http://127.0.0.1:${port}`).get('/a'), 'unavailable')
})

test('a member that dies is replaced by another, and the watch misses nothing', async () => {
  const cluster = await startCluster(3)
  onTestFinished(() => Promise.all(cluster.map((member) => member.stop())).then(() => {}))
  const [first, ...rest] = cluster
  const store = open(...cluster.map(({ endpoint }) => endpoint))
  const other = open(...rest.map(({ endpoint }) => endpoint))
  await put(store, '/a', '1')
  const witness = await watching(store)
  await first!.kill()
  for (let at = 0; at < 5; at++) {
    await until(moment, () => succeeds(put(other, `/b${at}`, '2')), 'the others serve')
  }
  await until(moment, () => witness.keys.length === 6, 'the changes are told')
  assert.deepEqual(
    witness.told.filter((told) => told !== 'lost' && told !== 'back'),
    ['listed /a=1', ...[0, 1, 2, 3, 4].map((at) => `put /b${at}=2`)],
  )
  assert.equal((await store.get('/a'))?.value, '1')
})

test('without a leader a watch is lost and a call unavailable, until there is one', async () => {
  const cluster = await startCluster(3)
  onTestFinished(() => Promise.all(cluster.map((member) => member.stop())).then(() => {}))
  const [first, second, third] = cluster
  const store = open(first!.endpoint)
  await put(store, '/a', '1')
  const witness = await watching(store)
  await Promise.all([second!.kill(), third!.kill()])
  await until(moment, () => witness.has('lost'), 'the watch is told')
  await refused(() => store.get('/a'), 'unavailable')
  await second!.restart()
  await until(moment, () => succeeds(put(store, '/b', '2')), 'there is a leader')
  await until(moment, () => witness.has('put /b=2'), 'the change is told')
})

test('a closed store leaves nothing that runs', async () => {
  await using etcd = await startEtcd()
  const before = process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout/.test(kind)).length
  const store = etcdStore({ endpoints: [etcd.endpoint] })
  await watching(store)
  const lost = etcdStore({ endpoints: ['http://127.0.0.1:1'] })
  const witness = new Witness()
  lost.watch('/', witness)
  await until(moment, () => witness.has('lost'), 'the watch is told')
  store.close()
  lost.close()
  const left = () => process.getActiveResourcesInfo().filter((kind) => /TCP|Timeout/.test(kind)).length
  await until(moment, () => left() <= before + 1, 'sockets and timers are gone') // one is this test's own
})
