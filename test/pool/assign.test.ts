/** Which address a node gets, and what is left when it goes. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { formatClaim } from '../../src/pool/affinity.ts'
import { releaseEmptyBlocks, releaseStale, removeNode, usedOn } from '../../src/pool/collect.ts'
import { blockKey, claimKey } from '../../src/pool/keys.ts'
import { changePool, createPool, deletePool } from '../../src/pool/pools.ts'
import { releaseAddress, releaseBlock, releaseHandle } from '../../src/pool/release.ts'
import { changeSettings } from '../../src/pool/settings.ts'
import { World } from './world.ts'

const POOL = '10.244.0.0/28' // four blocks of four

function begin(settings: Parameters<typeof changeSettings>[0] = {}): World {
  const world = new World()
  world.pool({ cidr: POOL, blockSize: 30 })
  if (Object.keys(settings).length > 0) world.do(changeSettings(settings))
  return world
}

const handle = (n: number) => `net:c${n}:eth0`
const fill = (world: World, node: string, count: number, first = 0) =>
  Array.from({ length: count }, (_, n) => world.address(node, handle(first + n)))

describe('a node', () => {
  test('fills a block before it claims another, and claims each of them once', () => {
    const world = begin()
    const addresses = fill(world, 'n1', 5)
    assert.equal(new Set(addresses).size, 5)
    assert.deepEqual(world.blocks.map(({ allocations }) => allocations.size).sort(), [1, 4])
    assert.equal(world.claims.filter((claim) => claim.endsWith('confirmed')).length, 2)
  })

  test('asked twice with one handle, answers the same', () => {
    const world = begin()
    assert.deepEqual(world.assign('n1', handle(1)), world.assign('n1', handle(1)))
    assert.equal(world.blocks[0]!.allocations.size, 1)
  })

  test('gives the address that was released last out last', () => {
    const world = begin()
    const [first, second] = fill(world, 'n1', 2)
    world.do(releaseHandle(handle(0)))
    const next = fill(world, 'n1', 3, 10)
    assert.equal(next[2], first)
    assert.ok(!next.includes(second!))
  })

  test('two of them have blocks of their own', () => {
    const world = begin()
    world.assign('n1', handle(1))
    world.assign('n2', handle(2))
    assert.deepEqual(world.blocks.map(({ node }) => node).sort(), ['n1', 'n2'])
  })

  test('borrows when no block is left, and claims no more than it may', () => {
    const world = begin({ maxBlocksPerHost: 1 })
    fill(world, 'n1', 4)
    const before = world.assign('n2', handle(10))[0]!
    assert.equal(before.borrowed, false)
    const [lent] = world.assign('n1', handle(4))
    assert.deepEqual([lent!.borrowed, lent!.block], [true, before.block])
    assert.deepEqual(world.borrowed, [`n1 ${lent!.address}`])
    world.do(releaseHandle(handle(4)))
    assert.deepEqual(world.borrowed, [])
  })

  test('does not borrow with strict affinity', () => {
    const world = begin({ maxBlocksPerHost: 1, strictAffinity: true })
    fill(world, 'n1', 4)
    world.assign('n2', handle(10))
    assert.throws(() => world.assign('n1', handle(4)), {
      kind: 'exhausted',
      message: /all 1 blocks .*affinity is strict/,
    })
  })

  test('claims none where it may not by itself, and borrows what others have', () => {
    const world = begin()
    world.assign('n2', handle(1))
    world.do(changeSettings({ autoAllocateBlocks: false }))
    assert.equal(world.assign('n1', handle(2))[0]!.borrowed, true)
    assert.throws(() => world.do(changeSettings({ strictAffinity: true })), { kind: 'invalid' })
  })

  test('has none of a pool that does not select it, that is disabled, or that is not asked for', () => {
    const world = new World()
    world.pool({ cidr: '10.1.0.0/24', nodeSelector: "rack == 'r1'" })
    world.pool({ cidr: '10.2.0.0/24', nodeSelector: "rack == 'r2'" })
    const labels = { rack: 'r2' }
    assert.match(world.address('n1', handle(1), { labels }), /^10\.2\./)
    world.do(changePool('10.2.0.0/24', { disabled: true }))
    assert.throws(() => world.assign('n1', handle(2), { labels }), { kind: 'exhausted', message: /no IPv4 pool/ })
    world.do(changePool('10.2.0.0/24', { disabled: false, nodeSelector: 'all()' }))
    world.do(changePool('10.1.0.0/24', { nodeSelector: 'all()' }))
    assert.match(world.address('n1', handle(3), { pools: ['10.1.0.0/24'] }), /^10\.1\./)
    assert.match(world.address('n1', handle(4), { pools: ['10.2.0.0/24', '10.1.0.0/24'] }), /^10\.2\./)
  })

  test('gets an address of each family, or none at all', () => {
    const world = begin()
    assert.throws(() => world.assign('n1', handle(1), { families: ['ipv4', 'ipv6'] }), { kind: 'exhausted' })
    assert.equal(world.blocks[0]!.allocations.size, 0)
    world.pool({ cidr: 'fd00:244::/64' })
    const [four, six] = world.assign('n1', handle(1), { families: ['ipv4', 'ipv6'] })
    assert.match(four!.address, /^10\.244\./)
    assert.match(six!.address, /^fd00:244::/)
    assert.match(six!.block, /\/122$/)
  })

  test('goes on with a claim that it died in', () => {
    const world = begin()
    const [cidr] = [world.assign('n1', handle(1))[0]!.block]
    world.do(removeNode('n1'))
    world.transact([], [{ put: claimKey('n1', cidr), value: formatClaim('pending') }])
    assert.equal(world.assign('n1', handle(1))[0]!.block, cidr)
  })

  test('takes what another has claimed half-way when there is nothing else, and that one its claim back', () => {
    const world = begin()
    for (const block of ['10.244.0.0/30', '10.244.0.4/30', '10.244.0.8/30', '10.244.0.12/30']) {
      world.transact([], [{ put: claimKey('dead', block), value: formatClaim('pending') }])
    }
    const { block } = world.assign('n1', handle(1))[0]!
    assert.equal(world.block(block).node, 'n1')
    world.do(releaseEmptyBlocks('dead', {}))
    assert.ok(!world.claims.includes(`dead ${block} pending`))
  })
})

describe('a certain address', () => {
  test('is given, with its block where that is nobody’s', () => {
    const world = begin()
    assert.equal(world.address('n1', handle(1), { addresses: ['10.244.0.9'] }), '10.244.0.9')
    assert.equal(world.block('10.244.0.8/30').node, 'n1')
    assert.throws(() => world.assign('n1', handle(2), { addresses: ['10.244.0.9'] }), {
      kind: 'conflict',
      message: /in use/,
    })
  })

  test('of another node’s block is borrowed, unless affinity is strict', () => {
    const world = begin()
    world.assign('n1', handle(1), { addresses: ['10.244.0.9'] })
    assert.equal(world.assign('n2', handle(2), { addresses: ['10.244.0.10'] })[0]!.borrowed, true)
    world.do(changeSettings({ strictAffinity: true }))
    assert.throws(() => world.assign('n2', handle(3), { addresses: ['10.244.0.11'] }), { message: /node "n1"/ })
  })

  test('of no pool is refused, and so is what is no address', () => {
    const world = begin()
    assert.throws(() => world.assign('n1', handle(1), { addresses: ['192.0.2.1'] }), { message: /no pool/ })
    assert.throws(() => world.assign('n1', handle(1), { addresses: ['nonsense'] }), { kind: 'invalid' })
  })
})

describe('a release', () => {
  test('that is late does not hit who has the address now', () => {
    const world = begin()
    const [before] = world.assign('n1', handle(1))
    world.do(releaseHandle(handle(1)))
    world.assign('n2', handle(2), { addresses: [before!.address] })
    const { address, sequence } = before!
    assert.equal(world.do(releaseAddress(address, { sequence })), false)
    assert.equal(world.do(releaseAddress(address, { handle: handle(1) })), false)
    assert.equal(world.do(releaseAddress(address, { handle: handle(2) })), true)
    assert.equal(world.do(releaseAddress(address)), false)
  })

  test('that is late does not hit who has it of a block that was made anew', () => {
    const world = begin()
    const { address, block, sequence } = world.assign('n1', handle(1))[0]!
    world.do(removeNode('n1'))
    assert.equal(world.get(blockKey(block)), undefined)
    world.assign('n2', handle(2), { addresses: [address] })
    assert.equal(world.do(releaseAddress(address, { sequence })), false)
  })

  test('of a handle twice, or of one that has none, is no error', () => {
    const world = begin()
    const address = world.address('n1', handle(1))
    assert.deepEqual(world.do(releaseHandle(handle(1))), [address])
    assert.deepEqual(world.do(releaseHandle(handle(1))), [])
  })
})

describe('empty blocks', () => {
  test('go back but for one of each family', () => {
    const world = begin()
    fill(world, 'n1', 12)
    for (let n = 0; n < 12; n++) world.do(releaseHandle(handle(n)))
    assert.equal(world.do(releaseEmptyBlocks('n1', {})).length, 2)
    assert.equal(world.blocks.length, 1)
    assert.deepEqual(world.do(releaseEmptyBlocks('n1', {})), [])
  })

  test('all go back where another of the node’s is in use, or of a pool that is not for it any more', () => {
    const world = begin()
    fill(world, 'n1', 5)
    world.do(releaseHandle(handle(4)))
    assert.equal(world.do(releaseEmptyBlocks('n1', {})).length, 1)
    for (let n = 0; n < 4; n++) world.do(releaseHandle(handle(n)))
    world.do(changePool(POOL, { nodeSelector: "rack == 'r9'" }))
    assert.equal(world.do(releaseEmptyBlocks('n1', {})).length, 1)
    assert.deepEqual(world.claims, [])
  })

  test('stay while one address of them is in use', () => {
    const world = begin()
    const { block } = world.assign('n1', handle(1))[0]!
    assert.equal(world.do(releaseBlock('n1', block)), false)
    assert.deepEqual(world.claims, [`n1 ${block} confirmed`])
  })
})

test('what runs on a node is known, and what is stale of it goes', () => {
  const world = begin({ maxBlocksPerHost: 1 })
  fill(world, 'n1', 4)
  world.assign('n2', handle(10))
  const [borrowed] = world.assign('n1', handle(5))
  assert.equal(world.do(usedOn('n1')).length, 5)
  const gone = world.do(releaseStale('n1', (allocation) => allocation.handle !== handle(0)))
  assert.equal(gone.length, 4)
  assert.ok(gone.includes(borrowed!.address))
  assert.equal(world.do(usedOn('n1')).length, 1)
  assert.equal(world.do(usedOn('n2')).length, 1)
})

test('of a node that is removed, what others have borrowed stays until they release it', () => {
  const world = begin({ maxBlocksPerHost: 1 })
  fill(world, 'n1', 4)
  const { block } = world.assign('n2', handle(10))[0]!
  const [lent] = world.assign('n1', handle(5))
  world.do(removeNode('n2'))
  assert.equal(world.block(block).node, undefined)
  assert.deepEqual(world.borrowed, [`n1 ${lent!.address}`])
  world.assertSound()
  // A third node takes the block over, and its address stays n1's.
  world.assign('n3', handle(20), {
    addresses: [`${lent!.address.replace(/\d+$/, '')}${Number(lent!.address.split('.')[3]) ^ 1}`],
  })
  assert.equal(world.block(block).node, 'n3')
  world.do(removeNode('n3'))
  world.do(releaseHandle(handle(5)))
  assert.equal(world.get(blockKey(block)), undefined)
})

describe('a pool', () => {
  test('that overlaps another is refused, whichever holds the other', () => {
    const world = begin()
    for (const cidr of ['10.244.0.0/16', '10.244.0.4/30', POOL]) {
      assert.throws(() => world.do(createPool({ cidr, blockSize: 30 })), {
        kind: 'conflict',
        message: /overlaps pool 10\.244\.0\.0\/28/,
      })
    }
    world.pool({ cidr: '10.244.0.16/28', blockSize: 30 })
  })

  for (const [given, message] of [
    [{ cidr: '10.1.2.3/16' }, /host bits/],
    [{ cidr: 'nonsense' }, /no prefix/],
    [{ cidr: '10.1.0.0/16', blockSize: 19 }, /give \/20 to \/32/],
    [{ cidr: 'fd00::/64', blockSize: 26 }, /give \/116 to \/128/],
    [{ cidr: '10.1.0.0/28' }, /smaller than one of its blocks/],
    [{ cidr: '10.1.0.0/16', nodeSelector: '&&' }, /selector/],
    [{ cidr: '10.1.0.0/16', vxlanMode: 'Sometimes' as 'Never' }, /VXLAN mode/],
  ] as const) {
    test(`${JSON.stringify(given)} is refused`, () =>
      assert.throws(() => new World().do(createPool(given)), { kind: 'invalid', message }))
  }

  test('keeps its prefix and block size, and goes when nothing of it is in use', () => {
    const world = begin()
    assert.throws(() => world.do(changePool(POOL, { blockSize: 31 })), { kind: 'invalid' })
    assert.throws(() => world.do(changePool('10.9.0.0/16', {})), { kind: 'invalid', message: /there is none/ })
    world.assign('n1', handle(1))
    assert.throws(() => world.do(deletePool(POOL)), { kind: 'conflict', message: /1 of its 16 addresses/ })
    assert.throws(() => world.assign('n1', handle(2)), { kind: 'exhausted' })
    world.do(releaseHandle(handle(1)))
    world.do(deletePool(POOL))
    assert.deepEqual(
      world.keys.filter((key) => key.includes('/ipam/')),
      [],
    )
  })

  test('of blocks of one address gives them all out', () => {
    const world = new World()
    world.pool({ cidr: '10.7.0.0/30', blockSize: 32 })
    assert.equal(new Set(fill(world, 'n1', 4)).size, 4)
    assert.equal(world.blocks.length, 4)
  })
})
