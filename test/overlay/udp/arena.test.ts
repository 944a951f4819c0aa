import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { Arena } from '../../../src/overlay/udp/arena.ts'

const SIZE = 1 << 16
// In one piece of 4 GiB, across a boundary, and at the last bytes before one.
const addresses = [0, 4096, 0x7f12_3456_7000, 0x7fff_ffff_8000, 0x1_ffff_fff0, 0x8000_0000]

test('an offset becomes an address and an offset again, also across 4 GiB', () => {
  fc.assert(
    fc.property(fc.constantFrom(...addresses), fc.nat({ max: SIZE - 1 }), (address, offset) => {
      const arena = new Arena(new ArrayBuffer(SIZE), address)
      arena.point(64, offset)
      assert.equal(arena.view.getBigUint64(64, true), BigInt(address) + BigInt(offset))
      assert.equal(arena.pointed(64), offset)
      arena.iovec(128, offset, 77)
      assert.equal(arena.view.getBigUint64(128, true), BigInt(address) + BigInt(offset))
      assert.equal(arena.view.getBigUint64(136, true), 77n)
    }),
  )
})

test('what is allocated lies apart, aligned, and within', () => {
  const arena = new Arena(new ArrayBuffer(256), 0)
  assert.equal(arena.allocate(1), 0)
  assert.equal(arena.allocate(65), 64)
  assert.equal(arena.allocate(4, 4), 132)
  assert.throws(() => arena.allocate(65), { name: 'RangeError', message: /Cannot take 65 bytes/ })
  assert.equal(arena.allocate(64), 192)
})
