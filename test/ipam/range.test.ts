import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { formatIp, ipFromBigInt, parseIp } from '../../src/address/ip.ts'
import {
  completeRangeSets,
  formatRangeSet,
  inRange,
  type RangeSet,
  readRangeSets,
  roundRobin,
} from '../../src/ipam/range.ts'
import { jsonOf, told } from '../support/configuration.ts'

const setsOf = (ranges: unknown): RangeSet[] => completeRangeSets(readRangeSets(jsonOf({ ranges }), 'ranges'))

const addressesOf = (set: RangeSet, last?: string): string[] =>
  roundRobin(set, last === undefined ? undefined : parseIp(last)).flatMap(({ range, from, to }) =>
    Array.from({ length: Math.max(0, Number(to - from) + 1) }, (_, i) =>
      formatIp(ipFromBigInt(from + BigInt(i), range.family)),
    ),
  )

// name, ranges, what they come to, the gateway of the first
const accepted = [
  { name: 'a /24', ranges: [[{ subnet: '10.1.2.0/24' }]], sets: ['10.1.2.1-10.1.2.254'], gateway: '10.1.2.1' },
  { name: 'a /30', ranges: [[{ subnet: '10.1.2.4/30' }]], sets: ['10.1.2.5-10.1.2.6'], gateway: '10.1.2.5' },
  {
    name: 'IPv6, whose last address is no broadcast',
    ranges: [[{ subnet: 'fd00::/126' }]],
    sets: ['fd00::1-fd00::3'],
    gateway: 'fd00::1',
  },
  {
    name: 'a start at the network address',
    ranges: [[{ subnet: '10.1.2.0/24', rangeStart: '10.1.2.0', rangeEnd: '10.1.2.255' }]],
    sets: ['10.1.2.0-10.1.2.255'],
    gateway: '10.1.2.1',
  },
  {
    name: 'a gateway outside the subnet',
    ranges: [[{ subnet: '10.1.2.0/24', gateway: '10.9.9.9' }]],
    sets: ['10.1.2.1-10.1.2.254'],
    gateway: '10.9.9.9',
  },
  {
    name: 'IPv4 written as IPv6, and empty texts',
    ranges: [[{ subnet: '10.1.2.0/24', rangeStart: '::ffff:10.1.2.9', rangeEnd: '', gateway: '' }]],
    sets: ['10.1.2.9-10.1.2.254'],
    gateway: '10.1.2.1',
  },
  {
    name: 'several ranges in several sets',
    ranges: [[{ subnet: '10.1.2.0/29' }, { subnet: '10.1.3.0/29' }], [{ subnet: 'fd00::/64', rangeEnd: 'fd00::ff' }]],
    sets: ['10.1.2.1-10.1.2.6,10.1.3.1-10.1.3.6', 'fd00::1-fd00::ff'],
    gateway: '10.1.2.1',
  },
  {
    name: 'two parts of one subnet',
    ranges: [
      [
        { subnet: '10.1.2.0/24', rangeEnd: '10.1.2.9' },
        { subnet: '10.1.2.0/24', rangeStart: '10.1.2.20' },
      ],
    ],
    sets: ['10.1.2.1-10.1.2.9,10.1.2.20-10.1.2.254'],
    gateway: '10.1.2.1',
  },
]

for (const { name, ranges, sets, gateway } of accepted) {
  test(`ranges may be ${name}`, () => {
    const complete = setsOf(ranges)
    assert.deepEqual(complete.map(formatRangeSet), sets)
    assert.equal(formatIp(complete[0]![0]!.gateway), gateway)
  })
}

const set0 = 'invalid range set 0: '
// ranges, message; facts measured with the reference implementation
const refused: [unknown, string][] = [
  [[], 'no IP ranges specified: give "ipam.ranges" or "ipam.subnet"'],
  [[[]], `${set0}empty range set`],
  [[[{}]], `${set0}"subnet" is missing`],
  [[[{ subnet: '10.1.2.0/31' }]], `${set0}Network 10.1.2.0/31 too small to allocate from`],
  [[[{ subnet: 'fd00::/127' }]], `${set0}Network fd00::/127 too small to allocate from`],
  [
    [[{ subnet: '10.1.2.5/24' }]],
    `${set0}Network has host bits set. For a subnet mask of length 24 the network address is 10.1.2.0`,
  ],
  [[[{ subnet: '10.1.2.0/24', rangeStart: '10.1.3.1' }]], `${set0}RangeStart 10.1.3.1 not in network 10.1.2.0/24`],
  [[[{ subnet: '10.1.2.0/24', rangeEnd: '10.1.3.1' }]], `${set0}RangeEnd 10.1.3.1 not in network 10.1.2.0/24`],
  [[[{ subnet: '10.1.2.0/24', rangeEnd: '10.1.2.0' }]], `${set0}RangeEnd 10.1.2.0 not in network 10.1.2.0/24`],
  [
    [[{ subnet: '10.1.2.0/24', rangeStart: '10.1.2.9', rangeEnd: '10.1.2.3' }]],
    `${set0}RangeStart 10.1.2.9 not in network 10.1.2.0/24`,
  ],
  [[[{ subnet: '10.1.2.0/24', rangeStart: 'fd00::1' }]], `${set0}RangeStart fd00::1 not in network 10.1.2.0/24`],
  [[[{ subnet: '10.1.2.0/24' }, { subnet: 'fd00::/64' }]], `${set0}mixed address families`],
  [
    [[{ subnet: '10.1.2.0/24' }, { subnet: '10.1.0.0/16' }]],
    `${set0}subnets 10.1.2.1-10.1.2.254 and 10.1.0.1-10.1.255.254 overlap`,
  ],
  [[[{ subnet: '10.1.2.0/24' }], [{ subnet: '10.1.0.0/16' }]], 'range set 0 overlaps with 1'],
  [
    [[{ subnet: '10.9.0.0/24' }], [{ subnet: '10.1.2.0/32' }]],
    'invalid range set 1: Network 10.1.2.0/32 too small to allocate from',
  ],
  [
    [[{ subnet: '10.1.2.0' }]],
    'Cannot use "ranges[0][0].subnet": "10.1.2.0" is no address with a prefix length, such as 10.1.2.0/24',
  ],
  [[[{ subnet: '10.1.2.0/24', gateway: 'x' }]], 'Cannot use "ranges[0][0].gateway": "x" is no IP address'],
]

for (const [ranges, message] of refused) {
  test(`ranges may not be ${JSON.stringify(ranges)}`, () => {
    assert.throws(() => setsOf(ranges), { name: 'CniError', code: 7, message })
  })
}

test('ranges of the wrong type are a decoding failure', () => {
  for (const ranges of [{}, 'x', [null], [{}], [[5]], [[{ subnet: 10 }]]]) {
    assert.throws(() => told(() => setsOf(ranges)), { name: 'CniError', code: 6 })
  }
})

test('addresses come in turn, from the one after the last to the last', () => {
  const [set] = setsOf([[{ subnet: '10.1.2.0/30' }, { subnet: '10.1.3.0/30' }]])
  const all = ['10.1.2.1', '10.1.2.2', '10.1.3.1', '10.1.3.2']
  assert.deepEqual(addressesOf(set!), all)
  assert.deepEqual(addressesOf(set!, '10.9.9.9'), all)
  assert.deepEqual(addressesOf(set!, 'fd00::1'), all)
  assert.deepEqual(addressesOf(set!, '10.1.2.1'), ['10.1.2.2', '10.1.3.1', '10.1.3.2', '10.1.2.1'])
  assert.deepEqual(addressesOf(set!, '10.1.2.2'), ['10.1.3.1', '10.1.3.2', '10.1.2.1', '10.1.2.2'])
  assert.deepEqual(addressesOf(set!, '10.1.3.2'), all)
})

test('wherever one begins, each address of the set comes once', () => {
  const [set] = setsOf([[{ subnet: '10.1.2.0/28' }, { subnet: '10.1.3.0/29' }, { subnet: '10.0.0.0/30' }]])
  const all = addressesOf(set!).sort()
  fc.assert(
    fc.property(fc.constantFrom(...all), (last) => {
      const order = addressesOf(set!, last)
      assert.equal(order.at(-1), last)
      assert.deepEqual(order.sort(), all)
    }),
  )
})

test('an address of the other family is in no range', () => {
  const [[range]] = setsOf([[{ subnet: '0.0.0.0/0' }]]) as [[RangeSet[number]]]
  assert.equal(inRange(range, parseIp('::1')), false)
  assert.equal(inRange(range, parseIp('0.0.0.1')), true)
})
