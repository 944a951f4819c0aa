/** Filters: the conditions and operations of Calico's BGPFilter, and ours. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { formatAsPath } from '../../../src/bgp/attribute/as-path.ts'
import { parseCommunity } from '../../../src/bgp/attribute/communities.ts'
import { parsePrefixKey } from '../../../src/bgp/nlri.ts'
import { Filter, type FilterRule, type RouteFacts } from '../../../src/bgp/policy/filter.ts'
import type { Operation } from '../../../src/bgp/policy/operation.ts'
import { attributes } from '../rib/speaker.ts'

const facts: RouteFacts = {
  attributes: attributes({
    path: [65000, 65001, 65002],
    communities: [parseCommunity('65000:100'), parseCommunity('65000:200')],
    largeCommunities: [[65000, 1, 2]],
  }),
  peerType: 'eBGP',
  learned: true,
  interface: 'cali1234',
  priority: 512,
}

const accepts = (rule: Omit<FilterRule, 'action'>, prefix = '10.1.2.0/24', of: Partial<RouteFacts> = {}) =>
  new Filter([{ ...rule, action: 'Reject' }]).for({ ...facts, ...of })(parsePrefixKey(prefix)) === undefined

/** What is asked of the prefix, the prefix, and whether the rule is about it. */
const prefixes: readonly [Omit<FilterRule, 'action'>, string, boolean][] = [
  [{ cidr: '10.1.2.0/24', matchOperator: 'Equal' }, '10.1.2.0/24', true],
  [{ cidr: '10.1.2.0/24', matchOperator: 'Equal' }, '10.1.2.0/25', false],
  [{ cidr: '10.1.2.0/24', matchOperator: 'Equal' }, '10.1.0.0/16', false],
  [{ cidr: '10.1.2.0/24', matchOperator: 'NotEqual' }, '10.1.2.0/24', false],
  [{ cidr: '10.1.2.0/24', matchOperator: 'NotEqual' }, '10.1.2.0/25', true],
  [{ cidr: '10.0.0.0/8', matchOperator: 'In' }, '10.0.0.0/8', true],
  [{ cidr: '10.0.0.0/8', matchOperator: 'In' }, '10.255.255.255/32', true],
  [{ cidr: '10.0.0.0/8', matchOperator: 'In' }, '11.0.0.0/8', false],
  [{ cidr: '10.0.0.0/8', matchOperator: 'In' }, '0.0.0.0/0', false],
  [{ cidr: '10.0.0.0/8', matchOperator: 'NotIn' }, '10.1.0.0/16', false],
  [{ cidr: '10.0.0.0/8', matchOperator: 'NotIn' }, '0.0.0.0/0', true],
  [{ cidr: '200.0.0.0/8', matchOperator: 'In' }, '200.255.0.0/16', true],
  [{ cidr: '0.0.0.0/0', matchOperator: 'In' }, '255.255.255.255/32', true],
  [{ cidr: '10.1.2.3/8', matchOperator: 'In' }, '10.9.0.0/16', true],
  [{ cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 24 } }, '10.1.0.0/23', false],
  [{ cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 24 } }, '10.1.0.0/32', true],
  [{ cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { max: 24 } }, '10.1.0.0/25', false],
  [{ cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 16, max: 24 } }, '10.1.0.0/16', true],
  [{ cidr: '10.0.0.0/8', matchOperator: 'NotIn', prefixLength: { min: 16, max: 24 } }, '10.1.0.0/26', true],
  [{ cidr: 'fd00::/8', matchOperator: 'In' }, 'fd01::/48', true],
  [{ cidr: 'fd00::/8', matchOperator: 'In' }, 'fe00::/48', false],
  [{ cidr: 'fd00:8000::/17', matchOperator: 'In' }, 'fd00:8000::/17', true],
  [{ cidr: 'fd00:8000::/17', matchOperator: 'In' }, 'fd00:ffff::/32', true],
  [{ cidr: 'fd00:8000::/17', matchOperator: 'In' }, 'fd00:7fff::/32', false],
  [{ cidr: 'fd00:8000::/17', matchOperator: 'In' }, 'fd00::/16', false],
  [{ cidr: '::/0', matchOperator: 'In', prefixLength: { max: 0 } }, '::/0', true],
  [{ cidr: '::/0', matchOperator: 'In', prefixLength: { max: 0 } }, 'fd00::/8', false],
  [{ prefixList: [{ action: 'permit', prefix: '10.1.0.0/16' }] }, '10.1.0.0/16', true],
  [{ prefixList: [{ action: 'permit', prefix: '10.1.0.0/16' }] }, '10.1.0.0/17', false],
  [{ prefixList: [{ action: 'permit', prefix: '10.1.0.0/16', le: 24 }] }, '10.1.0.0/16', true],
  [{ prefixList: [{ action: 'permit', prefix: '10.1.0.0/16', le: 24 }] }, '10.1.0.0/25', false],
  [{ prefixList: [{ action: 'permit', prefix: '10.1.0.0/16', ge: 24 }] }, '10.1.0.0/16', false],
  [{ prefixList: [{ action: 'permit', prefix: '10.1.0.0/16', ge: 24 }] }, '10.1.0.0/32', true],
  [
    {
      prefixList: [
        { action: 'deny', prefix: '10.1.0.0/24' },
        { action: 'permit', prefix: '10.1.0.0/16', le: 32 },
      ],
    },
    '10.1.0.0/24',
    false,
  ],
]

describe('prefixes', () => {
  for (const [rule, prefix, matches] of prefixes) {
    const list = rule.prefixList?.map((line) => Object.values(line).join(' ')).join(', ')
    const range = rule.prefixLength ? ` ${JSON.stringify(rule.prefixLength)}` : ''
    const title = list ?? `${rule.matchOperator} ${rule.cidr}${range}`
    test(`${title}: ${matches ? '' : 'not '}${prefix}`, () => assert.equal(accepts(rule, prefix), !matches))
  }
})

const conditions: readonly [string, Omit<FilterRule, 'action'>, Partial<RouteFacts>][] = [
  ['source', { source: 'RemotePeers' }, { learned: false }],
  ['peerType', { peerType: 'eBGP' }, { peerType: 'iBGP' }],
  ['interface', { interface: 'cali1234' }, { interface: 'cali12345' }],
  ['interface with *', { interface: 'cali*' }, { interface: 'xcali1' }],
  ['interface with * in front', { interface: '*1234' }, { interface: undefined }],
  ['interface with ?', { interface: 'cali?234' }, { interface: 'cali.1234' }],
  ['priority', { priority: 512 }, { priority: undefined }],
  ['a community', { communities: { values: ['65000:100'] } }, { attributes: attributes() }],
  ['a large community', { communities: { values: ['65000:1:2'] } }, { attributes: attributes() }],
  ['asPathPrefix of one', { asPathPrefix: [65000] }, { attributes: attributes({ path: [65001, 65000] }) }],
  ['asPathPrefix of two', { asPathPrefix: [65000, 65001] }, { attributes: attributes({ path: [65000] }) }],
  [
    'asPathPrefix and a set',
    { asPathPrefix: [65000] },
    { attributes: attributes({ asPath: [{ type: 'set', numbers: [65000] }] }) },
  ],
]

describe('conditions', () => {
  for (const [title, rule, without] of conditions) {
    test(`${title}: holds, and does not`, () => {
      assert.equal(accepts(rule), false)
      assert.equal(accepts(rule, undefined, without), true)
    })
  }
  test('two values of communities: both', () => {
    assert.equal(accepts({ communities: { values: ['65000:100', '65000:200'] } }), false)
    assert.equal(accepts({ communities: { values: ['65000:100', '65000:300'] } }), true)
  })
  test('all of a rule must hold', () => {
    const rule = { cidr: '10.0.0.0/8', matchOperator: 'In', peerType: 'eBGP' } as const
    assert.equal(accepts(rule), false)
    assert.equal(accepts(rule, '11.0.0.0/8'), true)
    assert.equal(accepts(rule, '10.1.2.0/24', { peerType: 'iBGP' }), true)
  })
})

test('the first rule that holds decides; where none does, nothing is said', () => {
  const decide = new Filter([
    { action: 'Reject', cidr: '10.1.0.0/16', matchOperator: 'Equal' },
    { action: 'Accept', cidr: '10.0.0.0/8', matchOperator: 'In' },
    { action: 'Reject', cidr: '0.0.0.0/0', matchOperator: 'In', prefixLength: { max: 8 } },
  ]).for(facts)
  const verdict = (prefix: string) => decide(parsePrefixKey(prefix))?.accepts
  assert.deepEqual(['10.1.0.0/16', '10.1.0.0/17', '10.0.0.0/8', '11.0.0.0/8', '11.0.0.0/9'].map(verdict), [
    false,
    true,
    true,
    false,
    undefined,
  ])
})

describe('operations', () => {
  const apply = (...operations: Operation[]) => {
    const decision = new Filter([{ action: 'Accept', operations }]).for(facts)(parsePrefixKey('10.0.0.0/8'))!
    return decision.apply({ attributes: facts.attributes, priority: undefined, nextHopSet: false })
  }
  test('addCommunity, standard and large, once', () => {
    const added = [{ addCommunity: { value: '65000:9' } }, { addCommunity: { value: '65000:9:9' } }]
    const { communities, largeCommunities } = apply(...added, ...added, {
      addCommunity: { value: '65000:100' },
    }).attributes
    assert.deepEqual(communities, [...facts.attributes.communities, parseCommunity('65000:9')])
    assert.deepEqual(largeCommunities, [
      [65000, 1, 2],
      [65000, 9, 9],
    ])
  })
  test('prependASPath: the path starts with the numbers in their order', () => {
    const { asPath } = apply({ prependASPath: { prefix: [7, 8] } }).attributes
    assert.equal(formatAsPath(asPath), '7 8 65000 65001 65002')
  })
  test('setPriority, setLocalPref, setMed, setNextHop', () => {
    const changed = apply(
      { setPriority: { value: 100 } },
      { setLocalPref: { value: 0 } },
      { setMed: { value: 0xffff_ffff } },
      { setNextHop: { value: '10.0.0.7' } },
    )
    assert.equal(changed.priority, 100)
    assert.equal(changed.nextHopSet, true)
    const { localPref, med, nextHop } = changed.attributes
    assert.deepEqual([localPref, med, nextHop], [0, 0xffff_ffff, '10.0.0.7'])
  })
  test('the attributes that came are not touched', () => {
    const before = JSON.stringify(facts.attributes)
    apply({ addCommunity: { value: '65000:9' } }, { prependASPath: { prefix: [7] } }, { setMed: { value: 1 } })
    assert.equal(JSON.stringify(facts.attributes), before)
  })
})

const wrong: readonly [string, FilterRule, RegExp][] = [
  ['cidr without matchOperator', { action: 'Accept', cidr: '10.0.0.0/8' }, /needs a matchOperator/],
  ['matchOperator without cidr', { action: 'Accept', matchOperator: 'In' }, /need a cidr/],
  ['no prefix', { action: 'Accept', cidr: 'ten', matchOperator: 'In' }, /rule 1 of a filter: Cannot parse "ten"/],
  [
    'lengths shorter than the prefix',
    { action: 'Accept', cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 7 } },
    /from 8 to 32/,
  ],
  [
    'lengths the wrong way round',
    { action: 'Accept', cidr: '10.0.0.0/8', matchOperator: 'In', prefixLength: { min: 24, max: 16 } },
    /from 24 to 16/,
  ],
  [
    'lengths with Equal',
    { action: 'Accept', cidr: '10.0.0.0/8', matchOperator: 'Equal', prefixLength: { max: 16 } },
    /for In and NotIn/,
  ],
  ['operations with Reject', { action: 'Reject', operations: [{ setMed: { value: 1 } }] }, /that are accepted/],
  ['no community', { action: 'Accept', communities: { values: ['65536:1'] } }, /as a community/],
  ['AS 0', { action: 'Accept', operations: [{ prependASPath: { prefix: [0] } }] }, /AS 0/],
  ['a priority of 0', { action: 'Accept', operations: [{ setPriority: { value: 0 } }] }, /from 1 to/],
  ['a MED too large', { action: 'Accept', operations: [{ setMed: { value: 2 ** 32 } }] }, /up to 4294967295/],
]

describe('rules that mean nothing are refused', () => {
  for (const [title, rule, message] of wrong) {
    test(title, () => assert.throws(() => new Filter([rule]), { name: 'RangeError', message }))
  }
})
