/** What peers are sent, how often, and in which messages. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { formatAsPath } from '../../../src/bgp/attribute/as-path.ts'
import { parseCommunity } from '../../../src/bgp/attribute/communities.ts'
import { encodeEndOfRib } from '../../../src/bgp/message/pack.ts'
import { formatPrefixKey, parsePrefixKey } from '../../../src/bgp/nlri.ts'
import { Filter } from '../../../src/bgp/policy/filter.ts'
import type { ExportRules } from '../../../src/bgp/rib/export.ts'
import { OWN_ATTRIBUTES } from '../../../src/bgp/rib/own-routes.ts'
import { attributes, type PeerOptions, Speaker } from './speaker.ts'

const AS = 65001
const a: PeerOptions = { address: '10.0.0.101', as: 65101 }
const b: PeerOptions = { address: '10.0.0.102', as: 65102 }
const c: PeerOptions = { address: '10.0.0.103', as: 65103 }
const inside: PeerOptions = { address: '10.0.0.104', as: AS }
const P = '40.0.0.0/24'
const Q = '40.1.0.0/24'
const of = (peer: PeerOptions, members: Parameters<typeof attributes>[0] = {}) =>
  attributes({ path: [peer.as], nextHop: peer.address, ...members })
const many = (count: number) => Array.from({ length: count }, (_, i) => `20.${i >> 8}.${i & 255}.0/24`)

/** What a peer of these options hears of a route from `a`. */
function heard(options: Partial<PeerOptions>, members: Parameters<typeof attributes>[0] = {}, prefix = P) {
  const speaker = new Speaker({ as: AS })
  const [source, peer] = [speaker.peer(a), speaker.peer({ ...b, ...options })]
  source.announce([prefix], of(a, members))
  speaker.settle()
  return peer.rib.get(prefix)
}

describe('towards eBGP', () => {
  test('localAs stands in the AS_PATH in the place of our AS', () =>
    assert.equal(formatAsPath(heard({ localAs: 64999 })!.asPath), '64999 65101'))
  test('next hop: ours, or kept where that is wanted', () => {
    assert.equal(heard({})!.nextHop, '10.0.0.1')
    assert.equal(heard({ nextHop: 'keep' })!.nextHop, '10.0.0.101')
  })
  test('extended communities that are not transitive stay inside (RFC 4360 §6)', () => {
    const extendedCommunities = [0x0002_fde9_0000_0064n, 0x4002_fde9_0000_0064n]
    assert.deepEqual(heard({}, { extendedCommunities })!.extendedCommunities, extendedCommunities.slice(0, 1))
    assert.deepEqual(heard(inside, { extendedCommunities })!.extendedCommunities, extendedCommunities)
  })
  test('ORIGINATOR_ID, CLUSTER_LIST and LOCAL_PREF stay inside', () => {
    const speaker = new Speaker({ as: AS })
    const [source, peer] = [speaker.peer(inside), speaker.peer(b)]
    const marked = { originatorId: 7, clusterList: [8], localPref: 200, med: 5 }
    source.announce([P], attributes({ nextHop: inside.address, ...marked }))
    speaker.settle()
    const { originatorId, clusterList, localPref, med } = peer.rib.get(P)!
    assert.deepEqual([originatorId, clusterList, localPref], [undefined, [], undefined])
    assert.equal(med, 5, 'the MED of a route that begins in our AS is ours')
  })
  test('the filter comes first: its prepended AS stands behind ours, its MED is sent', () => {
    const exportFilter = new Filter([
      { action: 'Accept', operations: [{ prependASPath: { prefix: [AS, AS] } }, { setMed: { value: 9 } }] },
    ])
    const route = heard({ exportFilter }, { med: 77 })!
    assert.equal(formatAsPath(route.asPath), `${AS} ${AS} ${AS} 65101`)
    assert.equal(route.med, 9)
  })
})

describe('towards iBGP', () => {
  test('next hop: kept, or ours where that is wanted', () => {
    assert.equal(heard(inside)!.nextHop, '10.0.0.101')
    assert.equal(heard({ ...inside, nextHop: 'self' })!.nextHop, '10.0.0.1')
  })
  test('next hop: as the filter says', () => {
    const exportFilter = new Filter([{ action: 'Accept', operations: [{ setNextHop: { value: '10.9.9.9' } }] }])
    assert.equal(heard({ ...inside, exportFilter })!.nextHop, '10.9.9.9')
    assert.equal(heard({ exportFilter })!.nextHop, '10.9.9.9')
  })
  test('an IPv6 next hop of an IPv4 route is kept where the peer knows RFC 8950, else it is ours', () => {
    assert.equal(heard({ ...inside, extendedNextHop: true }, { nextHop: 'fd00::9' })!.nextHop, 'fd00::9')
    assert.equal(heard(inside, { nextHop: 'fd00::9' })!.nextHop, '10.0.0.1')
  })
})

describe('as other rules have it', () => {
  const sentBy = (change: Partial<ExportRules>, options: PeerOptions = inside) => {
    const speaker = new Speaker({ as: AS })
    const peer = speaker.peer(options)
    const route = { attributes: OWN_ATTRIBUTES, interface: undefined, priority: 1024 }
    speaker.ribs.own.ipv4.announce([parsePrefixKey(P)], route)
    speaker.groups.ipv4.setRules(options.address, { ...peer.session.exportRules, ...change })
    speaker.settle()
    return peer.rib.get(P)
  }
  test("Calico's LOCAL_PREF says the priority of the route", () => {
    assert.equal(sentBy({ priorityAsLocalPref: true })!.localPref, 2_147_482_623)
    assert.equal(sentBy({ priorityAsLocalPref: false })!.localPref, 100)
    assert.equal(sentBy({ priorityAsLocalPref: true }, b)!.localPref, undefined)
  })
  test('without an IPv4 address an IPv4 route has our IPv6 next hop (RFC 8950), or is not sent', () => {
    const localAddress = { ipv4: undefined, ipv6: 'fd00:10::1', linkLocal: 'fe80::1' }
    const { nextHop, linkLocal } = sentBy({ localAddress, extendedNextHop: true }, b)!
    assert.deepEqual([nextHop, linkLocal], ['fd00:10::1', 'fe80::1'])
    assert.equal(sentBy({ localAddress, extendedNextHop: false }, b), undefined)
  })
})

describe('what is sent at all', () => {
  test('exportAll false: only own routes', () => {
    const speaker = new Speaker({ as: AS, networks: ['10.1.0.0/24'] })
    const [source, peer] = [speaker.peer(a), speaker.peer({ ...b, exportAll: false })]
    source.announce([P], of(a))
    speaker.settle()
    assert.deepEqual([...peer.rib.keys()], ['10.1.0.0/24'])
  })
  test('communities of ours are added, once', () => {
    const own = [parseCommunity('65001:1'), parseCommunity('65001:2')]
    const route = heard({ communities: own }, { communities: [own[1]!, 7] })!
    assert.deepEqual(route.communities, [own[1], 7, own[0]])
  })
  test('own routes of the kernel: a filter knows their interface', () => {
    const exportFilter = new Filter([{ action: 'Reject', interface: 'cali*' }])
    const speaker = new Speaker({ as: AS })
    const peer = speaker.peer({ ...b, exportFilter })
    const route = { attributes: OWN_ATTRIBUTES, priority: undefined }
    speaker.ribs.own.ipv4.announce([parsePrefixKey(P)], { ...route, interface: 'cali12' })
    speaker.ribs.own.ipv4.announce([parsePrefixKey(Q)], { ...route, interface: 'eth0' })
    speaker.settle()
    assert.deepEqual([...peer.rib.keys()], [Q])
  })
  test('attributes that leave no room for a prefix: what the peer had is withdrawn (RFC 8654 §4)', () => {
    const speaker = new Speaker({ as: AS })
    const [source, peer] = [speaker.peer(a), speaker.peer(b)]
    source.announce([P], of(a))
    speaker.settle()
    assert.ok(peer.rib.has(P))
    const { ipv4 } = source.session.adjIn
    const communities = Array.from({ length: 1100 }, (_, i) => i + 1)
    const route = of(a, { communities })
    ipv4.announce({ family: 'ipv4', prefixes: [parsePrefixKey(P)], pathIds: undefined, attributes: route })
    speaker.settle()
    assert.ok(!peer.rib.has(P))
  })
})

describe('groups', () => {
  test('peers with the same rules are sent the same octets, encoded once', () => {
    const speaker = new Speaker({ as: AS })
    const [source, one, other] = [speaker.peer(a), speaker.peer(b), speaker.peer(c)]
    speaker.settle()
    source.announce(many(3000), of(a))
    speaker.settle()
    assert.equal(speaker.groups.ipv4.size, 1)
    assert.equal(one.messages.length, 3)
    for (const [i, message] of one.messages.entries()) assert.equal(message, other.messages[i])
    assert.equal(source.messages.length, 0)
  })
  test('a two-octet peer, one with other communities, one of our AS are groups of their own', () => {
    const speaker = new Speaker({ as: AS })
    for (const options of [a, b, { ...c, as4: false }, { ...c, address: '10.0.0.5', communities: [7] }, inside]) {
      speaker.peer(options)
    }
    assert.equal(speaker.groups.ipv4.size, 4)
    for (const { address } of [a, b]) speaker.groups.ipv4.leave(address)
    assert.equal(speaker.groups.ipv4.size, 3)
  })
  test('routes with the same attributes are in one message, whatever came between', () => {
    const speaker = new Speaker({ as: AS })
    const [source, peer] = [speaker.peer(a), speaker.peer(b)]
    speaker.settle()
    for (const [i, prefix] of many(100).entries()) source.announce([prefix], of(a, { path: [65101, 1 + (i % 2)] }))
    speaker.settle()
    assert.equal(peer.messages.length, 2)
    assert.equal(peer.rib.size, 100)
  })
  test('other rules for a session: what is not as before is sent, and nothing else', () => {
    const speaker = new Speaker({ as: AS, networks: ['10.1.0.0/24', '10.2.0.0/24'] })
    const [peer, other] = [speaker.peer(b), speaker.peer(c)]
    speaker.settle()
    const [before, beforeOther] = [peer.messages.length, other.messages.length]
    const filter = new Filter([{ action: 'Reject', cidr: '10.1.0.0/24', matchOperator: 'Equal' }])
    speaker.groups.ipv4.setRules(b.address, { ...peer.session.exportRules, filter })
    speaker.settle()
    assert.deepEqual([...peer.rib.keys()], ['10.2.0.0/24'])
    assert.equal(peer.messages.length, before + 1)
    speaker.groups.ipv4.setRules(b.address, peer.session.exportRules)
    speaker.settle()
    assert.equal(peer.messages.length, before + 2)
    assert.equal(peer.rib.size, 2)
    assert.equal(other.messages.length, beforeOther)
    assert.equal(speaker.groups.ipv4.size, 1)
  })
})

describe('from one source to another', () => {
  test('the same attributes: the new source loses the route, the one before gets it', () => {
    const speaker = new Speaker({ as: AS })
    const twin = { ...a, address: '10.0.0.105', routerId: '200.0.0.1' }
    const [one, two, other] = [speaker.peer(a), speaker.peer(twin), speaker.peer(b)]
    one.announce([P], of(a))
    two.announce([P], of(a))
    speaker.settle()
    assert.deepEqual([one.rib.has(P), two.rib.has(P), other.rib.has(P)], [false, true, true])
    one.withdraw([P])
    speaker.settle()
    assert.deepEqual([one.rib.has(P), two.rib.has(P), other.rib.has(P)], [true, false, true])
  })
})

describe('a peer that joins', () => {
  test('is sent the whole table, then End-of-RIB', () => {
    const speaker = new Speaker({ as: AS })
    speaker.peer(a).announce(many(40_000), of(a))
    const peer = speaker.peer({ ...b, endOfRib: true })
    speaker.settle()
    assert.equal(peer.rib.size, 40_000)
    const markers = peer.updates.map(({ endOfRib }) => endOfRib).filter((family) => family)
    assert.deepEqual(markers.sort(), ['ipv4', 'ipv6'])
    assert.equal(peer.updates.at(-1)!.endOfRib, 'ipv4', 'behind the last of them')
  })
  test('with others is sent the same octets as they', () => {
    const speaker = new Speaker({ as: AS, networks: many(10) })
    const [one, other] = [speaker.peer(b), speaker.peer(c)]
    speaker.settle()
    assert.equal(one.messages.length, 1)
    assert.equal(one.messages[0], other.messages[0])
  })
  test('and does not take it all at once holds up nobody; what changes meanwhile is sent as it is at last', () => {
    const speaker = new Speaker({ as: AS })
    const source = speaker.peer(a)
    source.announce(many(40_000), of(a))
    const [slow, quick] = [speaker.peer(b), speaker.peer(c)]
    slow.session.member.ready = false
    speaker.settle()
    assert.deepEqual([slow.rib.size, quick.rib.size], [0, 40_000])
    slow.session.member.ready = true
    assert.equal(speaker.groups.ipv4.pump(), true, 'a slice')
    slow.session.member.ready = false
    assert.ok(slow.rib.size > 0 && slow.rib.size < 40_000)
    source.withdraw([many(1)[0]!, many(40_000).at(-1)!])
    source.announce(['20.0.1.0/24'], of(a, { path: [65101, 7] }))
    speaker.settle()
    assert.equal(quick.rib.size, 39_998)
    slow.session.member.ready = true
    speaker.settle()
    assert.deepEqual(slow.rib, quick.rib)
  })
})

describe('a slow peer', () => {
  test('hears of the last state only', () => {
    const speaker = new Speaker({ as: AS })
    const [source, slow, quick] = [speaker.peer(a), speaker.peer(b), speaker.peer(c)]
    speaker.settle()
    slow.session.member.ready = false
    for (let i = 0; i < 5; i++) {
      source.announce([P], of(a, { path: [65101, i + 1] }))
      speaker.settle()
    }
    assert.deepEqual([slow.messages.length, quick.messages.length], [0, 5])
    slow.session.member.ready = true
    speaker.settle()
    assert.equal(slow.messages.length, 1)
    assert.deepEqual(slow.rib, quick.rib)
  })
  test('that has become the source, and then has none, is told to forget what it had', () => {
    const speaker = new Speaker({ as: AS })
    const [source, slow] = [speaker.peer(a), speaker.peer(b)]
    source.announce([P], of(a))
    speaker.settle()
    assert.ok(slow.rib.has(P))
    slow.session.member.ready = false
    slow.announce([P], of(b))
    source.withdraw([P])
    speaker.settle()
    slow.withdraw([P])
    speaker.settle()
    slow.session.member.ready = true
    speaker.settle()
    assert.ok(!slow.rib.has(P))
  })
})

describe('route refresh (RFC 2918, RFC 7313)', () => {
  test('all routes again, then what the caller wants behind them', () => {
    const speaker = new Speaker({ as: AS, networks: many(10) })
    const [peer, other] = [speaker.peer(b), speaker.peer(c)]
    speaker.settle()
    peer.rib.clear()
    speaker.groups.ipv4.of(b.address)!.refresh(b.address, encodeEndOfRib('ipv4'))
    speaker.settle()
    assert.equal(peer.rib.size, 10)
    assert.equal(peer.updates.at(-1)!.endOfRib, 'ipv4')
    assert.equal(other.messages.length, 1)
  })
})

describe('with path identifiers (RFC 7911)', () => {
  function sending() {
    const speaker = new Speaker({ as: AS })
    const peer = speaker.peer({ ...c, addPathSent: true })
    const rib = () => [...peer.rib].map(([name, { asPath }]) => `${name}: ${formatAsPath(asPath)}`).sort()
    return { speaker, messages: peer.messages, rib, one: speaker.peer(a), two: speaker.peer(b) }
  }
  test('all that can be used is sent, each by an identifier of its own, and withdrawn by it', () => {
    const { speaker, rib, one, two, messages } = sending()
    one.announce([P, Q], of(a))
    two.announce([P], of(b))
    speaker.settle()
    assert.deepEqual(rib(), [`${P} 1: ${AS} 65101`, `${P} 2: ${AS} 65102`, `${Q} 1: ${AS} 65101`])
    const before = messages.length
    one.withdraw([P])
    speaker.settle()
    assert.deepEqual(rib(), [`${P} 2: ${AS} 65102`, `${Q} 1: ${AS} 65101`])
    assert.equal(messages.length, before + 1, 'the other path is not announced again')
    assert.deepEqual(
      [...speaker.groups.ipv4.of(c.address)!.routes(c.address)].map(
        ({ key, sent }) => `${formatPrefixKey(key)} ${sent.pathId}`,
      ),
      [`${P} 2`, `${Q} 1`],
    )
  })
  test('a path that is not the best changes: it alone is sent', () => {
    const { speaker, rib, one, two, messages } = sending()
    one.announce([P], of(a))
    two.announce([P], of(b, { path: [65102, 7] }))
    speaker.settle()
    const before = messages.length
    two.announce([P], of(b, { path: [65102, 8, 9] }))
    speaker.settle()
    assert.deepEqual(rib(), [`${P} 1: ${AS} 65101`, `${P} 2: ${AS} 65102 8 9`])
    assert.equal(messages.length, before + 1)
  })
})
