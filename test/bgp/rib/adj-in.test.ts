/** What is taken from a peer, and what becomes of it when the peer goes, comes back, or sends all again. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { WellKnown } from '../../../src/bgp/attribute/communities.ts'
import { parsePrefixKey } from '../../../src/bgp/nlri.ts'
import { Filter } from '../../../src/bgp/policy/filter.ts'
import { whyUnusable } from '../../../src/bgp/rib/path.ts'
import { attributes, type PeerOptions, Speaker } from './speaker.ts'

const AS = 65001
const a: PeerOptions = { address: '10.0.0.101', as: 65101 }
const b: PeerOptions = { address: '10.0.0.102', as: 65102 }
const P = '40.0.0.0/24'
const Q = '40.1.0.0/24'
const of = (peer: PeerOptions, members: Parameters<typeof attributes>[0] = {}) =>
  attributes({ path: [peer.as], nextHop: peer.address, ...members })
const reasons = (speaker: Speaker, prefix: string) => speaker.tables.ipv4.paths(parsePrefixKey(prefix)).map(whyUnusable)

describe('loops (RFC 4271 §9.1.2)', () => {
  test("a path with our own AS is not used, and the peer's older path is gone", () => {
    const speaker = new Speaker({ as: AS })
    const [peer, other] = [speaker.peer(a), speaker.peer(b)]
    peer.announce([P], of(a))
    speaker.settle()
    assert.ok(other.rib.has(P))
    peer.announce([P], of(a, { path: [65101, 7, AS, 8] }))
    speaker.settle()
    assert.equal(speaker.best(P), undefined)
    assert.deepEqual(reasons(speaker, P), ['AS loop'])
    assert.ok(!other.rib.has(P))
    assert.deepEqual([peer.session.adjIn.ipv4.accepted, peer.session.adjIn.ipv4.received], [0, 1])
  })
  for (const [allowAsIn, times, taken] of [
    [0, 1, false],
    [1, 1, true],
    [1, 2, false],
    [2, 2, true],
  ] as const) {
    test(`allowAsIn ${allowAsIn}: our AS ${times} times is ${taken ? '' : 'not '}taken`, () => {
      const speaker = new Speaker({ as: AS })
      const peer = speaker.peer({ ...a, allowAsIn })
      peer.announce([P], of(a, { path: [65101, ...new Array<number>(times).fill(AS)] }))
      assert.equal(speaker.best(P) !== undefined, taken)
    })
  }
  test('the AS that we show a peer is ours too', () => {
    const speaker = new Speaker({ as: AS })
    const peer = speaker.peer({ ...a, localAs: 64999 })
    peer.announce([P], of(a, { path: [65101, 64999] }))
    assert.deepEqual(reasons(speaker, P), ['AS loop'])
  })
})

describe('next hops (RFC 4271 §9.1.2.1)', () => {
  for (const hop of ['0.0.0.0', '224.0.0.1', '127.0.0.1', '255.255.255.255']) {
    test(`${hop} is never one`, () => {
      const speaker = new Speaker({ as: AS })
      speaker.peer(a).announce([P], of(a, { nextHop: hop }))
      assert.equal(speaker.best(P), undefined)
    })
  }
  test('one that nothing leads to is waited for, and lost again', () => {
    const metrics = new Map<string, number>()
    const speaker = new Speaker({ as: AS, resolve: (address) => metrics.get(address) })
    const [peer, other] = [speaker.peer(a), speaker.peer(b)]
    peer.announce([P, Q], of(a))
    speaker.settle()
    assert.deepEqual(reasons(speaker, P), ['next hop 10.0.0.101 is not reachable'])
    assert.equal(speaker.tables.ipv4.size, 0)

    metrics.set('10.0.0.101', 5)
    speaker.ribs.resolveAgain()
    speaker.settle()
    assert.ok(other.rib.has(P) && other.rib.has(Q))
    assert.equal(speaker.tables.ipv4.size, 2)

    const before = other.messages.length
    speaker.ribs.resolveAgain()
    speaker.settle()
    assert.equal(other.messages.length, before, 'nothing has changed')

    metrics.clear()
    speaker.ribs.resolveAgain()
    speaker.settle()
    assert.equal(other.rib.size, 0)
    assert.equal(speaker.tables.ipv4.size, 0)
  })
  test('a way that has become longer makes another path the best', () => {
    const metrics = new Map([
      ['10.0.0.101', 1],
      ['10.0.0.102', 2],
    ])
    const speaker = new Speaker({ as: AS, resolve: (address) => metrics.get(address) })
    const third = speaker.peer({ address: '10.0.0.103', as: 65103 })
    speaker.peer(a).announce([P], of(a))
    speaker.peer(b).announce([P], of(b))
    speaker.settle()
    assert.equal(speaker.best(P)!.hop.address, '10.0.0.101')
    metrics.set('10.0.0.101', 3)
    speaker.ribs.resolveAgain()
    speaker.settle()
    assert.equal(speaker.best(P)!.hop.address, '10.0.0.102')
    assert.deepEqual(third.rib.get(P)!.asPath, [{ type: 'sequence', numbers: [AS, 65102] }])
  })
})

describe('rules of our own', () => {
  test('importAll false: nothing is taken', () => {
    const speaker = new Speaker({ as: AS })
    const peer = speaker.peer({ ...a, importAll: false })
    peer.announce([P], of(a))
    assert.deepEqual(reasons(speaker, P), ['import is off'])
    assert.equal(peer.session.adjIn.ipv4.accepted, 0)
  })
  test('a filter tells prefixes with the same attributes apart, and changes some', () => {
    const speaker = new Speaker({ as: AS })
    const importFilter = new Filter([
      { action: 'Reject', cidr: P, matchOperator: 'Equal' },
      { action: 'Accept', cidr: Q, matchOperator: 'Equal', operations: [{ setLocalPref: { value: 300 } }] },
    ])
    const peer = speaker.peer({ ...a, importFilter })
    peer.announce([P, Q, '40.2.0.0/24'], of(a))
    assert.deepEqual(reasons(speaker, P), ['rejected by a filter'])
    assert.equal(speaker.best(Q)!.localPref, 300)
    assert.equal(speaker.best('40.2.0.0/24')!.localPref, 100)
    assert.deepEqual([peer.session.adjIn.ipv4.accepted, peer.session.adjIn.ipv4.received], [2, 3])
  })
  test('prefixes that a filter treats alike share one path, whatever came between', () => {
    const speaker = new Speaker({ as: AS })
    const operations = [{ setMed: { value: 7 } }]
    const cidr = '40.0.0.0/15'
    const importFilter = new Filter([{ action: 'Accept', cidr, matchOperator: 'In', operations }])
    speaker.peer({ ...a, importFilter }).announce([P, '50.0.0.0/24', Q, '50.1.0.0/24', P], of(a))
    assert.equal(speaker.best(P), speaker.best(Q))
    assert.equal(speaker.best('50.0.0.0/24'), speaker.best('50.1.0.0/24'))
    assert.notEqual(speaker.best(P), speaker.best('50.0.0.0/24'))
  })
  test('other rules are for what has been announced before, too', () => {
    const speaker = new Speaker({ as: AS })
    const [peer, other] = [speaker.peer(a), speaker.peer(b)]
    peer.announce([P, Q], of(a))
    speaker.settle()
    const { adjIn, importRules } = peer.session
    const filter = new Filter([{ action: 'Reject', cidr: P, matchOperator: 'Equal' }])
    adjIn.ipv4.setRules({ ...importRules, filter })
    speaker.settle()
    assert.deepEqual([...other.rib.keys()], [Q])
    assert.equal(adjIn.ipv4.accepted, 1)
    adjIn.ipv4.setRules(importRules)
    speaker.settle()
    assert.ok(other.rib.has(P))
    assert.equal(adjIn.ipv4.accepted, 2)
  })
  test('graceful shutdown: LOCAL_PREF 0 for routes from outside (RFC 8326 §4.2)', () => {
    const speaker = new Speaker({ as: AS })
    speaker.peer(a).announce([P], of(a, { communities: [WellKnown['graceful-shutdown']] }))
    assert.equal(speaker.best(P)!.localPref, 0)
  })
})

describe('path identifiers (RFC 7911)', () => {
  test('two paths of a peer are kept apart, and withdrawn one by one', () => {
    const speaker = new Speaker({ as: AS })
    const peer = speaker.peer({ ...a, addPathReceived: true })
    peer.announce([P], of(a, { nextHop: '10.0.0.7' }), 1)
    peer.announce([P], of(a, { nextHop: '10.0.0.8' }), 2)
    const hops = () => speaker.tables.ipv4.equal(parsePrefixKey(P)).map(({ hop }) => hop.address)
    assert.deepEqual(hops(), ['10.0.0.7', '10.0.0.8'])
    peer.withdraw([P], 1)
    assert.deepEqual(hops(), ['10.0.0.8'])
    peer.withdraw([P], 1)
    assert.deepEqual(hops(), ['10.0.0.8'])
    peer.announce([P], of(a, { nextHop: '10.0.0.9' }), 2)
    assert.deepEqual(hops(), ['10.0.0.9'])
    assert.equal(peer.session.adjIn.ipv4.received, 1)
  })
})

describe('graceful restart (RFC 4724 §4.2)', () => {
  function restarting(options: Partial<PeerOptions> = {}) {
    const speaker = new Speaker({ as: AS })
    const other = speaker.peer({ ...b, ...options })
    const before = speaker.peer(a)
    before.announce([P, Q], of(a))
    speaker.settle()
    before.session.down(true)
    speaker.settle()
    return { speaker, other, before }
  }
  test('routes of a peer that is away stay, and are stale', () => {
    const { speaker, other } = restarting()
    assert.ok(speaker.best(P)!.source.stale)
    assert.ok(other.rib.has(P))
  })
  test('announced again they are not, and nobody is told anything', () => {
    const { speaker, other } = restarting()
    const heard = other.messages.length
    const back = speaker.peer(a)
    back.announce([P, Q], of(a))
    back.endOfRib()
    speaker.settle()
    assert.equal(speaker.best(P)!.source.stale, false)
    assert.equal(other.messages.length, heard)
    assert.equal(back.session.adjIn.ipv4.accepted, 2)
  })
  test('what is not announced again is gone with End-of-RIB, not before', () => {
    const { speaker, other } = restarting()
    const back = speaker.peer(a)
    back.announce([Q], of(a))
    speaker.settle()
    assert.ok(other.rib.has(P))
    back.endOfRib()
    speaker.settle()
    assert.deepEqual([...other.rib.keys()], [Q])
    assert.equal(back.session.adjIn.ipv4.received, 1)
  })
  test('a peer that does not come back: all goes when the time is over', () => {
    const { speaker, other, before } = restarting()
    before.session.adjIn.ipv4.sweep()
    speaker.settle()
    assert.equal(other.rib.size, 0)
    assert.equal(before.session.adjIn.ipv4.received, 0)
  })
  test('a peer that goes again before it has sent all: what was stale the first time goes', () => {
    const { speaker, other } = restarting()
    const back = speaker.peer(a)
    back.announce([Q], of(a))
    back.session.down(true)
    speaker.settle()
    assert.deepEqual([...other.rib.keys()], [Q])
  })
  test('a session that ends for good takes stale routes with it', () => {
    const { speaker, other } = restarting()
    speaker.peer(a).session.down()
    speaker.settle()
    assert.equal(other.rib.size, 0)
  })

  describe('long-lived (RFC 9494)', () => {
    test('routes are used where there are no others, and marked for those that know', () => {
      const { speaker, other, before } = restarting({ longLived: true })
      before.session.adjIn.ipv4.keepLongLived()
      speaker.settle()
      assert.deepEqual(other.rib.get(P)!.communities, [WellKnown['llgr-stale']])
      other.announce([P], of(b, { path: [65102, 1, 2, 3, 4] }))
      assert.equal(speaker.best(P)!.source.peer.address, b.address)
    })
    test('they are taken from peers that do not know', () => {
      const { speaker, other, before } = restarting()
      before.session.adjIn.ipv4.keepLongLived()
      speaker.settle()
      assert.equal(other.rib.size, 0)
      assert.ok(speaker.best(P))
    })
    test('NO_LLGR: not kept', () => {
      const speaker = new Speaker({ as: AS })
      const peer = speaker.peer(a)
      peer.announce([P], of(a, { communities: [WellKnown['no-llgr']] }))
      peer.announce([Q], of(a))
      peer.session.down(true)
      peer.session.adjIn.ipv4.keepLongLived()
      assert.equal(speaker.best(P), undefined)
      assert.ok(speaker.best(Q))
      assert.equal(peer.session.adjIn.ipv4.received, 1)
    })
    test('a peer that is back says it anew', () => {
      const { speaker, other, before } = restarting({ longLived: true })
      before.session.adjIn.ipv4.keepLongLived()
      speaker.settle()
      const back = speaker.peer(a)
      back.announce([P], of(a))
      back.endOfRib()
      speaker.settle()
      assert.deepEqual([...other.rib.keys()], [P])
      assert.deepEqual(other.rib.get(P)!.communities, [])
    })
  })
})

describe('enhanced route refresh (RFC 7313 §4)', () => {
  test('what is not sent between BoRR and EoRR is gone, and nothing else is said', () => {
    const speaker = new Speaker({ as: AS })
    const [peer, other] = [speaker.peer(a), speaker.peer(b)]
    peer.announce([P, Q], of(a))
    speaker.settle()
    const heard = other.messages.length
    peer.session.adjIn.ipv4.refreshBegins()
    peer.announce([Q], of(a))
    speaker.settle()
    assert.equal(other.messages.length, heard)
    peer.session.adjIn.ipv4.sweep()
    speaker.settle()
    assert.deepEqual([...other.rib.keys()], [Q])
    assert.equal(other.messages.length, heard + 1)
  })
})
