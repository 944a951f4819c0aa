/** What is passed on and how: the claims X01 to X16 of the interoperability checks, and those of P and R that are the tables'. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { formatAsPath } from '../../../src/bgp/attribute/as-path.ts'
import { parseCommunity, WellKnown } from '../../../src/bgp/attribute/communities.ts'
import { formatBgpId, parseBgpId } from '../../../src/bgp/bgp-id.ts'
import { attribute, update } from '../octets.ts'
import { attributes, link, type PeerOptions, Speaker, settleAll } from './speaker.ts'

const AS = 65001
const a: PeerOptions = { address: '10.0.0.101', as: 65101 }
const b: PeerOptions = { address: '10.0.0.102', as: 65102 }
const i: PeerOptions = { address: '10.0.0.103', as: AS }
const old: PeerOptions = { address: '10.0.0.104', as: 65104, as4: false }

function four() {
  const speaker = new Speaker({ as: AS, networks: ['10.1.0.0/24', 'fd01::/64'] })
  const peers = { a: speaker.peer(a), b: speaker.peer(b), i: speaker.peer(i), old: speaker.peer(old) }
  speaker.settle()
  return { speaker, ...peers }
}

const fromA = (members: Parameters<typeof attributes>[0] = {}) =>
  attributes({ path: [65101], nextHop: a.address, ...members })

describe('X: what is passed on', () => {
  test('X01 eBGP to eBGP: own AS in front, no LOCAL_PREF, MED not passed on', () => {
    const { speaker, a, b } = four()
    a.announce(['40.0.0.0/24'], fromA({ med: 77 }))
    speaker.settle()
    const heard = b.rib.get('40.0.0.0/24')!
    assert.equal(formatAsPath(heard.asPath), `${AS} 65101`)
    assert.equal(heard.localPref, undefined)
    assert.equal(heard.med, undefined)
  })
  test('X02 eBGP to eBGP: the next hop is ours', () => {
    const { speaker, a, b } = four()
    a.announce(['40.0.0.0/24'], fromA())
    speaker.settle()
    assert.equal(b.rib.get('40.0.0.0/24')!.nextHop, '10.0.0.1')
  })
  test('X03 eBGP to iBGP: AS_PATH unchanged, LOCAL_PREF there, MED and next hop kept', () => {
    const { speaker, a, i } = four()
    a.announce(['40.0.0.0/24'], fromA({ med: 77 }))
    speaker.settle()
    const heard = i.rib.get('40.0.0.0/24')!
    assert.equal(formatAsPath(heard.asPath), '65101')
    assert.equal(heard.localPref, 100)
    assert.equal(heard.med, 77)
    assert.equal(heard.nextHop, '10.0.0.101')
  })
  test('X04 communities and large communities are kept', () => {
    const { speaker, a, b } = four()
    const communities = [parseCommunity('65100:1'), parseCommunity('65100:3')]
    a.announce(['40.0.0.0/24'], fromA({ communities, largeCommunities: [[65100, 2, 3]] }))
    speaker.settle()
    assert.deepEqual(b.rib.get('40.0.0.0/24')!.communities, communities)
    assert.deepEqual(b.rib.get('40.0.0.0/24')!.largeCommunities, [[65100, 2, 3]])
  })

  const origin = attribute('40', 1, '00')
  const path = attribute('40', 2, '0201 0000fe4d')
  const hop = attribute('40', 3, '0a000065')
  test('X05 an unknown optional transitive attribute is passed on with the Partial flag', () => {
    const { speaker, a, b } = four()
    a.session.receive(update([origin, path, hop, attribute('c0', 213, '68656c6c6f')], '18280000'))
    speaker.settle()
    assert.ok(Buffer.from(b.messages.at(-1)!).toString('hex').includes('e0d50568656c6c6f'))
  })
  test('X06 an unknown optional non-transitive attribute is not, and the route is', () => {
    const { speaker, a, b } = four()
    a.session.receive(update([origin, path, hop, attribute('80', 214, '627965')], '18280900'))
    speaker.settle()
    assert.deepEqual(b.rib.get('40.9.0.0/24')!.unknown, [])
  })
  test('X07 not sent back to where it came from, though others of the group get it', () => {
    const { speaker, a, b } = four()
    assert.equal(speaker.groups.ipv4.of(a.session.member.address), speaker.groups.ipv4.of(b.session.member.address))
    a.announce(['40.0.0.0/24'], fromA())
    speaker.settle()
    assert.deepEqual([...a.rib.keys()], ['10.1.0.0/24', 'fd01::/64'])
    assert.ok(b.rib.has('40.0.0.0/24'))
  })
  test('X08 NO_EXPORT: to iBGP but not to eBGP; so NO_EXPORT_SUBCONFED', () => {
    for (const community of [WellKnown['no-export'], WellKnown['no-export-subconfed']]) {
      const { speaker, a, b, i } = four()
      a.announce(['40.1.0.0/24'], fromA({ communities: [community] }))
      speaker.settle()
      assert.ok(i.rib.has('40.1.0.0/24'))
      assert.ok(!b.rib.has('40.1.0.0/24'))
    }
  })
  test('X09 NO_ADVERTISE: to nobody', () => {
    const { speaker, a, b, i, old } = four()
    a.announce(['40.2.0.0/24'], fromA({ communities: [WellKnown['no-advertise']] }))
    a.announce(['40.3.0.0/24'], fromA())
    speaker.settle()
    for (const { rib } of [b, i, old]) assert.deepEqual([rib.has('40.2.0.0/24'), rib.has('40.3.0.0/24')], [false, true])
  })
  test('X10 to a 2-octet speaker: AS_TRANS in AS_PATH and AS4_PATH with the true path', () => {
    const { speaker, a, old } = four()
    a.announce(['40.4.0.0/24'], fromA({ path: [65101, 4_200_000_005, 65006] }))
    speaker.settle()
    const hex = Buffer.from(old.messages.at(-1)!).toString('hex')
    assert.ok(hex.includes('020a0204fde9fe4d5ba0fdee'), 'AS_PATH')
    assert.ok(hex.includes('c01112' + '0204' + '0000fde9' + '0000fe4d' + 'fa56ea05' + '0000fdee'), 'AS4_PATH')
  })
  test('X11 from a 2-octet speaker: AS4_PATH is merged into AS_PATH, not passed on', () => {
    const { speaker, old, b } = four()
    old.announce(['40.5.0.0/24'], attributes({ path: [65104, 4_200_000_009], nextHop: old.session.member.address }))
    speaker.settle()
    assert.equal(formatAsPath(b.rib.get('40.5.0.0/24')!.asPath), `${AS} 65104 4200000009`)
    assert.ok(!Buffer.from(b.messages.at(-1)!).toString('hex').includes('c011'))
  })
  test('X12 an implicit replacement is passed on, as one message without a withdrawal', () => {
    const { speaker, a, b } = four()
    a.announce(['40.3.0.0/24'], fromA())
    speaker.settle()
    const before = b.messages.length
    a.announce(['40.3.0.0/24'], fromA({ path: [65101, 1, 2, 3] }))
    speaker.settle()
    assert.equal(formatAsPath(b.rib.get('40.3.0.0/24')!.asPath), `${AS} 65101 1 2 3`)
    assert.equal(b.messages.length, before + 1)
    assert.deepEqual(b.updates.at(-1)!.withdrawn, [])
  })
  test('X13 a withdrawal is passed on to eBGP and iBGP', () => {
    const { speaker, a, b, i } = four()
    a.announce(['40.3.0.0/24'], fromA())
    speaker.settle()
    a.withdraw(['40.3.0.0/24'])
    speaker.settle()
    assert.ok(!b.rib.has('40.3.0.0/24') && !i.rib.has('40.3.0.0/24'))
  })
  test('X14, X15 a peer is gone: its routes are withdrawn from the others, and own routes stay', () => {
    const { speaker, a, b, i } = four()
    a.announce(['40.0.0.0/24', '40.1.0.0/24'], fromA())
    speaker.settle()
    a.session.down()
    speaker.settle()
    for (const { rib } of [b, i]) assert.deepEqual([...rib.keys()], ['10.1.0.0/24', 'fd01::/64'])
    assert.equal(a.session.adjIn.ipv4.received, 0)
  })
  test('X16 a route that flaps settles at its last state, and what happened in between is not said', () => {
    const { speaker, a, b } = four()
    const before = b.messages.length
    for (let flap = 0; flap < 20; flap++) {
      a.announce(['41.0.0.0/24'], fromA())
      a.withdraw(['41.0.0.0/24'])
    }
    a.announce(['41.0.0.0/24'], fromA())
    speaker.settle()
    assert.ok(b.rib.has('41.0.0.0/24'))
    assert.equal(b.messages.length, before + 1)
  })
})

describe('P: eBGP', () => {
  test('P03 a 4-octet AS in AS_PATH', () => {
    const speaker = new Speaker({ as: 4_200_000_001, networks: ['10.1.0.0/24'] })
    const peer = speaker.peer({ address: '10.0.0.2', as: 4_200_000_002 })
    speaker.settle()
    assert.equal(formatAsPath(peer.rib.get('10.1.0.0/24')!.asPath), '4200000001')
  })
  test('P08 the next hop of an IPv6 route is our global address, also over IPv4', () => {
    const { b, i } = four()
    for (const { rib } of [b, i]) assert.equal(rib.get('fd01::/64')!.nextHop, 'fd00:10::1')
  })
  test('P09, P12 the same prefix from two eBGP peers of different AS is multipath, and shrinks to one', () => {
    const { speaker, a, b } = four()
    a.announce(['10.99.0.0/24'], fromA())
    b.announce(['10.99.0.0/24'], attributes({ path: [65102], nextHop: '10.0.0.102' }))
    const { ipv4 } = speaker.tables
    const key = speaker.tables.ipv4.keys().at(-1)!
    const hops = () => ipv4.equal(key).map(({ hop }) => hop.address)
    assert.deepEqual(hops(), ['10.0.0.101', '10.0.0.102'])
    a.session.down()
    assert.deepEqual(hops(), ['10.0.0.102'])
  })
  test('P10 a second path takes over in one message; the new source loses what it had', () => {
    const { speaker, a, b, old } = four()
    a.announce(['10.3.0.0/24'], fromA())
    b.announce(['10.3.0.0/24'], attributes({ path: [65102, 7], nextHop: '10.0.0.102' }))
    speaker.settle()
    const [toA, toB, toOld] = [a, b, old].map(({ messages }) => messages.length)
    a.withdraw(['10.3.0.0/24'])
    speaker.settle()
    assert.equal(formatAsPath(old.rib.get('10.3.0.0/24')!.asPath), `${AS} 65102 7`)
    assert.equal(old.messages.length, toOld! + 1)
    assert.equal(formatAsPath(a.rib.get('10.3.0.0/24')!.asPath), `${AS} 65102 7`)
    assert.equal(a.messages.length, toA! + 1)
    assert.ok(!b.rib.has('10.3.0.0/24'))
    assert.equal(b.messages.length, toB! + 1)
  })
})

describe('R: route reflection (RFC 4456)', () => {
  const CLUSTER = '9.9.9.9'
  function reflector() {
    const speaker = new Speaker({ as: 64512, networks: ['10.1.0.0/24'], clusterIds: [CLUSTER] })
    const client = { as: 64512, clusterId: CLUSTER }
    const g = speaker.peer({ ...client, address: '10.0.0.2' })
    const f = speaker.peer({ ...client, address: '10.0.0.3' })
    const n = speaker.peer({ as: 64512, address: '10.0.0.4' })
    const p = speaker.peer({ as: 64512, address: '10.0.0.101' })
    g.announce(['10.2.0.0/24'], attributes({ nextHop: '10.0.0.2', localPref: 100 }))
    f.announce(['10.3.0.0/24'], attributes({ nextHop: '10.0.0.3', localPref: 100 }))
    n.announce(['10.4.0.0/24'], attributes({ nextHop: '10.0.0.4', localPref: 100 }))
    speaker.settle()
    return { speaker, g, f, n, p }
  }
  const clusters = (list: readonly number[]) => list.map(formatBgpId)

  test('R03, R04 client to client: next hop unchanged, ORIGINATOR_ID and CLUSTER_LIST there', () => {
    const heard = reflector().g.rib.get('10.3.0.0/24')!
    assert.equal(heard.nextHop, '10.0.0.3')
    assert.equal(formatBgpId(heard.originatorId!), '10.0.0.3')
    assert.deepEqual(clusters(heard.clusterList), [CLUSTER])
  })
  test('R05 client to non-client, R06 non-client to clients', () => {
    const { g, f, n } = reflector()
    assert.ok(n.rib.has('10.2.0.0/24') && n.rib.has('10.3.0.0/24'))
    assert.ok(g.rib.has('10.4.0.0/24') && f.rib.has('10.4.0.0/24'))
    assert.deepEqual(clusters(g.rib.get('10.4.0.0/24')!.clusterList), [CLUSTER])
  })
  test('R07 not from non-client to non-client', () => {
    const { p } = reflector()
    assert.ok(!p.rib.has('10.4.0.0/24') && p.rib.has('10.2.0.0/24'))
  })
  test('R08 to a non-client: ORIGINATOR_ID 80, CLUSTER_LIST, LOCAL_PREF', () => {
    const { p } = reflector()
    const heard = p.rib.get('10.2.0.0/24')!
    assert.deepEqual(clusters(heard.clusterList), [CLUSTER])
    assert.equal(heard.localPref, 100)
    const message = p.messages.find((each) => Buffer.from(each).toString('hex').endsWith('180a0200'))!
    assert.ok(Buffer.from(message).toString('hex').includes('8009040a000002'))
  })
  test('R09 to R12 foreign marks are taken, our own are loops', () => {
    const { speaker, g, p } = reflector()
    const route = { nextHop: '10.0.0.101', localPref: 100 }
    const foreign = parseBgpId('5.5.5.5')
    const other = parseBgpId('1.1.1.1')
    p.announce(['10.55.1.0/24'], attributes({ ...route, originatorId: parseBgpId('10.0.0.1'), clusterList: [other] }))
    p.announce(
      ['10.55.2.0/24'],
      attributes({ ...route, originatorId: foreign, clusterList: [other, parseBgpId(CLUSTER)] }),
    )
    p.announce(['10.55.3.0/24'], attributes({ ...route, originatorId: foreign, clusterList: [other] }))
    speaker.settle()
    assert.equal(speaker.best('10.55.1.0/24'), undefined)
    assert.equal(speaker.best('10.55.2.0/24'), undefined)
    assert.equal(speaker.best('10.55.3.0/24')!.hop.address, '10.0.0.101')
    const heard = g.rib.get('10.55.3.0/24')!
    assert.equal(formatBgpId(heard.originatorId!), '5.5.5.5')
    assert.deepEqual(clusters(heard.clusterList), [CLUSTER, '1.1.1.1'])
  })
  test('clients of two clusters: both are put in front', () => {
    const speaker = new Speaker({ as: 64512, clusterIds: ['1.0.0.1', '1.0.0.2'] })
    const one = speaker.peer({ as: 64512, address: '10.0.0.2', clusterId: '1.0.0.1' })
    const two = speaker.peer({ as: 64512, address: '10.0.0.3', clusterId: '1.0.0.2' })
    one.announce(['10.2.0.0/24'], attributes({ nextHop: '10.0.0.2', localPref: 100 }))
    speaker.settle()
    assert.deepEqual(clusters(two.rib.get('10.2.0.0/24')!.clusterList), ['1.0.0.2', '1.0.0.1'])
  })
  test('R13, R14 as clients of a reflector, two speakers have each other as next hop', () => {
    const one = new Speaker({ as: 64512, address: '10.0.0.1', networks: ['10.1.0.0/24'] })
    const two = new Speaker({ as: 64512, address: '10.0.0.2', networks: ['10.2.0.0/24'] })
    const reflects = new Speaker({ as: 64512, address: '10.0.0.3', clusterIds: [CLUSTER] })
    const client = { clusterId: CLUSTER }
    settleAll([one, two, reflects], [link(reflects, client, one, {}), link(reflects, client, two, {})])
    assert.equal(one.best('10.2.0.0/24')!.hop.address, '10.0.0.2')
    assert.equal(two.best('10.1.0.0/24')!.hop.address, '10.0.0.1')
    assert.equal(formatBgpId(two.best('10.1.0.0/24')!.routerId), '10.0.0.1')
  })
  test('M05 without reflection nothing goes from iBGP to iBGP', () => {
    const speaker = new Speaker({ as: 64512, networks: ['10.244.1.0/26'] })
    const two = speaker.peer({ as: 64512, address: '10.0.0.2' })
    const three = speaker.peer({ as: 64512, address: '10.0.0.3' })
    two.announce(['10.244.2.0/26'], attributes({ nextHop: '10.0.0.2', localPref: 100 }))
    speaker.settle()
    assert.deepEqual([...three.rib.keys()], ['10.244.1.0/26'])
    const heard = three.rib.get('10.244.1.0/26')!
    assert.deepEqual([heard.localPref, heard.asPath, heard.nextHop], [100, [], '10.0.0.1'])
  })
})
