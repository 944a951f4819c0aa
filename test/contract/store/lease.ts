import assert from 'node:assert/strict'
import { put, refused, type StoreCase, until } from './case.ts'

const DAY = 86_400

export const leaseCases: readonly StoreCase[] = [
  {
    title: 'a lease tells its time, in seconds, and its id is hexadecimal',
    async check({ one, other }) {
      const lease = await one.grant(DAY)
      assert.match(lease, /^[\da-f]{1,16}$/)
      const { left, granted } = (await other.timeToLive(lease))!
      assert.equal(granted, DAY)
      assert.ok(left > DAY - 60 && left <= DAY, String(left))
      assert.notEqual(await one.grant(DAY), lease)
    },
  },
  {
    title: 'a key is bound to the lease that it was put with last',
    async check({ one, other, prefix }) {
      const [first, second] = [await one.grant(DAY), await one.grant(DAY)]
      const key = `${prefix}a`
      const bound = async () => (await other.get(key))?.lease
      await put(one, key, '1', first)
      assert.equal(await bound(), first)
      await put(one, key, '1', second)
      assert.equal(await bound(), second)
      await one.revoke(first)
      assert.equal(await bound(), second)
      await put(one, key, '1')
      assert.equal(await bound(), undefined)
      await one.revoke(second)
      assert.equal((await other.get(key))?.value, '1')
    },
  },
  {
    title: 'when a lease is revoked its keys go, all of them, and no others',
    async check({ one, other, prefix }) {
      const [lease, another] = [await one.grant(DAY), await one.grant(DAY)]
      await put(one, `${prefix}a`, '1', lease)
      await put(one, `${prefix}b`, '2', lease)
      await put(one, `${prefix}c`, '3', another)
      await put(one, `${prefix}d`, '4')
      const { revision } = await one.list(prefix)
      await other.revoke(lease)
      const after = await one.list(prefix)
      assert.deepEqual(
        after.entries.map(({ value }) => value),
        ['3', '4'],
      )
      assert.ok(after.revision > revision)
      assert.equal(await one.timeToLive(lease), undefined)
      await other.revoke(lease)
    },
  },
  {
    title: 'when the time of a lease is over its keys go; what has no lease stays',
    async check(world) {
      const { one, other, prefix } = world
      const lease = await one.grant(1)
      await put(one, `${prefix}a`, '1', lease)
      await put(one, `${prefix}b`, '2')
      await until(world, async () => (await other.get(`${prefix}a`)) === undefined, 'the key goes')
      await until(world, async () => (await one.timeToLive(lease)) === undefined, 'the lease goes')
      await refused(() => one.keepAlive(lease), 'not found')
      await refused(() => put(one, `${prefix}a`, '1', lease), 'not found')
      assert.equal((await other.get(`${prefix}b`))?.value, '2')
    },
  },
  {
    title: 'a lease that is kept alive begins anew',
    async check(world) {
      const { one, other } = world
      const lease = await one.grant(5)
      await until(world, async () => (await one.timeToLive(lease))!.left < 4, 'a second passes')
      assert.equal(await other.keepAlive(lease), 5)
      assert.ok((await one.timeToLive(lease))!.left >= 4)
    },
  },
  {
    title: 'a lease that never was is as one that has ended',
    async check({ one }) {
      assert.equal(await one.timeToLive('123abc'), undefined)
      await refused(() => one.keepAlive('123abc'), 'not found')
      await one.revoke('123abc')
    },
  },
  {
    title: 'a lease of no whole seconds is a RangeError',
    async check({ one }) {
      for (const seconds of [0, -1, 1.5, Number.NaN]) await assert.rejects(one.grant(seconds), RangeError)
    },
  },
]
