import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { onTestFinished, test } from 'vitest'
import { etcdStore } from '../../../src/store/etcd/etcd.ts'
import type { EtcdSettings } from '../../../src/store/etcd/settings.ts'
import type { Store, StoreError } from '../../../src/store/store.ts'
import { put, until, Witness } from '../../contract/store/case.ts'
import { type Etcd, startEtcd } from '../../support/etcd.ts'

const root = { username: 'root', password: 'root-secret' }
const node = { username: 'node', password: 'node-secret' }

/** A user may use what is below /overlay/. */
async function startWithUsers(flags: readonly string[] = []): Promise<Etcd> {
  const etcd = await startEtcd({ flags: ['--bcrypt-cost', '4', ...flags] })
  for (const command of [
    `user add ${root.username}:${root.password}`,
    `user add ${node.username}:${node.password}`,
    'role add root',
    'user grant-role root root',
    'role add overlay',
    'role grant-permission overlay --prefix=true readwrite /overlay/',
    `user grant-role ${node.username} overlay`,
    'auth enable',
  ]) {
    await etcd.etcdctl(...command.split(' '))
  }
  return etcd
}

function open(settings: EtcdSettings): Store {
  const store = etcdStore(settings)
  onTestFinished(() => store.close())
  return store
}

const passTime = () => new Promise<void>((resolve) => setTimeout(resolve, 10))

async function refusalOf(call: Promise<unknown>): Promise<StoreError> {
  const error = await call.then(
    () => assert.fail('it is not refused'),
    (error: StoreError) => error,
  )
  assert.equal(error.kind, 'refused', error.message)
  assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes('secret'), inspect(error))
  return error
}

test('a user with his password may do what his role allows, and nothing else', async () => {
  await using etcd = await startWithUsers()
  const store = open({ endpoints: [etcd.endpoint], ...node })
  const witness = new Witness()
  store.watch('/overlay/', witness)
  await put(store, '/overlay/a', '1', await store.grant(100))
  await until({ passTime }, () => witness.keys.join() === '/overlay/a', 'the watch is told')
  assert.match(
    (await refusalOf(store.get('/other'))).message,
    /^Cannot get "\/other" in etcd http.*: permission denied$/,
  )
  await refusalOf(put(store, '/other', '1'))
})

test('a wrong password, an unknown user and no user are refused, and no error tells the password', async () => {
  await using etcd = await startWithUsers()
  const endpoints = [etcd.endpoint]
  const wrong = await refusalOf(open({ endpoints, username: 'node', password: 'wrong-secret' }).get('/overlay/a'))
  assert.match(
    wrong.message,
    /^Cannot log in to etcd http:\S+ as "node": authentication failed, invalid user ID or password$/,
  )
  await refusalOf(open({ endpoints, username: 'nobody', password: 'secret' }).get('/overlay/a'))
  const nobody = await refusalOf(open({ endpoints }).get('/overlay/a'))
  assert.match(nobody.message, /it wants a user name and a password$/)
  const store = open({ endpoints, ...node })
  assert.ok(!store.name.includes('secret') && !inspect(store).includes('secret'))
})

test('a watch that is not allowed is told so once, and begins when it is', async () => {
  await using etcd = await startWithUsers()
  const store = open({ endpoints: [etcd.endpoint], ...node })
  const errors: StoreError[] = []
  const witness = new Witness()
  witness.lost = (error) => errors.push(error)
  store.watch('/other/', witness)
  await until({ passTime }, () => errors.length > 0, 'the watch is told')
  assert.deepEqual([errors[0]!.kind, witness.told], ['refused', []])
  const admin = ['--user', `${root.username}:${root.password}`]
  await etcd.etcdctl(...admin, 'role', 'grant-permission', 'overlay', '--prefix=true', 'readwrite', '/other/')
  await until({ passTime }, () => witness.told.length > 0, 'the watch lists')
  assert.equal(errors.length, 1)
})

test('a token that is too old is renewed, without anybody noticing', async () => {
  await using etcd = await startWithUsers(['--auth-token-ttl', '1'])
  const store = open({ endpoints: [etcd.endpoint], ...node })
  const witness = new Witness()
  store.watch('/overlay/', witness)
  await put(store, '/overlay/a', '1')
  await new Promise((resolve) => setTimeout(resolve, 2500)) // etcd forgets the token by its own clock
  await put(store, '/overlay/b', '2')
  const lease = await store.grant(100)
  await new Promise((resolve) => setTimeout(resolve, 2500))
  assert.equal(await store.keepAlive(lease), 100)
  await until({ passTime }, () => witness.keys.length === 2, 'the watch is told')
  assert.ok(!witness.has('lost'))
})

test('when users are changed, whoever is still allowed goes on', async () => {
  await using etcd = await startWithUsers()
  const store = open({ endpoints: [etcd.endpoint], ...node })
  await put(store, '/overlay/a', '1')
  await etcd.etcdctl('--user', `${root.username}:${root.password}`, 'user', 'add', 'another:another-secret')
  await put(store, '/overlay/a', '2')
  assert.equal((await store.get('/overlay/a'))?.value, '2')
})

test('credentials are no harm where etcd asks for none', async () => {
  await using etcd = await startEtcd()
  const store = open({ endpoints: [etcd.endpoint], ...node })
  await put(store, '/overlay/a', '1')
  assert.equal((await store.get('/overlay/a'))?.value, '1')
})

test('a store that is open when etcd begins to ask for users goes on', async () => {
  await using etcd = await startEtcd({ flags: ['--bcrypt-cost', '4'] })
  const store = open({ endpoints: [etcd.endpoint], ...root })
  await put(store, '/a', '1')
  await etcd.etcdctl('user', 'add', `${root.username}:${root.password}`)
  await etcd.etcdctl('user', 'grant-role', 'root', 'root')
  await etcd.etcdctl('auth', 'enable')
  await put(store, '/a', '2')
  assert.equal((await store.get('/a'))?.value, '2')
})
