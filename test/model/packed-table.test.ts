import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { PackedTable } from '../../src/model/packed-table.ts'

/** All values of a key, by asking place for place. */
function valuesOf(table: PackedTable, key: number): number[] {
  const found: number[] = []
  for (let place = table.first(key); place >= 0; place = table.next(key, place)) found.push(table.get(place, 1))
  return found.sort((a, b) => a - b)
}

const operation = fc.record({
  key: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })),
  removes: fc.boolean(),
})

test('a PackedTable has what a list of its records has, few or many, with keys that are the same', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
      const table = new PackedTable(3)
      const records: [key: number, value: number][] = []
      for (const [value, { key, removes }] of operations.entries()) {
        if (removes && table.first(key) >= 0) {
          const place = table.first(key)
          const gone = table.get(place, 1)
          table.remove(place)
          records.splice(
            records.findIndex((each) => each[1] === gone),
            1,
          )
        } else {
          table.add([key, value, 1])
          records.push([key, value])
        }
        assert.equal(table.size, records.length)
      }
      for (const key of new Set(operations.map((each) => each.key))) {
        const expected = records.filter((each) => each[0] === key).map((each) => each[1])
        assert.deepEqual(valuesOf(table, key), expected)
      }
      const all = table.places().map((place) => table.get(place, 1))
      assert.deepEqual(
        all.sort((a, b) => a - b),
        records.map((each) => each[1]),
      )
    }),
  )
})

test('a PackedTable from which as much goes as comes does not fill up', () => {
  const table = new PackedTable(2)
  for (let i = 0; i < 20; i++) table.add([i, 1])
  for (let i = 20; i < 10_000; i++) {
    table.add([i, 1])
    table.remove(table.first(i - 20))
  }
  assert.equal(table.size, 20)
  assert.equal(table.first(3), -1)
})
