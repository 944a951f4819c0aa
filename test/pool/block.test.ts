/** Blocks as they stand in the store. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { allocate, type Block, formatBlock, newBlock, parseBlock, release } from '../../src/pool/block.ts'

const entry = (value: string) => ({ key: '/block', value, revision: 1n, lease: undefined })

test('a block is written as Calico writes its own', () => {
  const block = allocate(newBlock('10.0.0.4/30', 'n1', 7), 1, 'net:c1:eth0', { node: 'n1', pod: 'web-0' })
  assert.deepEqual(JSON.parse(formatBlock(block)), {
    cidr: '10.0.0.4/30',
    affinity: 'host:n1',
    allocations: [null, 0, null, null],
    unallocated: [0, 2, 3],
    attributes: [{ handle_id: 'net:c1:eth0', secondary: { node: 'n1', pod: 'web-0' } }],
    sequenceNumber: 8,
    sequenceNumberForAllocation: { 1: 8 },
    deleted: false,
  })
})

test('whatever is given out and taken back, a block is read as it was written', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(7), fc.nat(2))), (changes) => {
      let block: Block = newBlock('fd00::8/125', 'n1', 3)
      for (const [ordinal, container] of changes) {
        block = block.allocations.has(ordinal)
          ? release(block, [ordinal])
          : allocate(block, ordinal, `net:c${container}:eth0`, { node: 'n1', pod: `p${container}` })
      }
      assert.deepEqual(parseBlock(entry(formatBlock(block))), block)
    }),
  )
})

const right = JSON.parse(formatBlock(newBlock('10.0.0.4/30', 'n1', 7))) as object
for (const [what, change] of [
  ['no JSON', 'nonsense'],
  ['no object', '[]'],
  ['too few addresses', { allocations: [null] }],
  [
    'an address that is free and not',
    { allocations: [0, null, null, null], attributes: [{ handle_id: 'a', secondary: {} }] },
  ],
  ['an address that is neither', { unallocated: [0, 1, 2] }],
  ['one that is free twice', { unallocated: [0, 1, 2, 3, 3] }],
  ['attributes that are missing', { allocations: [5, null, null, null], unallocated: [1, 2, 3] }],
  ['an owner of another kind', { affinity: 'virtual:lb' }],
  ['no sequence number', { sequenceNumber: '7' }],
] as const) {
  test(`one with ${what} is refused: by it an address might be given out twice`, () => {
    const value = typeof change === 'string' ? change : JSON.stringify({ ...right, ...change })
    assert.throws(() => parseBlock(entry(value)), {
      name: 'PoolError',
      kind: 'damaged',
      message: /^Cannot read "\/block"/,
    })
  })
}
