/** A neighbour between its sessions: who dials, who is let in, how long it rests, and what is said of it. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { BackOff } from '../../src/bgp/back-off.ts'
import type { PeerSettings } from '../../src/bgp/peer-settings.ts'
import { messageHex } from './octets.ts'
import { KEEPALIVE, openHex, ScriptedPeer, TestSpeaker, type World, world } from './speakers.ts'

const US = '10.0.0.1'
const PEER = '10.0.0.2'
const SECOND = 1000

function speaker(w: World, given: Partial<PeerSettings> = {}): TestSpeaker {
  const us = new TestSpeaker(w, US)
  us.neighbour(PEER, { remoteAs: 65001, ...given }).enable()
  return us
}

const told = (us: TestSpeaker) => us.heard.get(PEER)!.told
const description = (us: TestSpeaker) => us.peers.get(PEER)!.describe()

function establish(peer: ScriptedPeer, open = openHex()): ScriptedPeer {
  peer.send(open)
  peer.send(KEEPALIVE)
  return peer
}

describe('a neighbour', () => {
  test('is dialled at once, and again every ConnectRetry time, with jitter', () => {
    const w = world()
    const us = speaker(w, { connectRetry: 10 })
    w.clock.advance(10)
    w.network.host(PEER)
    w.clock.advance(15 * SECOND)
    assert.equal(description(us), 'Not established with 10.0.0.2 from 10.0.0.1 (Active): connection refused')
    const met = ScriptedPeer.listen(w, PEER)
    w.clock.advance(10 * SECOND)
    assert.equal(met.length, 1)
    establish(met[0]!)
    assert.equal(description(us), 'Established with 10.0.0.2 from 10.0.0.1')
  })
  test('that does not answer is dialled anew, one connection at a time', () => {
    const w = world()
    const us = speaker(w, { name: 'rack-1', localAddress: US })
    w.clock.advance(60 * SECOND)
    assert.equal(us.host.connections, 1)
    assert.equal(description(us), 'Not established with rack-1 (10.0.0.2) from 10.0.0.1 (Connect): no answer yet')
  })
  test('that is passive is never dialled', () => {
    const w = world()
    speaker(w, { passive: true })
    const met = ScriptedPeer.listen(w, PEER)
    w.clock.advance(300 * SECOND)
    assert.deepEqual(met, [])
  })
  test('that becomes passive while it is dialled is dialled no more, and again when it is active', () => {
    const w = world()
    const us = speaker(w)
    w.clock.advance(60 * SECOND)
    const peer = us.peers.get(PEER)!
    peer.revise({ ...peer.settings, passive: true })
    const met = ScriptedPeer.listen(w, PEER)
    w.clock.advance(300 * SECOND)
    assert.deepEqual(met, [])
    peer.revise({ ...peer.settings, passive: false })
    w.clock.advance(1 * SECOND)
    assert.equal(met.length, 1)
    establish(met[0]!)
    peer.revise({ ...peer.settings, passive: true })
    w.clock.advance(1 * SECOND)
    assert.equal(description(us), 'Established with 10.0.0.2 from 10.0.0.1')
  })
  test('that calls while it is dialled is let in, and dialled no more', () => {
    const w = world()
    const us = speaker(w)
    w.clock.advance(1 * SECOND)
    const caller = establish(ScriptedPeer.dial(w, PEER, US))
    w.clock.advance(20 * SECOND)
    assert.equal(caller.closed, undefined)
    assert.equal(us.host.connections, 1)
  })
  test('that closes before it has said anything is dialled again after ConnectRetry', () => {
    const w = world()
    const us = speaker(w)
    const met = ScriptedPeer.listen(w, PEER)
    w.clock.advance(10)
    met[0]!.connection.close()
    w.clock.advance(1 * SECOND)
    assert.equal(met.length, 1)
    assert.match(description(us), /\(Active\): closed by the peer$/)
    w.clock.advance(1.1 * SECOND)
    assert.equal(met.length, 2)
  })
  test('that dials twice and closes both is dialled again', () => {
    const w = world()
    const us = speaker(w)
    const met = ScriptedPeer.listen(w, PEER)
    w.clock.advance(10)
    met[0]!.connection.close()
    w.clock.advance(10)
    const callers = [ScriptedPeer.dial(w, PEER, US), ScriptedPeer.dial(w, PEER, US)]
    assert.equal(callers[0]!.notified, '6/7')
    callers[1]!.connection.close()
    w.clock.advance(1.5 * SECOND)
    assert.equal(met.length, 2)
    establish(met[1]!)
    assert.deepEqual(told(us), ['established'])
  })
  test('whose link is down has no session at once', () => {
    const w = world()
    const us = speaker(w)
    establish(ScriptedPeer.dial(w, PEER, US))
    us.peers.get(PEER)!.unreachable('eth0 is down')
    assert.deepEqual(told(us), ['established', 'down'])
    assert.equal(description(us), 'Not established with 10.0.0.2 from 10.0.0.1 (Idle): eth0 is down')
  })
})

describe('a neighbour whose sessions fail', () => {
  const wrongAs = openHex({ as: 65199 })
  test('is dialled after rests that grow to 30 s and no more', () => {
    const w = world()
    speaker(w)
    const met = ScriptedPeer.listen(w, PEER, wrongAs)
    w.clock.advance(240 * SECOND)
    const gaps = met.slice(1).map(({ at }, i) => (at - met[i]!.at) / SECOND)
    const expected = [0.25, 0.5, 1, 2, 4, 8, 16]
    assert.ok(gaps.length >= 10, String(gaps))
    gaps.forEach((gap, i) => {
      const most = expected[i] ?? 30
      assert.ok(gap >= 0.75 * most && gap <= most + 0.1, String(gaps))
    })
    assert.deepEqual(new Set(met.slice(0, -1).map(({ notified }) => notified)), new Set(['2/2']))
  })
  test('is let in again at once after the first, and within 3 s after many', () => {
    const w = world()
    const us = speaker(w, { passive: true })
    const refused = () => ScriptedPeer.dial(w, PEER, US).types().length === 0
    establish(ScriptedPeer.dial(w, PEER, US), wrongAs)
    for (let i = 0; i < 10; i++) {
      const peer = ScriptedPeer.dial(w, PEER, US)
      if (i === 0) assert.deepEqual(peer.types(), [1])
      peer.send(wrongAs)
      assert.equal(refused(), true)
      w.clock.advance(3 * SECOND)
    }
    establish(ScriptedPeer.dial(w, PEER, US))
    assert.deepEqual(told(us), ['established'])
  })
  test('is as good as new after a session that has lasted', () => {
    const w = world()
    const us = speaker(w, { passive: true, holdTime: 0 })
    for (let i = 0; i < 8; i++) {
      establish(ScriptedPeer.dial(w, PEER, US), wrongAs)
      w.clock.advance(3 * SECOND)
    }
    const good = establish(ScriptedPeer.dial(w, PEER, US), openHex({ holdTime: 0 }))
    w.clock.advance(31 * SECOND)
    good.send(messageHex(3, '0602'))
    assert.deepEqual(ScriptedPeer.dial(w, PEER, US).types(), [1])
    assert.deepEqual(told(us), ['established', 'down'])
  })
  test('and is reset does not rest', () => {
    const w = world()
    const us = speaker(w)
    const met = ScriptedPeer.listen(w, PEER, wrongAs)
    w.clock.advance(20 * SECOND)
    const before = met.length
    us.peers.get(PEER)!.reset()
    w.clock.advance(10)
    assert.equal(met.length, before + 1)
  })
})

describe('a rest', () => {
  const rest = (failures: readonly number[]) => {
    const { clock } = world()
    const began = clock.now()
    let over = 0
    const random = () => 1
    const backOff = new BackOff(clock, random, () => {
      over = clock.now() - began
    })
    for (const lasted of failures) backOff.failed(lasted)
    backOff.rest()
    clock.advance(60 * SECOND)
    return over / SECOND
  }
  test('is twice as long every time, up to 30 s', () => {
    const failed = (times: number) => rest(Array(times).fill(0))
    assert.deepEqual([0, 1, 2, 3, 4, 7, 8, 9, 20].map(failed), [0.25, 0.25, 0.5, 1, 2, 16, 30, 30, 30])
  })
  test('is the first again after a session that has lasted half a minute', () => {
    assert.deepEqual([rest([0, 0, 0, 29 * SECOND]), rest([0, 0, 0, 30 * SECOND])], [2, 0.25])
  })
})

describe('of two connections', () => {
  for (const [id, stays, goes] of [
    ['0a000002', 'theirs', 'ours'],
    ['01000002', 'ours', 'theirs'],
  ] as const) {
    test(`${stays} stays when the peer’s identifier is ${id}; ${goes} is told 6/7`, () => {
      for (const first of ['ours', 'theirs'] as const) {
        const w = world()
        const us = speaker(w, { remoteAs: 65001 })
        const met = ScriptedPeer.listen(w, PEER)
        w.clock.advance(10)
        const connections = { ours: met[0]!, theirs: ScriptedPeer.dial(w, PEER, US) }
        const second = first === 'ours' ? 'theirs' : 'ours'
        connections[first].send(openHex({ id }))
        connections[second].send(openHex({ id }))
        w.clock.advance(10)
        assert.deepEqual([connections[goes].notified, connections[goes].closed], ['6/7', 'closed by the peer'])
        connections[stays].send(KEEPALIVE)
        assert.deepEqual([connections[stays].closed, told(us)], [undefined, ['established']])
      }
    })
  }
  test('the loser waits for the winner’s OPEN no longer than some seconds', () => {
    const w = world()
    const us = speaker(w)
    const met = ScriptedPeer.listen(w, PEER)
    w.clock.advance(10)
    ScriptedPeer.dial(w, PEER, US)
    establish(met[0]!)
    w.clock.advance(4 * SECOND)
    assert.deepEqual(told(us), [])
    w.clock.advance(2 * SECOND)
    assert.deepEqual(told(us), ['established'])
  })
  test('a loser that waits for longer than its hold time has not been silent', () => {
    const w = world()
    const us = speaker(w)
    const met = ScriptedPeer.listen(w, PEER)
    w.clock.advance(10)
    ScriptedPeer.dial(w, PEER, US)
    establish(met[0]!, openHex({ holdTime: 3 }))
    w.clock.advance(5.5 * SECOND)
    assert.deepEqual([met[0]!.notified, told(us)], [undefined, ['established']])
  })
  test('the loser goes on at once when the winner is closed', () => {
    const w = world()
    const us = speaker(w)
    const met = ScriptedPeer.listen(w, PEER)
    w.clock.advance(10)
    const winner = ScriptedPeer.dial(w, PEER, US)
    establish(met[0]!)
    winner.connection.close()
    w.clock.advance(10)
    assert.deepEqual(told(us), ['established'])
  })
  test('a further one while Established is told 6/7 at its OPEN, and the session is unharmed', () => {
    const w = world()
    const us = speaker(w)
    const peer = establish(ScriptedPeer.dial(w, PEER, US))
    const further = establish(ScriptedPeer.dial(w, PEER, US))
    assert.deepEqual([further.notified, peer.closed, told(us)], ['6/7', undefined, ['established']])
  })
  test('one that never comes to an OPEN gives way to the next', () => {
    const w = world()
    const us = speaker(w, { passive: true })
    const silent = Array.from({ length: 20 }, () => ScriptedPeer.dial(w, PEER, US))
    assert.equal(us.host.connections, 1)
    establish(silent.at(-1)!)
    assert.deepEqual(told(us), ['established'])
  })
})

describe('sockets', () => {
  /** Whether two speakers with these settings come together. */
  function meets(ours: Partial<PeerSettings>, theirs: Partial<PeerSettings>, hops = 1): boolean {
    const w = world()
    const us = new TestSpeaker(w, US, { as: 65001 })
    const them = new TestSpeaker(w, PEER, { as: 65002 })
    w.network.link(US, PEER).hops = hops
    us.neighbour(PEER, { remoteAs: 65002, ...ours }).enable()
    them.neighbour(US, { remoteAs: 65001, ...theirs }).enable()
    w.clock.advance(30 * SECOND)
    return us.peers.get(PEER)!.established && them.peers.get(US)!.established
  }
  test('TCP MD5: the same password or none at both ends', () => {
    assert.equal(meets({}, {}), true)
    assert.equal(meets({ password: 'a' }, { password: 'a' }), true)
    assert.equal(meets({ password: 'a' }, { password: 'b' }), false)
    assert.equal(meets({ password: 'a' }, {}), false)
  })
  test('an eBGP neighbour is directly connected, unless multihop says how far it is', () => {
    assert.equal(meets({}, {}, 2), false)
    assert.equal(meets({ multihop: 2 }, { multihop: 2 }, 2), true)
  })
  test('TTL security takes nothing from further away', () => {
    assert.equal(meets({ ttlSecurity: 1 }, { ttlSecurity: 1 }, 1), true)
    assert.equal(meets({ ttlSecurity: 1 }, { ttlSecurity: 1 }, 2), false)
    assert.equal(meets({ ttlSecurity: 2 }, { ttlSecurity: 2 }, 2), true)
    assert.equal(meets({ ttlSecurity: 1 }, {}, 1), false)
  })
})
