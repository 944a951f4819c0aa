import assert from 'node:assert/strict'
import { put, refused, type StoreCase, succeeds, until, Witness, watching } from './case.ts'

const DAY = 86_400

export const watchCases: readonly StoreCase[] = [
  {
    title: 'a watch is told first what is there, and never within the call',
    async check(world) {
      const { one, prefix } = world
      await put(one, `${prefix}b`, '2')
      await put(one, `${prefix}a`, '1')
      const witness = new Witness()
      one.watch(prefix, witness)
      assert.deepEqual(witness.told, [])
      await until(world, () => witness.told.length > 0, 'the watch lists')
      assert.deepEqual(witness.told, [`listed ${prefix}a=1 ${prefix}b=2`])
      assert.deepEqual(witness.entries, (await one.list(prefix)).entries)
    },
  },
  {
    title: 'a watch is told every change, whoever made it, in the order of revisions',
    async check(world) {
      const { one, other, prefix } = world
      const [a, b] = [`${prefix}a`, `${prefix}b`]
      const witness = await watching(world, one)
      await put(one, a, '1')
      await put(other, a, '2')
      await one.transact([], [{ put: b, value: '3' }, { delete: a }])
      await put(other, a, '4')
      await until(world, () => witness.has(`put ${a}=4`), 'the last change is told')
      const [listed, ...changes] = witness.told
      assert.equal(listed, 'listed')
      assert.deepEqual(
        [...changes.slice(0, 2), ...changes.slice(2, 4).sort(), ...changes.slice(4)],
        [
          `put ${a}=1`,
          `put ${a}=2`,
          `delete ${a}`, // of one revision
          `put ${b}=3`,
          `put ${a}=4`,
        ],
      )
      assert.deepEqual(
        witness.revisions,
        [...witness.revisions].sort((left, right) => Number(left - right)),
      )
      assert.deepEqual(witness.entries, (await other.list(prefix)).entries)
    },
  },
  {
    title: 'a put tells the lease that the key is bound to',
    async check(world) {
      const { one, other, prefix } = world
      const witness = await watching(world, one)
      const lease = await other.grant(DAY)
      await put(other, `${prefix}a`, '1', lease)
      await until(world, () => witness.told.length === 2, 'the put is told')
      assert.deepEqual(witness.entries, [await one.get(`${prefix}a`)])
      assert.equal(witness.entries[0]!.lease, lease)
    },
  },
  {
    title: 'a watch is told when keys go with their lease, revoked or at its end',
    async check(world) {
      const { one, other, prefix } = world
      const witness = await watching(world, one)
      const [short, long] = [await other.grant(1), await other.grant(DAY)]
      await put(other, `${prefix}a`, '1', short)
      await put(other, `${prefix}b`, '2', long)
      await other.revoke(long)
      await until(world, () => witness.has(`delete ${prefix}a`, `delete ${prefix}b`), 'both deletions are told')
      assert.deepEqual(witness.entries, [])
    },
  },
  {
    title: 'a watch is told of its keys only',
    async check(world) {
      const { one, other, prefix } = world
      const witness = await watching(world, one, `${prefix}b`)
      await put(other, `${prefix}a`, '1')
      await put(other, `${prefix}ba`, '2')
      await put(other, `${prefix}c`, '3')
      await put(other, `${prefix}b`, '4')
      await until(world, () => witness.has(`put ${prefix}b=4`), 'the last one is told')
      assert.deepEqual(witness.told, ['listed', `put ${prefix}ba=2`, `put ${prefix}b=4`])
    },
  },
  {
    title: 'several watches are told all the same, and one that is closed nothing more',
    async check(world) {
      const { one, other, prefix } = world
      const [first, second, closed] = [await watching(world, one), await watching(world, other), new Witness()]
      const watch = one.watch(prefix, closed)
      const never = new Witness()
      one.watch(prefix, never).close()
      await until(world, () => closed.told.length > 0, 'the watch lists')
      watch.close()
      watch.close()
      await put(one, `${prefix}a`, '1')
      await until(world, () => first.told.length + second.told.length === 4, 'two are told')
      assert.deepEqual(
        [first.told, second.told, closed.told, never.told].map((told) => told.length),
        [2, 2, 1, 0],
      )
    },
  },
  {
    title: 'a thousand changes are told, none twice and none left out',
    async check(world) {
      const { one, other, prefix } = world
      const witness = await watching(world, one)
      for (let round = 0; round < 10; round++) {
        await Promise.all(Array.from({ length: 100 }, (_, at) => put(other, `${prefix}${at}`, String(round))))
      }
      await until(world, () => witness.told.length >= 1001, 'all are told')
      assert.equal(new Set(witness.told).size, 1001)
      assert.deepEqual(
        witness.entries,
        (await one.list(prefix)).entries.toSorted((left, right) => (left.key < right.key ? -1 : 1)),
      )
    },
  },
  {
    title: 'after a cut the watch is told what it missed, and only that',
    async check(world) {
      const { one, other, prefix } = world
      await put(other, `${prefix}old`, '0')
      const witness = await watching(world, one)
      await world.cut()
      await until(world, () => witness.has('lost'), 'the watch is told that it is lost')
      await refused(() => one.get(`${prefix}a`), 'unavailable')
      await refused(() => put(one, `${prefix}a`, 'x'), 'unavailable')
      await put(other, `${prefix}a`, '1')
      await world.mend()
      await until(world, () => witness.has(`put ${prefix}a=1`), 'the change is told')
      assert.deepEqual(
        witness.told.filter((each) => each !== 'back'),
        [`listed ${prefix}old=0`, 'lost', `put ${prefix}a=1`],
      )
    },
  },
  {
    title: 'after a cut in which nothing changed the watch is told that it is back',
    async check(world) {
      const { one, prefix } = world
      await put(one, `${prefix}a`, '1')
      const witness = await watching(world, one)
      await world.cut()
      await until(world, () => witness.has('lost'), 'the watch is told that it is lost')
      await world.mend()
      await until(world, () => witness.has('back'), 'the watch is told that it is back')
      assert.equal((await one.get(`${prefix}a`))?.value, '1')
      assert.deepEqual(witness.told, [`listed ${prefix}a=1`, 'lost', 'back'])
    },
  },
  {
    title: 'when a store comes back compacted the watch is told all that is there',
    async check(world) {
      const { one, other, prefix } = world
      for (const name of ['gone', 'changed', 'kept']) await put(other, prefix + name, '1')
      const witness = await watching(world, one)
      await world.cut()
      await until(world, () => witness.has('lost'), 'the watch is told that it is lost')
      await other.transact([], [{ delete: `${prefix}gone` }])
      await put(other, `${prefix}changed`, '2')
      await put(other, `${prefix}new`, '3')
      await world.compact()
      await world.mend()
      await until(world, () => witness.told.length > 2, 'the watch is told')
      assert.equal(witness.told.at(-1), `listed ${prefix}changed=2 ${prefix}kept=1 ${prefix}new=3`)
      assert.deepEqual(witness.entries, (await one.list(prefix)).entries)
      await put(other, `${prefix}later`, '4')
      await until(world, () => witness.has(`put ${prefix}later=4`), 'it goes on')
    },
  },
  {
    title: 'a watch that begins while the store is away is lost once, and lists when it is there',
    async check(world) {
      const { one, prefix } = world
      await put(one, `${prefix}a`, '1')
      await world.cut()
      const witness = await watching(world, one)
      assert.deepEqual(witness.told, ['lost'])
      await world.mend()
      one.reconnect()
      await until(world, () => witness.told.length > 1, 'the watch lists')
      assert.deepEqual(witness.told, ['lost', `listed ${prefix}a=1`])
    },
  },
  {
    title: 'a store that lost its data is told as it is now, though its revisions begin anew',
    async check(world) {
      const { one, other, prefix } = world
      for (const at of [1, 2, 3]) await put(other, `${prefix}a${at}`, 'old')
      const { revision: seen } = await one.list('')
      const witness = await watching(world, one)
      await world.cut()
      await until(world, () => witness.has('lost'), 'the watch is told that it is lost')
      await world.loseData()
      await until(world, () => succeeds(other.get('x')), 'the store is back')
      // More changes than there were: revisions overtake what the watch has seen.
      const { revision } = await other.list('')
      for (let at = revision; at <= seen + 3n; at++) await put(other, `${prefix}b`, String(at))
      await world.mend()
      await until(world, () => witness.keys.join() === `${prefix}b`, 'the watch has what the store has')
      await put(other, `${prefix}c`, 'new')
      await until(world, () => witness.has(`put ${prefix}c=new`), 'it goes on')
      assert.deepEqual(witness.entries, (await one.list(prefix)).entries)
    },
  },
]
