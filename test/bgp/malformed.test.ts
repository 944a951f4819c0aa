/**
 * Damaged and odd UPDATEs, RFC 7606. The first column of a case is the check of interop.py that sends the same, where there is
 * one.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { formatAsPath } from '../../src/bgp/attribute/as-path.ts'
import type { SessionKind } from '../../src/bgp/attribute/attribute.ts'
import type { PathAttributes } from '../../src/bgp/attribute/attributes.ts'
import { AttributeInterner } from '../../src/bgp/attribute/interner.ts'
import { BgpError } from '../../src/bgp/errors.ts'
import { decodeUpdate, type Routes } from '../../src/bgp/message/update.ts'
import { formatPrefixKey } from '../../src/bgp/nlri.ts'
import { attribute, hexOf, type Lengths, octets, update } from './octets.ts'

const EXTERNAL: SessionKind = { internal: false, as4: true, asSets: 'accept' }
const INTERNAL: SessionKind = { ...EXTERNAL, internal: true }
const TWO_OCTETS: SessionKind = { ...EXTERNAL, as4: false }

const O = attribute('40', 1, '00')
const A = attribute('40', 2, '02010000fe4c')
const A2 = attribute('40', 2, '0201fe4c')
const H = attribute('40', 3, '0a000065')
const GOOD = [O, A, H]
const P = '181e0000'
const WITHDRAW = 'treat-as-withdraw'

interface Case {
  readonly id?: string
  readonly title: string
  readonly attributes: readonly string[]
  readonly session?: SessionKind
  readonly nlri?: string
  readonly withdrawn?: string
  readonly lengths?: Lengths
}

interface Discard extends Case {
  /** The attribute that is dropped, and what the route then has of it. */
  readonly code: number
  readonly left?: Partial<PathAttributes>
}

const read = (session: SessionKind) => ({
  attributes: new AttributeInterner(session),
  addPath: { ipv4: false, ipv6: false },
})

const built = ({ attributes, nlri = P, withdrawn = '', lengths }: Case) => update(attributes, nlri, withdrawn, lengths)
const prefixesOf = (routes: readonly Routes[]) => routes.flatMap(({ prefixes }) => prefixes.map(formatPrefixKey))
const title = ({ id, title }: Case) => (id ? `${id} ${title}` : title)

const mp = (afi: string, nextHop: string, nlri: string) =>
  attribute('80', 14, `${afi}01${octets(nextHop).toString(16).padStart(2, '0')}${nextHop}00${nlri}`)
const GLOBAL = 'fd000010000000000000000000000101'
const P6 = '40fd01000000000000'

describe('the routes count as withdrawn', () => {
  const cases: (Case & { code: number; others?: number[] })[] = [
    { id: 'U01', title: 'ORIGIN of value 3', attributes: [attribute('40', 1, '03'), A, H], code: 1 },
    { title: 'ORIGIN of 2 octets', attributes: [attribute('40', 1, '0000'), A, H], code: 1 },
    { title: 'ORIGIN without a value', attributes: [attribute('40', 1, ''), A, H], code: 1 },
    {
      id: 'U03',
      title: 'AS_PATH segment past the end',
      attributes: [O, attribute('40', 2, '02090000fe4c'), H],
      code: 2,
    },
    { title: 'AS_PATH with an octet left over', attributes: [O, attribute('40', 2, '02010000fe4c02'), H], code: 2 },
    { title: 'AS_PATH segment without numbers', attributes: [O, attribute('40', 2, '0200'), H], code: 2 },
    { title: 'AS_PATH segment of type 9', attributes: [O, attribute('40', 2, '09010000fe4c'), H], code: 2 },
    { title: 'AS_CONFED_SEQUENCE from outside', attributes: [O, attribute('40', 2, '03010000fe4c'), H], code: 2 },
    { title: 'AS_CONFED_SET from outside', attributes: [O, attribute('40', 2, '04010000fe4c'), H], code: 2 },
    { title: 'AS 0 in AS_PATH', attributes: [O, attribute('40', 2, '02020000fe4c00000000'), H], code: 2 },
    {
      title: 'an AS_SET where sets are refused',
      attributes: [O, attribute('40', 2, '01010000fe4c'), H],
      code: 2,
      session: { ...EXTERNAL, asSets: 'withdraw' },
    },
    { id: 'U06', title: 'NEXT_HOP of 3 octets', attributes: [O, A, attribute('40', 3, '0a0000')], code: 3 },
    { title: 'NEXT_HOP of 16 octets', attributes: [O, A, attribute('40', 3, GLOBAL)], code: 3 },
    { title: 'ORIGIN missing', attributes: [A, H], code: 1 },
    { id: 'U08', title: 'AS_PATH missing', attributes: [O, H], code: 2 },
    { title: 'NEXT_HOP missing', attributes: [O, A], code: 3 },
    { title: 'every attribute missing', attributes: [], code: 1, others: [2, 3] },
    { id: 'U10', title: 'MED of 3 octets', attributes: [...GOOD, attribute('80', 4, '000001')], code: 4 },
    {
      title: 'LOCAL_PREF of 3 octets from iBGP',
      attributes: [...GOOD, attribute('40', 5, '000001')],
      code: 5,
      session: INTERNAL,
    },
    { id: 'U15', title: 'COMMUNITIES of 5 octets', attributes: [...GOOD, attribute('c0', 8, '0000010101')], code: 8 },
    { title: 'COMMUNITIES without any', attributes: [...GOOD, attribute('c0', 8, '')], code: 8 },
    {
      title: 'EXTENDED_COMMUNITIES of 7 octets',
      attributes: [...GOOD, attribute('c0', 16, '00020000000001')],
      code: 16,
    },
    { title: 'EXTENDED_COMMUNITIES without any', attributes: [...GOOD, attribute('c0', 16, '')], code: 16 },
    { title: 'LARGE_COMMUNITY of 11 octets', attributes: [...GOOD, attribute('c0', 32, '00'.repeat(11))], code: 32 },
    { title: 'LARGE_COMMUNITY without any', attributes: [...GOOD, attribute('c0', 32, '')], code: 32 },
    { id: 'U18', title: 'ORIGIN with the Optional flag', attributes: [attribute('c0', 1, '00'), A, H], code: 1 },
    { title: 'AS_PATH without the Transitive flag', attributes: [O, attribute('00', 2, '02010000fe4c'), H], code: 2 },
    { title: 'MED with the Transitive flag', attributes: [...GOOD, attribute('c0', 4, '00000001')], code: 4 },
    {
      title: 'COMMUNITIES without the Transitive flag',
      attributes: [...GOOD, attribute('80', 8, 'fe4c0001')],
      code: 8,
    },
    {
      title: 'AGGREGATOR without the Optional flag',
      attributes: [...GOOD, attribute('40', 7, '0000fe4c0a000065')],
      code: 7,
    },
    {
      title: 'MP_REACH_NLRI with the Transitive flag',
      attributes: [O, A, H, mp('0002', GLOBAL, P6).replace(/^80/, 'c0')],
      code: 14,
    },
    {
      title: 'MP_UNREACH_NLRI without the Optional flag',
      attributes: [...GOOD, attribute('00', 15, `000201${P6}`)],
      code: 15,
    },
    { id: 'U20', title: 'an attribute that runs past the others', attributes: [...GOOD, 'c008c80001'], code: 8 },
    { title: 'one octet of an attribute behind the others', attributes: [...GOOD, 'c0'], code: 0 },
    { title: 'flags and type of an attribute behind the others', attributes: [...GOOD, 'c008'], code: 8 },
    { title: 'an attribute whose length is cut off', attributes: [...GOOD, 'd00801'], code: 8 },
    {
      id: 'U29',
      title: 'ORIGINATOR_ID of 5 octets from iBGP',
      attributes: [...GOOD, attribute('80', 9, '0101010101')],
      code: 9,
      session: INTERNAL,
    },
    {
      title: 'CLUSTER_LIST of 5 octets from iBGP',
      attributes: [...GOOD, attribute('80', 10, '0101010101')],
      code: 10,
      session: INTERNAL,
    },
    {
      title: 'CLUSTER_LIST without any from iBGP',
      attributes: [...GOOD, attribute('80', 10, '')],
      code: 10,
      session: INTERNAL,
    },
    {
      title: 'AS 0 in AS4_PATH',
      attributes: [O, A2, H, attribute('c0', 17, '020100000000')],
      code: 17,
      session: TWO_OCTETS,
    },
    { title: 'ORIGIN missing beside MP_REACH_NLRI', attributes: [A, mp('0002', GLOBAL, P6)], nlri: '', code: 1 },
    {
      title: 'ORIGIN of value 3 beside MP_REACH_NLRI',
      attributes: [mp('0002', GLOBAL, P6), attribute('40', 1, '03'), A],
      nlri: '',
      code: 1,
    },
    {
      title: 'a dropped attribute and a severe one: the severer handling',
      attributes: [...GOOD, attribute('40', 6, '00'), attribute('80', 4, '')],
      code: 4,
      others: [6],
    },
  ]
  for (const each of cases) {
    test(title(each), () => {
      const session = read(each.session ?? EXTERNAL)
      for (const round of ['first', 'again']) {
        const { announced, withdrawn, damage, endOfRib } = decodeUpdate(built(each), session)
        assert.deepEqual(announced, [], round)
        assert.equal(endOfRib, undefined)
        const wanted = [
          ...(each.attributes.join('').includes(P6) ? ['fd01::/64'] : []),
          ...(each.nlri === '' ? [] : ['30.0.0.0/24']),
        ]
        assert.deepEqual(prefixesOf(withdrawn), wanted)
        assert.ok(damage.some(({ handling, attribute }) => handling === WITHDRAW && attribute === each.code))
        assert.deepEqual(
          damage.map(({ attribute }) => attribute).sort((a, b) => a - b),
          [each.code, ...(each.others ?? [])].sort((a, b) => a - b),
        )
      }
    })
  }

  test('all prefixes of the message, of every family and of both fields', () => {
    const message = update([attribute('40', 1, '03'), A, H, mp('0002', GLOBAL, P6)], P, '180a0000')
    const { withdrawn, announced } = decodeUpdate(message, read(EXTERNAL))
    assert.deepEqual(announced, [])
    assert.deepEqual(prefixesOf(withdrawn), ['10.0.0.0/24', 'fd01::/64', '30.0.0.0/24'])
  })

  test('also those of MP_REACH_NLRI when NEXT_HOP is missing for the others', () => {
    const { withdrawn, announced } = decodeUpdate(update([O, A, mp('0002', GLOBAL, P6)], P), read(EXTERNAL))
    assert.deepEqual(announced, [])
    assert.deepEqual(prefixesOf(withdrawn), ['fd01::/64', '30.0.0.0/24'])
  })
})

describe('the attribute is dropped and the route used', () => {
  const cases: Discard[] = [
    {
      id: 'U12',
      title: 'LOCAL_PREF of 3 octets from eBGP',
      attributes: [...GOOD, attribute('40', 5, '000001')],
      code: 5,
      left: { localPref: undefined },
    },
    {
      title: 'LOCAL_PREF from eBGP',
      attributes: [...GOOD, attribute('40', 5, '00000064')],
      code: 5,
      left: { localPref: undefined },
    },
    {
      title: 'LOCAL_PREF with wrong flags from eBGP',
      attributes: [...GOOD, attribute('c0', 5, '00000064')],
      code: 5,
      left: { localPref: undefined },
    },
    {
      title: 'ATOMIC_AGGREGATE of 1 octet',
      attributes: [...GOOD, attribute('40', 6, '00')],
      code: 6,
      left: { atomicAggregate: undefined },
    },
    {
      id: 'U14',
      title: 'AGGREGATOR of 5 octets',
      attributes: [...GOOD, attribute('c0', 7, '0000010101')],
      code: 7,
      left: { aggregator: undefined },
    },
    {
      title: 'AGGREGATOR of 6 octets from a four-octet peer',
      attributes: [...GOOD, attribute('c0', 7, 'fe4c0a000065')],
      code: 7,
      left: { aggregator: undefined },
    },
    {
      title: 'AGGREGATOR of 8 octets from a two-octet peer',
      attributes: [O, A2, H, attribute('c0', 7, '0000fe4c0a000065')],
      code: 7,
      session: TWO_OCTETS,
      left: { aggregator: undefined },
    },
    {
      title: 'AGGREGATOR of AS 0',
      attributes: [...GOOD, attribute('c0', 7, '000000000a000065')],
      code: 7,
      left: { aggregator: undefined },
    },
    {
      title: 'ORIGINATOR_ID from eBGP',
      attributes: [...GOOD, attribute('80', 9, '01010101')],
      code: 9,
      left: { originatorId: undefined },
    },
    {
      title: 'ORIGINATOR_ID of 5 octets from eBGP',
      attributes: [...GOOD, attribute('80', 9, '0101010101')],
      code: 9,
      left: { originatorId: undefined },
    },
    {
      title: 'CLUSTER_LIST from eBGP',
      attributes: [...GOOD, attribute('80', 10, '01010101')],
      code: 10,
      left: { clusterList: [] },
    },
    { title: 'AS4_PATH from a four-octet peer', attributes: [...GOOD, attribute('c0', 17, '02010000fe4d')], code: 17 },
    {
      title: 'AS4_PATH cut short from a two-octet peer',
      attributes: [O, A2, H, attribute('c0', 17, '02020000fe4d')],
      code: 17,
      session: TWO_OCTETS,
    },
    {
      title: 'AS4_PATH of 5 octets',
      attributes: [O, A2, H, attribute('c0', 17, '0201000000')],
      code: 17,
      session: TWO_OCTETS,
    },
    {
      title: 'AS4_AGGREGATOR from a four-octet peer',
      attributes: [...GOOD, attribute('c0', 18, '0000fe4d0a000065')],
      code: 18,
      left: { aggregator: undefined },
    },
    {
      title: 'AS4_AGGREGATOR of 6 octets',
      attributes: [O, A2, H, attribute('c0', 18, 'fe4d0a000065')],
      code: 18,
      session: TWO_OCTETS,
    },
    {
      title: 'MED twice: the first counts',
      attributes: [...GOOD, attribute('80', 4, '00000001'), attribute('80', 4, '00000002')],
      code: 4,
      left: { med: 1 },
    },
    {
      title: 'ORIGIN twice, the second damaged',
      attributes: [...GOOD, attribute('40', 1, '0303')],
      code: 1,
      left: { origin: 'IGP' },
    },
    {
      title: 'an unknown attribute twice: the first counts',
      attributes: [...GOOD, attribute('c0', 213, '01'), attribute('c0', 213, '02')],
      code: 213,
      left: { unknown: [{ code: 213, value: Uint8Array.of(1) }] },
    },
  ]
  for (const each of cases) {
    test(title(each), () => {
      const { announced, withdrawn, damage } = decodeUpdate(built(each), read(each.session ?? EXTERNAL))
      assert.deepEqual(withdrawn, [])
      assert.deepEqual(prefixesOf(announced), ['30.0.0.0/24'])
      assert.deepEqual(
        damage.map(({ attribute, handling }) => [attribute, handling]),
        [[each.code, 'attribute discard']],
      )
      const { attributes } = announced[0]!
      assert.equal(formatAsPath(attributes.asPath), '65100')
      assert.deepEqual({ ...attributes, ...each.left }, attributes)
    })
  }
})

describe('the session ends', () => {
  const cases: (Case & { answer: string })[] = [
    {
      id: 'U21',
      title: 'the attributes run past the message',
      attributes: GOOD,
      lengths: { attributes: 2000 },
      answer: '3/1 ',
    },
    {
      title: 'the withdrawn routes run past the message',
      attributes: GOOD,
      lengths: { withdrawn: 2000 },
      answer: '3/1 ',
    },
    {
      title: 'the withdrawn routes leave no room for a length',
      attributes: [],
      nlri: '',
      withdrawn: '1801010118010101',
      lengths: { withdrawn: 9 },
      answer: '3/1 ',
    },
    { id: 'U23', title: 'a prefix of 33 bits', attributes: GOOD, nlri: '211e00000000', answer: '3/10 ' },
    { title: 'a prefix that is cut short', attributes: GOOD, nlri: '181e00', answer: '3/10 ' },
    { title: 'a withdrawn prefix of 33 bits', attributes: [], nlri: '', withdrawn: '211e00000000', answer: '3/10 ' },
    { title: 'a withdrawn prefix that is cut short', attributes: [], nlri: '', withdrawn: '181e00', answer: '3/10 ' },
    {
      title: 'an IPv6 prefix of 129 bits',
      attributes: [O, A, mp('0002', GLOBAL, `81${'00'.repeat(17)}`)],
      nlri: '',
      answer: '3/10 ',
    },
    {
      title: 'an IPv6 prefix that is cut short',
      attributes: [attribute('80', 15, '00020140fd01')],
      nlri: '',
      answer: '3/10 ',
    },
    {
      id: 'U26',
      title: 'an unknown well-known attribute',
      attributes: [...GOOD, attribute('40', 200, '01')],
      answer: '3/2 40c80101',
    },
    {
      id: 'U27',
      title: 'MP_REACH_NLRI twice',
      attributes: [...GOOD, mp('0001', '0a000065', P), mp('0001', '0a000065', P)],
      nlri: '',
      answer: '3/1 ',
    },
    {
      title: 'MP_UNREACH_NLRI twice',
      attributes: [attribute('80', 15, '000201'), attribute('80', 15, '000201')],
      nlri: '',
      answer: '3/1 ',
    },
    {
      title: 'MP_REACH_NLRI with a next hop of 5 octets',
      attributes: [O, A, mp('0001', '0a00000101', P)],
      nlri: '',
      answer: `3/9 ${mp('0001', '0a00000101', P)}`,
    },
    {
      title: 'MP_REACH_NLRI for IPv6 with a next hop of 4 octets',
      attributes: [O, A, mp('0002', '0a000001', P6)],
      nlri: '',
      answer: `3/9 ${mp('0002', '0a000001', P6)}`,
    },
    {
      title: 'MP_REACH_NLRI whose next hop does not fit',
      attributes: [O, A, attribute('80', 14, '00020110fd00')],
      nlri: '',
      answer: '3/9 800e0600020110fd00',
    },
    {
      title: 'MP_REACH_NLRI of 3 octets',
      attributes: [O, A, attribute('80', 14, '000201')],
      nlri: '',
      answer: '3/9 800e03000201',
    },
    {
      title: 'MP_UNREACH_NLRI of 2 octets',
      attributes: [attribute('80', 15, '0002')],
      nlri: '',
      answer: '3/9 800f020002',
    },
    { title: 'MP_REACH_NLRI that runs past the attributes', attributes: [O, A, '800e30000201'], answer: '3/1 ' },
    {
      title: 'a damaged attribute in a message that announces nothing (RFC 7606 §5.2)',
      attributes: [attribute('40', 1, '03')],
      nlri: '',
      answer: '3/6 40010103',
    },
    {
      title: 'the same beside a withdrawal',
      attributes: [attribute('40', 1, '03')],
      nlri: '',
      withdrawn: P,
      answer: '3/6 40010103',
    },
    { title: 'MP_REACH_NLRI of which only the type is left', attributes: [...GOOD, '800e'], answer: '3/1 ' },
    {
      title: 'MP_REACH_NLRI without prefixes and with wrong flags',
      attributes: [O, A, mp('0002', GLOBAL, '').replace(/^80/, 'c0')],
      nlri: '',
      answer: `3/4 ${mp('0002', GLOBAL, '').replace(/^80/, 'c0')}`,
    },
    {
      title: 'an attribute that swallows MP_REACH_NLRI',
      attributes: [O, A, `c008ff${mp('0002', GLOBAL, P6)}`],
      nlri: '',
      answer: '3/1 ',
    },
  ]
  for (const each of cases) {
    test(title(each), () => {
      assert.throws(
        () => decodeUpdate(built(each), read(each.session ?? EXTERNAL)),
        (error) => error instanceof BgpError && `${error.code}/${error.subcode} ${hexOf(error.data)}` === each.answer,
      )
    })
  }
})

describe('what RFC 4271 §6.3 would have answered stands beside the handling', () => {
  const cases: [title: string, octets: string, answer: string, session?: SessionKind][] = [
    ['ORIGIN of value 3', attribute('40', 1, '03'), '3/6'],
    ['ORIGIN of 2 octets', attribute('40', 1, '0000'), '3/5'],
    ['ORIGIN with the Optional flag', attribute('c0', 1, '00'), '3/4'],
    ['AS_PATH segment past the end', attribute('40', 2, '02090000fe4c'), '3/11'],
    ['AS 0 in AS_PATH', attribute('40', 2, '020100000000'), '3/11'],
    ['NEXT_HOP of 3 octets', attribute('40', 3, '0a0000'), '3/5'],
    ['MED of 3 octets', attribute('80', 4, '000001'), '3/5'],
    ['COMMUNITIES of 5 octets', attribute('c0', 8, '0000010101'), '3/5'],
    ['ORIGINATOR_ID of 5 octets', attribute('80', 9, '0101010101'), '3/5', INTERNAL],
    ['AGGREGATOR of AS 0', attribute('c0', 7, '000000000a000065'), '3/9'],
  ]
  for (const [title, octets, answer, session] of cases) {
    test(`${title}: ${answer} with the attribute`, () => {
      const [found] = decodeUpdate(update([octets, O, A, H], P), read(session ?? EXTERNAL)).damage
      assert.deepEqual([`${found?.error.code}/${found?.error.subcode}`, hexOf(found!.error.data)], [answer, octets])
    })
  }

  test('a missing attribute: 3/3 with its type', () => {
    const [found] = decodeUpdate(update([O, H], P), read(EXTERNAL)).damage
    assert.deepEqual([found?.error.code, found?.error.subcode, hexOf(found!.error.data)], [3, 3, '02'])
  })
})

describe('odd and right: the route is used as it is', () => {
  const cases: (Case & { left?: Partial<PathAttributes> })[] = [
    {
      id: 'U33',
      title: "NEXT_HOP 0.0.0.0 is the decision process's to refuse",
      attributes: [O, A, attribute('40', 3, '00000000')],
      left: { nextHop: '0.0.0.0' },
    },
    {
      id: 'U35',
      title: 'our own AS in the path replaces the older path',
      attributes: [O, attribute('40', 2, '02040000fe6b000000070000fde900000008'), H],
    },
    {
      id: 'U36',
      title: 'NEXT_HOP unreachable',
      attributes: [O, A, attribute('40', 3, 'c0000263')],
      left: { nextHop: '192.0.2.99' },
    },
    {
      id: 'U37',
      title: 'LOCAL_PREF missing from iBGP',
      attributes: GOOD,
      session: INTERNAL,
      left: { localPref: undefined },
    },
    {
      id: 'U41',
      title: 'short attributes with the extended length flag',
      attributes: ['5001000100', '500200060201 0000fe4c'.replace(' ', ''), H],
      left: { origin: 'IGP' },
    },
    {
      id: 'U42',
      title: 'attributes out of order',
      attributes: [H, attribute('80', 4, '00000001'), A, O],
      left: { med: 1 },
    },
    { title: 'bits behind the prefix length', attributes: GOOD, nlri: '171e0001' },
    { title: 'the Partial flag of a well-known attribute', attributes: [attribute('60', 1, '00'), A, H] },
    { title: 'unused flags', attributes: [attribute('4f', 1, '00'), A, H] },
    {
      title: 'an unknown optional attribute that is not transitive is forgotten',
      attributes: [...GOOD, attribute('80', 214, '01')],
      left: { unknown: [] },
    },
    {
      title: 'an unknown transitive one is kept',
      attributes: [...GOOD, attribute('c0', 213, '01')],
      left: { unknown: [{ code: 213, value: Uint8Array.of(1) }] },
    },
    {
      title: 'an AS_SET',
      attributes: [O, attribute('40', 2, '01010000fe4c'), H],
      left: { asPath: [{ type: 'set', numbers: [65100] }] },
    },
  ]
  for (const each of cases) {
    test(title(each), () => {
      const { announced, withdrawn, damage } = decodeUpdate(built(each), read(each.session ?? EXTERNAL))
      assert.deepEqual([withdrawn, damage], [[], []])
      assert.deepEqual(prefixesOf(announced), [each.nlri ? '30.0.0.0/23' : '30.0.0.0/24'])
      const { attributes } = announced[0]!
      assert.deepEqual({ ...attributes, ...each.left }, attributes)
    })
  }

  test('routes of a family that is not kept are passed over', () => {
    const evpn = attribute('80', 14, '0019460400000000000102')
    const { passedOver, announced, damage } = decodeUpdate(update([O, A, H, evpn], P), read(EXTERNAL))
    assert.deepEqual(passedOver, [{ afi: 25, safi: 70 }])
    assert.deepEqual([prefixesOf(announced), damage], [['30.0.0.0/24'], []])
  })

  test('a withdrawal needs no attributes, and an MP_UNREACH_NLRI with wrong flags withdraws all the same', () => {
    const unreach = attribute('c0', 15, `000201${P6}`)
    const { withdrawn, endOfRib, damage } = decodeUpdate(update([unreach], '', P), read(EXTERNAL))
    assert.deepEqual([prefixesOf(withdrawn), endOfRib, damage.length], [['30.0.0.0/24', 'fd01::/64'], undefined, 1])
  })

  test('attributes without prefixes are no End-of-RIB', () => {
    const { endOfRib, announced, withdrawn, damage } = decodeUpdate(update(GOOD, ''), read(EXTERNAL))
    assert.deepEqual([endOfRib, announced, withdrawn, damage], [undefined, [], [], []])
  })

  test('the same prefix withdrawn and announced is announced, since withdrawals are applied first', () => {
    const { announced, withdrawn } = decodeUpdate(update(GOOD, P, P), read(EXTERNAL))
    assert.deepEqual([prefixesOf(withdrawn), prefixesOf(announced)], [['30.0.0.0/24'], ['30.0.0.0/24']])
  })
})
