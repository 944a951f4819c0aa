import assert from 'node:assert/strict'
import { put, refused, type StoreCase } from './case.ts'

const byKey = (keys: readonly string[]) =>
  [...keys].sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)))

export const keyCases: readonly StoreCase[] = [
  {
    title: 'a key that nobody has written is not there',
    async check({ one, prefix }) {
      assert.equal(await one.get(`${prefix}a`), undefined)
      const { entries } = await one.list(prefix)
      assert.deepEqual(entries, [])
    },
  },
  {
    title: 'what one node puts the other reads, with the revision that it was put at',
    async check({ one, other, prefix }) {
      const key = `${prefix}a`
      const revision = await put(one, key, 'first')
      assert.deepEqual(await other.get(key), { key, value: 'first', revision, lease: undefined })
      const later = await put(other, key, 'second')
      assert.ok(later! > revision!)
      assert.deepEqual(await one.get(key), { key, value: 'second', revision: later, lease: undefined })
    },
  },
  {
    title: 'a listing has every key that starts so, by key, and the revision of the store',
    async check({ one, other, prefix }) {
      for (const key of ['b/2', 'a', 'b/1', 'b0', 'b', 'ba']) await put(one, prefix + key, key)
      const revision = await put(one, `${prefix}z`, '')
      const keysBelow = async (start: string) => (await other.list(prefix + start)).entries.map(({ value }) => value)
      assert.deepEqual(await keysBelow('b'), ['b', 'b/1', 'b/2', 'b0', 'ba'])
      assert.deepEqual(await keysBelow('b/'), ['b/1', 'b/2'])
      assert.deepEqual(await keysBelow('c'), [])
      assert.equal((await other.list(prefix)).revision, revision)
      assert.equal((await other.list(`${prefix}c`)).revision, revision)
    },
  },
  {
    title: 'the empty prefix lists all',
    async check({ one, prefix }) {
      await put(one, `${prefix}a`, '1')
      await put(one, `${prefix.slice(1)}b`, '2')
      const keys = (await one.list('')).entries.map(({ key }) => key)
      assert.ok(keys.includes(`${prefix}a`) && keys.includes(`${prefix.slice(1)}b`))
    },
  },
  {
    title: 'any text is a key, and any text is a value',
    async check({ one, other, prefix }) {
      const odd = [
        '10.5.7.0-24&fd00:0:0:5::-64',
        '..',
        'a b',
        '/../../x',
        'ü',
        '\u{1f600}',
        '\uffee',
        '%2F',
        '"',
        '\n',
        '\u0000',
        '\u007f',
        'x'.repeat(1000),
      ]
      for (const text of odd) await put(one, prefix + text, text)
      const { entries } = await other.list(prefix)
      assert.deepEqual(
        entries.map(({ key, value }) => [key, value]),
        byKey(odd).map((text) => [prefix + text, text]),
      )
      await put(one, `${prefix}a`, '')
      assert.equal((await other.get(`${prefix}a`))?.value, '')
    },
  },
  {
    title: 'an empty key, a key twice in one transaction, and a key that is no text are RangeErrors',
    async check({ one, prefix }) {
      await assert.rejects(put(one, '', 'x'), RangeError)
      await assert.rejects(put(one, `${prefix}\ud800`, 'x'), RangeError)
      const key = `${prefix}a`
      await assert.rejects(one.transact([], [{ put: key, value: '1' }, { delete: key }]), RangeError)
      assert.equal(await one.get(key), undefined)
    },
  },
  {
    title: 'a value of 4 MB and more is refused, and one of 1 MB is not',
    async check({ one, other, prefix }) {
      await refused(() => put(one, `${prefix}a`, 'x'.repeat(4_000_001)), 'refused')
      assert.equal(await one.get(`${prefix}a`), undefined)
      await put(one, `${prefix}b`, 'x'.repeat(1_000_000))
      assert.equal((await other.get(`${prefix}b`))?.value.length, 1_000_000)
    },
  },
  {
    title: 'a closed store does nothing any more',
    async check({ one, other, prefix }) {
      one.close()
      one.close()
      await refused(() => one.get(`${prefix}a`), 'unavailable')
      await refused(() => put(one, `${prefix}a`, '1'), 'unavailable')
      assert.equal(await other.get(`${prefix}a`), undefined)
    },
  },
]
