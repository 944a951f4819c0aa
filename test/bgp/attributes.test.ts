/** Path attributes: their values, their text, and what four-octet AS numbers make of two. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import {
  type AsPath,
  asPathLength,
  countAs,
  formatAsPath,
  neighbourAs,
  originAs,
  prepend,
} from '../../src/bgp/attribute/as-path.ts'
import { mergedPath } from '../../src/bgp/attribute/as4-path.ts'
import { formatAttributes, type PathAttributes } from '../../src/bgp/attribute/attributes.ts'
import { formatCommunity, parseCommunity } from '../../src/bgp/attribute/communities.ts'
import { encodeAttributes } from '../../src/bgp/attribute/encode.ts'
import { formatExtendedCommunity, isNonTransitive } from '../../src/bgp/attribute/extended-communities.ts'
import { AttributeInterner } from '../../src/bgp/attribute/interner.ts'
import { formatLargeCommunity, parseLargeCommunity } from '../../src/bgp/attribute/large-communities.ts'
import { unusableNextHop } from '../../src/bgp/attribute/next-hop.ts'
import { formatBgpId, parseBgpId } from '../../src/bgp/bgp-id.ts'
import { decodeUpdate } from '../../src/bgp/message/update.ts'
import { bytes, attribute as octetsOf, update } from './octets.ts'

const sequence = (...numbers: number[]) => ({ type: 'sequence', numbers }) as const
const set = (...numbers: number[]) => ({ type: 'set', numbers }) as const

/** The attributes of a route that came in this UPDATE from a two-octet peer. */
function fromTwoOctets(...attributes: string[]): PathAttributes {
  const interner = new AttributeInterner({ internal: false, as4: false, asSets: 'accept' })
  const message = update([octetsOf('40', 1, '00'), octetsOf('40', 3, '0a000065'), ...attributes], '181e0000')
  const { announced } = decodeUpdate(message, { attributes: interner, addPath: { ipv4: false, ipv6: false } })
  assert.equal(announced.length, 1)
  return announced[0]!.attributes
}

const twoOctets = (path: AsPath) =>
  octetsOf('40', 2, path.map(({ type, numbers }) => segment(type, numbers, 4)).join(''))
const fourOctets = (path: AsPath) =>
  octetsOf('c0', 17, path.map(({ type, numbers }) => segment(type, numbers, 8)).join(''))
const segment = (type: string, numbers: readonly number[], digits: number) =>
  `${type === 'set' ? '01' : '02'}${numbers.length.toString(16).padStart(2, '0')}${numbers.map((as) => as.toString(16).padStart(digits, '0')).join('')}`

describe('AS4_PATH and AS_PATH (RFC 6793 §4.2.3)', () => {
  const cases: [title: string, path: AsPath, path4: AsPath | undefined, merged: string][] = [
    [
      'X11: the numbers that did not fit',
      [sequence(65104, 23456)],
      [sequence(65104, 4_200_000_009)],
      '65104 4200000009',
    ],
    [
      'a number in the middle',
      [sequence(65001, 65100, 23456, 65006)],
      [sequence(65001, 65100, 4_200_000_005, 65006)],
      '65001 65100 4200000005 65006',
    ],
    [
      'what two-octet speakers have put in front',
      [sequence(7, 8, 23456, 9)],
      [sequence(4_200_000_005, 9)],
      '7 8 4200000005 9',
    ],
    ['an AS4_PATH that is longer is not believed', [sequence(23456)], [sequence(1, 4_200_000_005)], '23456'],
    [
      'a set counts one',
      [sequence(7), set(1, 2, 3), sequence(23456)],
      [sequence(4_200_000_005)],
      '7 {1,2,3} 4200000005',
    ],
    ['a set in AS4_PATH counts one', [sequence(7, 8), set(1, 23456)], [set(1, 4_200_000_005)], '7 8 {1,4200000005}'],
    ['no AS4_PATH', [sequence(7, 23456)], undefined, '7 23456'],
  ]
  for (const [title, path, path4, merged] of cases) {
    test(title, () => {
      const { asPath } = fromTwoOctets(twoOctets(path), ...(path4 ? [fourOctets(path4)] : []))
      assert.equal(formatAsPath(asPath), merged)
    })
  }

  test('segments of confederations in AS4_PATH are left out', () => {
    const path4 = octetsOf('c0', 17, `03010000fde9${segment('sequence', [4_200_000_005], 8)}`)
    assert.equal(formatAsPath(fromTwoOctets(twoOctets([sequence(7, 23456)]), path4).asPath), '7 4200000005')
  })

  test('an AS4_PATH of nothing else changes nothing', () => {
    assert.equal(formatAsPath(fromTwoOctets(twoOctets([sequence(7)]), octetsOf('c0', 17, '03010000fde9')).asPath), '7')
  })

  test('an AGGREGATOR that is not AS_TRANS is younger than AS4_AGGREGATOR and AS4_PATH', () => {
    const path = [twoOctets([sequence(7, 23456)]), fourOctets([sequence(7, 4_200_000_005)])]
    const as4 = octetsOf('c0', 18, 'fa56ea050a000009')
    const older = fromTwoOctets(...path, octetsOf('c0', 7, 'fde90a000001'), as4)
    assert.deepEqual(older.aggregator, { as: 65001, address: '10.0.0.1' })
    assert.equal(formatAsPath(older.asPath), '7 23456')
    const same = fromTwoOctets(...path, octetsOf('c0', 7, '5ba00a000001'), as4)
    assert.deepEqual(same.aggregator, { as: 4_200_000_005, address: '10.0.0.9' })
    assert.equal(formatAsPath(same.asPath), '7 4200000005')
  })

  test('AS4_AGGREGATOR alone means nothing', () => {
    assert.equal(fromTwoOctets(twoOctets([sequence(7)]), octetsOf('c0', 18, 'fa56ea050a000009')).aggregator, undefined)
  })

  test('mergedPath() leaves a path that is as long alone', () => {
    assert.deepEqual(mergedPath([sequence(1, 2)], [sequence(3, 4)]), [sequence(3, 4)])
  })
})

const route: PathAttributes = {
  origin: 'IGP',
  asPath: [sequence(65001)],
  nextHop: '10.0.0.1',
  linkLocal: undefined,
  med: undefined,
  localPref: undefined,
  atomicAggregate: undefined,
  aggregator: undefined,
  communities: [],
  originatorId: undefined,
  clusterList: [],
  extendedCommunities: [],
  largeCommunities: [],
  unknown: [],
  partial: [],
}

/** `code:value` of each attribute in the block, and its flags. */
function written(attributes: PathAttributes, as4: boolean): string[] {
  const block = Buffer.from(encodeAttributes(attributes, { as4 }, true))
  const list: string[] = []
  for (let at = 0; at < block.length; ) {
    const extended = (block[at]! & 0x10) !== 0
    const from = at + (extended ? 4 : 3)
    const to = from + (extended ? block.readUInt16BE(at + 2) : block[at + 2]!)
    list.push(
      `${block.subarray(at, at + 1).toString('hex')} ${block[at + 1]} ${block.subarray(from, to).toString('hex')}`,
    )
    at = to
  }
  return list
}

describe('to a two-octet peer', () => {
  test('X10: AS_TRANS in AS_PATH, and AS4_PATH with the true path', () => {
    const asPath = [sequence(65001, 65100, 4_200_000_005, 65006)]
    assert.deepEqual(written({ ...route, asPath }, false).slice(1), [
      '40 2 0204fde9fe4c5ba0fdee',
      '40 3 0a000001',
      'c0 17 02040000fde90000fe4cfa56ea050000fdee',
    ])
  })
  test('no AS4_PATH when every number fits', () => {
    assert.deepEqual(written(route, false), ['40 1 00', '40 2 0201fde9', '40 3 0a000001'])
  })
  test('AS4_AGGREGATOR beside an AGGREGATOR that does not fit', () => {
    const aggregated = { ...route, aggregator: { as: 4_200_000_005, address: '10.0.0.9' } }
    assert.deepEqual(written(aggregated, false).slice(3), ['c0 7 5ba00a000009', 'c0 18 fa56ea050a000009'])
    assert.deepEqual(written({ ...route, aggregator: { as: 7, address: '10.0.0.9' } }, false).slice(3), [
      'c0 7 00070a000009',
    ])
  })
})

test('to a four-octet peer neither AS4_PATH nor AS4_AGGREGATOR is sent', () => {
  const asPath = [sequence(4_200_000_005)]
  const aggregator = { as: 4_200_000_005, address: '10.0.0.9' }
  assert.deepEqual(written({ ...route, asPath, aggregator }, true).slice(1), [
    '40 2 0201fa56ea05',
    '40 3 0a000001',
    'c0 7 fa56ea050a000009',
  ])
})

test('attributes go out in the order of their codes, unknown ones Partial and in their place', () => {
  const full: PathAttributes = {
    ...route,
    med: 77,
    localPref: 100,
    atomicAggregate: true,
    communities: [0xfe4c0001],
    originatorId: parseBgpId('10.0.0.2'),
    clusterList: [parseBgpId('9.9.9.9')],
    extendedCommunities: [0x0002fde900000064n],
    largeCommunities: [[65100, 2, 3]],
    unknown: [
      { code: 30, value: Uint8Array.of(1) },
      { code: 213, value: bytes('68656c6c6f') },
    ],
  }
  assert.deepEqual(written(full, true), [
    '40 1 00',
    '40 2 02010000fde9',
    '40 3 0a000001',
    '80 4 0000004d',
    '40 5 00000064',
    '40 6 ',
    'c0 8 fe4c0001',
    '80 9 0a000002',
    '80 10 09090909',
    'c0 16 0002fde900000064',
    'e0 30 01',
    'c0 32 0000fe4c0000000200000003',
    'e0 213 68656c6c6f',
  ])
  assert.deepEqual(formatAttributes(full), [
    'ORIGIN IGP',
    'AS_PATH 65001',
    'NEXT_HOP 10.0.0.1',
    'MULTI_EXIT_DISC 77',
    'LOCAL_PREF 100',
    'ATOMIC_AGGREGATE',
    'COMMUNITIES 65100:1',
    'ORIGINATOR_ID 10.0.0.2',
    'CLUSTER_LIST 9.9.9.9',
    'EXTENDED_COMMUNITIES rt:65001:100',
    'LARGE_COMMUNITY 65100:2:3',
    'attribute 30 01',
    'attribute 213 68656c6c6f',
  ])
})

test('an attribute of more than 255 octets has a length of two', () => {
  const communities = Array.from({ length: 64 }, (_, i) => 0xfe4c0000 + i)
  const [, , , written64] = written({ ...route, communities }, true)
  assert.match(written64!, /^d0 8 (?:fe4c00..){64}$/)
  assert.match(written({ ...route, communities: communities.slice(1) }, true)[3]!, /^c0 8 /)
})

test('an attribute of 255 octets has a length of one, and of 256 of two', () => {
  const of = (length: number) => ({ ...route, unknown: [{ code: 213, value: new Uint8Array(length) }] })
  assert.equal(written(of(255), true)[3], `e0 213 ${'00'.repeat(255)}`)
  assert.equal(written(of(256), true)[3], `f0 213 ${'00'.repeat(256)}`)
})

test('an attribute of more than 65,535 octets cannot be encoded', () => {
  const communities = new Array<number>(16_384).fill(1)
  assert.throws(() => encodeAttributes({ ...route, communities }, { as4: true }, true), RangeError)
})

test('65535 is the last AS number that fits two octets', () => {
  const of = (as: number) => ({ ...route, asPath: [sequence(as)], aggregator: { as, address: '10.0.0.9' } })
  assert.deepEqual(written(of(65535), false).slice(1), ['40 2 0201ffff', '40 3 0a000001', 'c0 7 ffff0a000009'])
  assert.deepEqual(written(of(65536), false).slice(1), [
    '40 2 02015ba0',
    '40 3 0a000001',
    'c0 7 5ba00a000009',
    'c0 17 020100010000',
    'c0 18 000100000a000009',
  ])
})

test('a path of more than 255 numbers goes out in several segments', () => {
  const asPath = [sequence(...Array.from({ length: 600 }, (_, i) => i + 1))]
  const [, path] = written({ ...route, asPath }, true)
  assert.deepEqual(
    [...path!.matchAll(/02(ff|5a)(?:0000....)+?(?=02(?:ff|5a)0000|$)/g)].map(([, count]) => count),
    ['ff', 'ff', '5a'],
  )
})

test('Partial stays set on an attribute that we know (RFC 4271 §5)', () => {
  const received = fromTwoOctets(
    twoOctets([sequence(7)]),
    octetsOf('e0', 8, 'fe4c0001'),
    octetsOf('c0', 32, '00'.repeat(12)),
  )
  assert.deepEqual(written(received, true).slice(3), ['e0 8 fe4c0001', 'c0 32 000000000000000000000000'])
})

test('Partial of AS4_PATH and AS4_AGGREGATOR does not outlive them', () => {
  const as4 = [fourOctets([sequence(4_200_000_005)]), octetsOf('c0', 18, 'fa56ea050a000009')]
  const partial = as4.map((each) => each.replace(/^c0/, 'e0'))
  const received = fromTwoOctets(twoOctets([sequence(23456)]), octetsOf('c0', 7, '5ba00a000009'), ...partial)
  assert.deepEqual(received.partial, [])
  assert.deepEqual(written(received, false).slice(3), [
    'c0 7 5ba00a000009',
    'c0 17 0201fa56ea05',
    'c0 18 fa56ea050a000009',
  ])
})

describe('AS paths', () => {
  test('a set counts one', () => assert.equal(asPathLength([sequence(1, 2), set(3, 4, 5)]), 3))
  test('the neighbour is the first of a sequence', () => {
    assert.equal(neighbourAs([sequence(1, 2)]), 1)
    assert.equal(neighbourAs([set(1, 2)]), undefined)
    assert.equal(neighbourAs([]), undefined)
  })
  test('the origin is the last of a sequence', () => {
    assert.equal(originAs([sequence(1, 2), sequence(3)]), 3)
    assert.equal(originAs([sequence(1), set(2)]), undefined)
    assert.equal(originAs([]), undefined)
  })
  test('an AS is counted wherever it stands', () => assert.equal(countAs([sequence(1, 2, 1), set(1, 3)], 1), 3))
  test('an AS goes into the sequence in front', () => {
    assert.deepEqual(prepend([sequence(2)], 1, 2), [sequence(1, 1, 2)])
    assert.deepEqual(prepend([], 1), [sequence(1)])
    assert.deepEqual(prepend([set(2)], 1), [sequence(1), set(2)])
  })
  test('a full sequence gets another before it', () => {
    const full = sequence(...new Array<number>(255).fill(7))
    assert.deepEqual(prepend([full], 1), [sequence(1), full])
  })
  test('are written as everybody writes them', () => {
    assert.equal(formatAsPath([sequence(65001, 4_200_000_001), set(3, 4)]), '65001 4200000001 {3,4}')
    assert.equal(formatAsPath([]), '')
  })
})

describe('communities', () => {
  for (const [text, value] of [
    ['65100:1', 0xfe4c0001],
    ['0:0', 0],
    ['no-export', 0xffffff01],
    ['no-advertise', 0xffffff02],
    ['no-export-subconfed', 0xffffff03],
    ['nopeer', 0xffffff04],
    ['blackhole', 0xffff029a],
    ['graceful-shutdown', 0xffff0000],
    ['llgr-stale', 0xffff0006],
    ['no-llgr', 0xffff0007],
    ['65535:1000', 0xffff03e8],
  ] as const) {
    test(`${text}`, () => {
      assert.equal(formatCommunity(value), text)
      assert.equal(parseCommunity(text), value)
    })
  }
  test('well-known ones are read as numbers too', () => assert.equal(parseCommunity('65535:65281'), 0xffffff01))
  for (const text of ['', '1', '1:', ':1', '65536:1', '1:65536', '1:2:3', 'a:b', '-1:1', ' 1:1', 'toString']) {
    test(`"${text}" is none`, () => assert.throws(() => parseCommunity(text), RangeError))
  }
  test('large ones', () => {
    assert.deepEqual(parseLargeCommunity('4294967295:0:7'), [4294967295, 0, 7])
    assert.equal(formatLargeCommunity([1, 2, 3]), '1:2:3')
    for (const text of ['1:2', '4294967296:0:0', '1:2:3:4', '1::3']) {
      assert.throws(() => parseLargeCommunity(text), RangeError)
    }
  })
  test('extended ones', () => {
    assert.equal(formatExtendedCommunity(0x0002fde900000064n), 'rt:65001:100')
    assert.equal(formatExtendedCommunity(0x01030a0000010007n), 'soo:10.0.0.1:7')
    assert.equal(formatExtendedCommunity(0x0202fa56ea010007n), 'rt:4200000001:7')
    assert.equal(formatExtendedCommunity(0x4304000000000000n), '0x4304000000000000')
    assert.deepEqual([0x4304000000000000n, 0x0002fde900000064n].map(isNonTransitive), [true, false])
  })
})

describe('next hops that lead nowhere', () => {
  for (const [address, reason] of [
    ['0.0.0.0', 'unspecified'],
    ['0.1.2.3', 'this network'],
    ['127.0.0.1', 'loopback'],
    ['224.0.0.5', 'multicast'],
    ['255.255.255.255', 'reserved'],
    ['::', 'unspecified'],
    ['::1', 'loopback'],
    ['ff02::1', 'multicast'],
    ['::ffff:10.0.0.2', 'IPv4-mapped'],
    ['10.0.0.1', undefined],
    ['fd00::1', undefined],
    ['fe80::1', undefined],
  ] as const) {
    test(`${address}: ${reason ?? 'none'}`, () => assert.equal(unusableNextHop(address), reason))
  }
})

test('identifiers are numbers that look like addresses', () => {
  assert.equal(parseBgpId('10.0.0.1'), 0x0a000001)
  assert.equal(formatBgpId(0xfffefdfc), '255.254.253.252')
  for (const text of ['', '10.0.0', '10.0.0.256', '::1']) assert.throws(() => parseBgpId(text), RangeError)
})
