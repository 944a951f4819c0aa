import assert from 'node:assert/strict'
import { put, refused, type StoreCase } from './case.ts'

export const transactionCases: readonly StoreCase[] = [
  {
    title: 'a transaction creates a key only where there is none',
    async check({ one, other, prefix }) {
      const key = `${prefix}a`
      const create = (value: string) => [[{ key, revision: undefined }], [{ put: key, value }]] as const
      assert.equal(typeof (await one.transact(...create('1'))), 'bigint')
      assert.equal(await other.transact(...create('2')), undefined)
      assert.equal((await one.get(key))?.value, '1')
      await one.transact([], [{ delete: key }])
      assert.equal(typeof (await other.transact(...create('3'))), 'bigint')
    },
  },
  {
    title: 'a transaction replaces a key only while nobody else has changed it',
    async check({ one, other, prefix }) {
      const key = `${prefix}a`
      const revision = await put(one, key, '1')
      const replace = (value: string) => [[{ key, revision }], [{ put: key, value }]] as const
      assert.equal(typeof (await one.transact(...replace('2'))), 'bigint')
      assert.equal(await other.transact(...replace('3')), undefined)
      assert.equal((await one.get(key))?.value, '2')
      const { revision: now } = (await one.get(key))!
      assert.equal(await other.transact([{ key, revision: now + 1n }], [{ delete: key }]), undefined)
      assert.equal(typeof (await other.transact([{ key, revision: now }], [{ delete: key }])), 'bigint')
      assert.equal(await one.transact([{ key, revision: now }], [{ put: key, value: '4' }]), undefined)
      assert.equal(await one.get(key), undefined)
    },
  },
  {
    title: 'several writes take place at one revision, or none does',
    async check({ one, other, prefix }) {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => prefix + name) as [string, string, string]
      await put(one, c, '0')
      const writes = [{ put: a, value: '1' }, { put: b, value: '2' }, { delete: c }]
      const unmet = [
        { key: a, revision: undefined },
        { key: b, revision: 1n },
      ]
      assert.equal(await one.transact(unmet, writes), undefined)
      assert.deepEqual(
        (await other.list(prefix)).entries.map(({ key }) => key),
        [c],
      )
      const revision = await one.transact([{ key: a, revision: undefined }], writes)
      assert.deepEqual(
        (await other.list(prefix)).entries.map((entry) => [entry.key, entry.value, entry.revision]),
        [
          [a, '1', revision],
          [b, '2', revision],
        ],
      )
    },
  },
  {
    title: 'deleting what is not there is no error and no change',
    async check({ one, prefix }) {
      const { revision } = await one.list(prefix)
      assert.equal(await one.transact([], [{ delete: `${prefix}a` }]), revision)
      assert.equal((await one.list(prefix)).revision, revision)
    },
  },
  {
    title: 'of many who create one key at once, one succeeds',
    async check({ one, other, prefix }) {
      const key = `${prefix}a`
      const attempts = Array.from({ length: 20 }, (_, at) =>
        (at % 2 ? one : other).transact([{ key, revision: undefined }], [{ put: key, value: String(at) }]),
      )
      const revisions = await Promise.all(attempts)
      const winner = revisions.findIndex((revision) => revision !== undefined)
      assert.equal(revisions.filter((revision) => revision !== undefined).length, 1)
      assert.equal((await one.get(key))?.value, String(winner))
    },
  },
  {
    title: 'two nodes that count up one key lose nothing',
    async check({ one, other, prefix }) {
      const key = `${prefix}count`
      const countUp = async (store: typeof one) => {
        for (let done = 0; done < 20; ) {
          const entry = await store.get(key)
          const value = String(Number(entry?.value ?? 0) + 1)
          const revision = await store.transact([{ key, revision: entry?.revision }], [{ put: key, value }])
          if (revision !== undefined) done++
        }
      }
      await Promise.all([countUp(one), countUp(other)])
      assert.equal((await one.get(key))?.value, '40')
    },
  },
  {
    title: 'a transaction that binds a key to a lease that has ended is "not found", and writes nothing',
    async check({ one, prefix }) {
      const lease = await one.grant(100)
      await one.revoke(lease)
      const writes = [
        { put: `${prefix}a`, value: '1' },
        { put: `${prefix}b`, value: '2', lease },
      ]
      await refused(() => one.transact([], writes), 'not found')
      assert.deepEqual((await one.list(prefix)).entries, [])
    },
  },
]
