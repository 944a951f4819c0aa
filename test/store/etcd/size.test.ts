import assert from 'node:assert/strict'
import { onTestFinished, test } from 'vitest'
import { etcdStore } from '../../../src/store/etcd/etcd.ts'
import type { Store, Write } from '../../../src/store/store.ts'
import { put, refused, until, Witness } from '../../contract/store/case.ts'
import { type Etcd, startEtcd } from '../../support/etcd.ts'

const moment = { passTime: () => new Promise<void>((resolve) => setTimeout(resolve, 10)) }

function open(etcd: Etcd): Store {
  const store = etcdStore({ endpoints: [etcd.endpoint] })
  onTestFinished(() => store.close())
  return store
}

test('ten thousand keys are listed, and watched, as one', async () => {
  await using etcd = await startEtcd()
  const store = open(etcd)
  const early = new Witness()
  store.watch('/', early)
  await until(moment, () => early.told.length > 0, 'the watch lists')
  const value = 'x'.repeat(500)
  for (let at = 0; at < 10_000; at += 100) {
    const writes: Write[] = Array.from({ length: 100 }, (_, next) => ({ put: `/${at + next}`, value }))
    await store.transact([], writes)
  }
  assert.equal((await store.list('/')).entries.length, 10_000)
  const late = new Witness()
  store.watch('/', late)
  await until(moment, () => late.keys.length === 10_000 && early.keys.length === 10_000, 'both watches have all')
  assert.deepEqual(early.entries, late.entries)
})

test('what etcd finds too large is refused, and said so', async () => {
  await using etcd = await startEtcd()
  const store = open(etcd)
  for (const length of [1_600_000, 3_900_000]) {
    await refused(() => put(store, '/a', 'x'.repeat(length)), 'refused')
    await assert.rejects(
      put(store, '/a', 'x'.repeat(length)),
      /^StoreError: Cannot put "\/a" in etcd http\S+: .*larger?/,
    )
  }
  await put(store, '/a', '1')
})
