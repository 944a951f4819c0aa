/** The sum by WebAssembly and the plain one against that of src/wire. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { Arena } from '../../../src/overlay/udp/arena.ts'
import { complement, fold, plainSum, swap16, swap32 } from '../../../src/overlay/udp/checksum.ts'
import { summingMemory } from '../../../src/overlay/udp/checksum-module.ts'
import { sum as wireSum } from '../../../src/wire/checksum.ts'

const { memory, sum } = summingMemory(2)
const arena = new Arena(memory, 0)
const plain = plainSum(arena)

for (const [name, each] of Object.entries({ WebAssembly: sum, plain })) {
  test(`the sum by ${name} is that of RFC 1071, wherever the bytes are and however many`, () => {
    const anywhere = fc.tuple(
      fc.nat({ max: 200 }),
      fc.nat({ max: 2000 }),
      fc.uint8Array({ minLength: 2200, maxLength: 2200 }),
    )
    fc.assert(
      fc.property(anywhere, ([at, length, bytes]) => {
        arena.bytes.set(bytes)
        assert.equal(swap16(each(at, length)), wireSum(bytes.subarray(at, at + length)))
      }),
    )
  })

  test(`the sum by ${name} does not overflow over the longest packet`, () => {
    arena.bytes.fill(0xff)
    const expected = swap16(wireSum(arena.bytes.subarray(0, 65_535)))
    for (const at of [0, 1]) assert.equal(each(at, 65_535), expected)
  })
}

test('fold, swap16, swap32 and complement', () => {
  assert.equal(fold(0xffff_ffff), 0xffff)
  assert.equal(fold(0x0001_ffff), 1)
  assert.equal(swap16(0x1234), 0x3412)
  assert.equal(swap32(0x12345678), 0x78563412)
  assert.equal(swap32(0x000000ff), 0xff00_0000 | 0)
  assert.equal(complement(0x1234), 0xedcb)
  assert.equal(complement(0xffff), 0xffff)
})
