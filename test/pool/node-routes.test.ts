import assert from 'node:assert/strict'
import { test } from 'vitest'
import { isSameSubnet, nodeRoutes } from '../../src/pool/node-routes.ts'
import { poolOf } from '../../src/pool/pool.ts'

const pools = [
  poolOf({ cidr: '10.244.0.0/16' }),
  poolOf({ cidr: '10.245.0.0/16', disabled: true }),
  poolOf({ cidr: '10.246.0.0/16', disableBGPExport: true }),
  poolOf({ cidr: '10.247.0.0/24', blockSize: 32 }),
  poolOf({ cidr: 'fd00:244::/64' }),
]

test('own blocks are announced whole, with a blackhole for what nobody has of them', () => {
  const { announced, blackholes } = nodeRoutes({ blocks: ['10.244.1.0/26', 'fd00:244::40/122'], borrowed: [] }, pools)
  assert.deepEqual(announced, [
    { prefix: '10.244.1.0/26', blackhole: true },
    { prefix: 'fd00:244::40/122', blackhole: true },
  ])
  assert.deepEqual(blackholes, [])
})

test('a borrowed address is announced alone, unless its block is our own by now', () => {
  const { announced } = nodeRoutes(
    { blocks: ['10.244.1.0/26'], borrowed: ['10.244.1.9', '10.244.3.7', 'fd00:244::7'] },
    pools,
  )
  assert.deepEqual(announced.slice(1), [
    { prefix: '10.244.3.7/32', blackhole: false },
    { prefix: 'fd00:244::7/128', blackhole: false },
  ])
})

test('a block of one address has no blackhole: it would keep the workload from its route', () => {
  const { announced } = nodeRoutes({ blocks: ['10.247.0.5/32'], borrowed: [] }, pools)
  assert.deepEqual(announced, [{ prefix: '10.247.0.5/32', blackhole: false }])
})

test('nothing is announced of pools that are disabled, not to be exported, or gone; the blackhole stays', () => {
  const blocks = ['10.245.1.0/26', '10.246.1.0/26', '192.0.2.0/26']
  const { announced, blackholes, withheld } = nodeRoutes({ blocks, borrowed: ['10.246.9.9'] }, pools)
  assert.deepEqual(announced, [])
  assert.deepEqual(blackholes, blocks)
  assert.deepEqual(
    withheld.map(({ prefix, reason }) => `${prefix}: ${reason}`),
    [
      '10.245.1.0/26: pool 10.245.0.0/16 is disabled',
      '10.246.1.0/26: pool 10.246.0.0/16 has "disableBGPExport"',
      '192.0.2.0/26: it is of no pool',
      '10.246.9.9/32: pool 10.246.0.0/16 has "disableBGPExport"',
    ],
  )
})

for (const [one, other, same] of [
  ['10.0.0.1/24', '10.0.0.2/24', true],
  ['10.0.0.1/24', '10.0.1.2/24', false],
  ['10.0.0.1/16', '10.0.1.2/24', false],
  ['10.0.0.1/32', '10.0.0.2/32', false],
  ['fd00::1/64', 'fd00::2/64', true],
] as const) {
  test(`${one} and ${other} are in ${same ? 'one subnet' : 'two subnets'}`, () =>
    assert.equal(isSameSubnet(one, other), same))
}
