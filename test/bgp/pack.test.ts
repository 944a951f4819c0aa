/** Prefixes as keys and in messages: as many as fit. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import type { PathAttributes } from '../../src/bgp/attribute/attributes.ts'
import { AttributeInterner } from '../../src/bgp/attribute/interner.ts'
import type { Family } from '../../src/bgp/family.ts'
import { MAX_EXTENDED_MESSAGE, MAX_MESSAGE } from '../../src/bgp/message/header.ts'
import { encodeAnnouncement, encodeEndOfRib, encodeWithdrawal } from '../../src/bgp/message/pack.ts'
import { decodeUpdate, type Update } from '../../src/bgp/message/update.ts'
import { familyOfKey, formatPrefixKey, type PrefixKey, parsePrefixKey } from '../../src/bgp/nlri.ts'
import { hexOf, messageHex } from './octets.ts'

const attributes: PathAttributes = {
  origin: 'IGP',
  asPath: [{ type: 'sequence', numbers: [65001] }],
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
const over6: PathAttributes = { ...attributes, nextHop: 'fd00:10::1', linkLocal: 'fe80::1' }
const sending = { as4: true, longest: MAX_MESSAGE }

const ipv4Keys = (count: number) =>
  Array.from({ length: count }, (_, i) => parsePrefixKey(`20.${i >> 8}.${i & 255}.0/24`))
const ipv6Keys = (count: number) =>
  Array.from({ length: count }, (_, i) => parsePrefixKey(`fd01:${i.toString(16)}::/64`))

function decodeAll(messages: readonly Uint8Array[], addPath = false): Update[] {
  const interner = new AttributeInterner({ internal: false, as4: true, asSets: 'accept' })
  return messages.map((message) =>
    decodeUpdate(message, { attributes: interner, addPath: { ipv4: addPath, ipv6: addPath } }),
  )
}

describe('keys of prefixes', () => {
  for (const text of ['0.0.0.0/0', '10.0.0.0/8', '10.244.1.64/26', '255.255.255.255/32', '128.0.0.0/1']) {
    test(text, () => {
      assert.equal(formatPrefixKey(parsePrefixKey(text)), text)
      assert.equal(familyOfKey(parsePrefixKey(text)), 'ipv4')
    })
  }
  for (const text of ['::/0', 'fd44:1::/122', '2001:db8::1/128', '8000::/1']) {
    test(text, () => {
      assert.equal(formatPrefixKey(parsePrefixKey(text)), text)
      assert.equal(familyOfKey(parsePrefixKey(text)), 'ipv6')
    })
  }
  test('are those of the network, whatever the host bits', () => {
    assert.equal(parsePrefixKey('10.1.2.3/8'), parsePrefixKey('10.0.0.0/8'))
    assert.equal(parsePrefixKey('fd01::ffff/121'), parsePrefixKey('fd01::ff80/121'))
  })
  test('are 64 times the address and the length', () =>
    assert.equal(parsePrefixKey('10.1.0.0/16'), 0x0a010000 * 64 + 16))
  test('are one character per octet', () => assert.equal(parsePrefixKey('fd01::/20'), '\x14\xfd\x01\x00'))
})

test('a message is filled before the next is begun', () => {
  const prefixes = ipv4Keys(2500)
  const messages = encodeAnnouncement({ family: 'ipv4', prefixes, pathIds: undefined, attributes }, sending)!
  assert.deepEqual(
    messages.map(({ length }) => length),
    [4095, 4095, 23 + 20 + 4 * (2500 - 2 * 1013)],
  )
  const decoded = decodeAll(messages).flatMap(({ announced }) => announced)
  assert.deepEqual(
    decoded.flatMap((each) => each.prefixes),
    prefixes,
  )
  assert.ok(
    decoded.every((each) => each.attributes === decoded[0]!.attributes),
    'one object for all',
  )
})

test('an extended message has room for 16,373 of them', () => {
  const prefixes = ipv4Keys(20_000)
  const extended = { as4: true, longest: MAX_EXTENDED_MESSAGE }
  const messages = encodeAnnouncement({ family: 'ipv4', prefixes, pathIds: undefined, attributes }, extended)!
  assert.deepEqual(
    decodeAll(messages).map(({ announced }) => announced[0]!.prefixes.length),
    [16373, 20_000 - 16373],
  )
})

const families: readonly [Family, (count: number) => PrefixKey[], PathAttributes][] = [
  ['ipv4', ipv4Keys, attributes],
  ['ipv4', ipv4Keys, over6],
  ['ipv6', ipv6Keys, over6],
]
for (const [family, keys, shared] of families) {
  for (const addPath of [false, true]) {
    const title = `${family} with next hop ${shared.nextHop}${addPath ? ' and path identifiers' : ''}`
    test(`${title}: any number of prefixes, announced and withdrawn`, () => {
      for (const count of [1, 2, 40, 57, 58, 64, 65, 451, 452, 453, 1100]) {
        const prefixes = keys(count)
        const pathIds = addPath ? prefixes.map((_, i) => i * 1_000_003) : undefined
        const routes = { family, prefixes, pathIds }
        const announced = encodeAnnouncement({ ...routes, attributes: shared }, sending)!
        const withdrawn = [encodeWithdrawal(routes, sending), encodeWithdrawal(routes, sending, true)]
        for (const messages of [announced, ...withdrawn]) {
          assert.ok(messages.every(({ length }) => length <= MAX_MESSAGE))
          const all = decodeAll(messages, addPath).flatMap((each) => [...each.announced, ...each.withdrawn])
          assert.deepEqual(
            all.flatMap((each) => each.prefixes),
            prefixes,
          )
          assert.deepEqual(
            all.every((each) => each.family === family),
            true,
          )
          assert.deepEqual(
            all.flatMap((each) => each.pathIds ?? []),
            pathIds ?? [],
          )
          // None but the last has room for one more.
          assert.ok(messages.slice(0, -1).every(({ length }) => length > MAX_MESSAGE - 21))
        }
      }
    })
  }
}

test('MP_REACH_NLRI is the first attribute (RFC 7606 §5.1), and NEXT_HOP is not there', () => {
  const [message] = encodeAnnouncement(
    { family: 'ipv6', prefixes: ipv6Keys(1), pathIds: undefined, attributes: over6 },
    sending,
  )!
  const reach = '800e2e00020120fd000010000000000000000000000001fe8000000000000000000000000000010040fd01000000000000'
  assert.equal(hexOf(message!), messageHex(2, `0000003e${reach}4001010040020602010000fde9`))
})

test('routes whose attributes leave no room for a prefix cannot be sent', () => {
  const big = { ...attributes, communities: Array.from({ length: 1100 }, (_, i) => i) }
  const routes = { family: 'ipv4', prefixes: ipv4Keys(1), pathIds: undefined } as const
  assert.equal(encodeAnnouncement({ ...routes, attributes: big }, sending), undefined)
  assert.equal(
    encodeAnnouncement({ ...routes, attributes: { ...big, ...over6, communities: big.communities } }, sending),
    undefined,
  )
  assert.equal(
    encodeAnnouncement({ ...routes, attributes: big }, { ...sending, longest: MAX_EXTENDED_MESSAGE })?.length,
    1,
  )
})

test('the last prefix that fits is sent, and one octet less is too little', () => {
  // 23 octets around, 20 of ORIGIN, AS_PATH and NEXT_HOP, 4 + 4 × n of COMMUNITIES, 4 of the prefix.
  const n = (MAX_MESSAGE - 23 - 20 - 4 - 4) / 4
  const of = (count: number) => ({ ...attributes, communities: Array.from({ length: count }, (_, i) => i) })
  const routes = { family: 'ipv4', prefixes: ipv4Keys(1), pathIds: undefined } as const
  const fits = encodeAnnouncement({ ...routes, attributes: of(Math.floor(n)) }, sending)
  assert.ok(fits && fits[0]!.length > MAX_MESSAGE - 4)
  assert.equal(encodeAnnouncement({ ...routes, attributes: of(Math.floor(n) + 1) }, sending), undefined)
})

test('IPv6 routes never have an IPv4 next hop', () => {
  const routes = { family: 'ipv6', prefixes: ipv6Keys(1), pathIds: undefined } as const
  assert.throws(() => encodeAnnouncement({ ...routes, attributes }, sending), RangeError)
})

test('nothing to announce is no message', () => {
  assert.deepEqual(encodeAnnouncement({ family: 'ipv4', prefixes: [], pathIds: undefined, attributes }, sending), [])
  assert.deepEqual(encodeWithdrawal({ family: 'ipv4', prefixes: [], pathIds: undefined }, sending), [])
})

test('End-of-RIB of both families', () => {
  assert.equal(hexOf(encodeEndOfRib('ipv4')), messageHex(2, '00000000'))
  assert.equal(hexOf(encodeEndOfRib('ipv6')), messageHex(2, '00000006800f03000201'))
  assert.deepEqual(
    decodeAll([encodeEndOfRib('ipv4'), encodeEndOfRib('ipv6')]).map(({ endOfRib }) => endOfRib),
    ['ipv4', 'ipv6'],
  )
})

describe('the interner', () => {
  const of = (med: number, prefix = '20.0.0.0/24') => {
    const [message] = encodeAnnouncement(
      { family: 'ipv4', prefixes: [parsePrefixKey(prefix)], pathIds: undefined, attributes: { ...attributes, med } },
      sending,
    )!
    return message!
  }
  const session = { internal: false, as4: true, asSets: 'accept' } as const
  const read = (interner: AttributeInterner, message: Uint8Array) =>
    decodeUpdate(message, { attributes: interner, addPath: { ipv4: false, ipv6: false } }).announced[0]!.attributes

  test('gives one frozen object for the same octets', () => {
    const interner = new AttributeInterner(session)
    const first = read(interner, of(1))
    assert.equal(read(interner, of(1)), first)
    assert.equal(read(interner, of(1, '128.0.0.0/1')), first, 'whatever prefixes follow')
    assert.notEqual(read(interner, of(2)), first)
    assert.ok(Object.isFrozen(first))
  })

  test('does not hold on to the message', () => {
    const interner = new AttributeInterner(session)
    const message = of(1)
    const first = read(interner, message)
    message.fill(0)
    assert.equal(read(interner, of(1)), first)
  })

  test('tells apart next hops, and the same attributes with and without MP_REACH_NLRI', () => {
    const interner = new AttributeInterner(session)
    const announce = (family: Family, keys: PrefixKey[], shared: PathAttributes) =>
      encodeAnnouncement({ family, prefixes: keys, pathIds: undefined, attributes: shared }, sending)![0]!
    const one = read(interner, announce('ipv6', ipv6Keys(1), over6))
    assert.equal(read(interner, announce('ipv6', ipv6Keys(9).slice(3), over6)), one)
    assert.equal(read(interner, announce('ipv4', ipv4Keys(1), over6)), one)
    assert.equal(read(interner, announce('ipv6', ipv6Keys(1), { ...over6, linkLocal: undefined })).linkLocal, undefined)
    assert.equal(read(interner, announce('ipv6', ipv6Keys(1), { ...over6, nextHop: 'fd00::9' })).nextHop, 'fd00::9')
    assert.equal(read(interner, announce('ipv4', ipv4Keys(1), attributes)).nextHop, '10.0.0.1')
  })

  test('forgets what has not been seen for long, and keeps what is seen again and again', () => {
    const interner = new AttributeInterner(session, 4)
    const [often, once] = [read(interner, of(1000)), read(interner, of(2000))]
    for (let med = 0; med < 20; med++) {
      read(interner, of(med))
      assert.equal(read(interner, of(1000)), often)
    }
    const again = read(interner, of(2000))
    assert.notEqual(again, once)
    assert.deepEqual(again, once)
  })
})
