/** Graceful restart of a peer, as its helper; what we say of our own. RFC 4724, RFC 8538, RFC 9494. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { decodeOpen } from '../../src/bgp/message/open.ts'
import type { PeerSettings, RestartState } from '../../src/bgp/peer-settings.ts'
import { messageHex } from './octets.ts'
import { KEEPALIVE, openHex, type Recorder, ScriptedPeer, TestSpeaker, type World, world } from './speakers.ts'

const US = '10.0.0.1'
const PEER = '10.0.0.2'
const SECOND = 1000
const MINUTE = 60 * SECOND

const END_OF_RIB = messageHex(2, '00000000')
const IPV4_KEPT = '00010180'
const IPV4_LOST = '00010100'

/** An OPEN with graceful restart: R 8, N 4, then 120 s. Hold time 0, so that a peer may be silent. */
function restarting(flags: string, families: string, more = '', holdTime = 0): string {
  const capability = `${flags}078${families}`
  const list = `010400010001 0200 41040000fde9 40${octetsHex(capability)}${capability}${more}`
  return openHex({ holdTime, parameters: `02${octetsHex(list)}${list}` })
}

const octetsHex = (hex: string) => (hex.replaceAll(' ', '').length / 2).toString(16).padStart(2, '0')

interface Meeting {
  readonly w: World
  readonly us: TestSpeaker
  readonly heard: Recorder
}

function helper(given: Partial<PeerSettings> = {}, restart?: RestartState): Meeting {
  const w = world()
  const us = new TestSpeaker(w, US, restart ? { restart } : {})
  const gracefulRestart = { time: 120, restarting: false }
  us.neighbour(PEER, { remoteAs: 65001, passive: true, gracefulRestart, ...given }).enable()
  return { w, us, heard: us.heard.get(PEER)! }
}

function come({ w }: Meeting, open: string): ScriptedPeer {
  const peer = ScriptedPeer.dial(w, PEER, US)
  peer.send(open)
  peer.send(KEEPALIVE)
  return peer
}

function go({ w }: Meeting, peer: ScriptedPeer): void {
  peer.connection.close()
  w.clock.advance(10)
}

describe('a peer whose connection is lost', () => {
  test('has its routes kept for the restart time that it has named', () => {
    const meeting = helper()
    const { w, heard } = meeting
    go(meeting, come(meeting, restarting('0', IPV4_KEPT)))
    assert.deepEqual([heard.lastDown!.keepRoutes, heard.lastDown!.restartTime], [['ipv4'], 120])
    w.clock.advance(119 * SECOND)
    assert.deepEqual(heard.told, ['established', 'down ipv4'])
    w.clock.advance(2 * SECOND)
    assert.deepEqual(heard.told, ['established', 'down ipv4', 'sweep ipv4'])
  })
  test('and is back, has what it has not sent again swept at its End-of-RIB', () => {
    const meeting = helper()
    const { w, heard } = meeting
    go(meeting, come(meeting, restarting('0', IPV4_KEPT)))
    w.clock.advance(100 * SECOND)
    const again = come(meeting, restarting('8', IPV4_KEPT))
    w.clock.advance(100 * SECOND)
    assert.deepEqual(heard.told, ['established', 'down ipv4', 'established'])
    again.send(END_OF_RIB)
    assert.deepEqual(heard.told.slice(3), ['sweep ipv4', 'endOfRib ipv4'])
    w.clock.advance(20 * MINUTE)
    assert.equal(heard.told.length, 5)
  })
  test('and is back without an End-of-RIB, has it swept after six minutes', () => {
    const meeting = helper()
    const { w, heard } = meeting
    go(meeting, come(meeting, restarting('0', IPV4_KEPT)))
    come(meeting, restarting('8', IPV4_KEPT))
    w.clock.advance(5.9 * MINUTE)
    assert.deepEqual(heard.told, ['established', 'down ipv4', 'established'])
    w.clock.advance(0.2 * MINUTE)
    assert.deepEqual(heard.told.slice(3), ['sweep ipv4'])
  })
  const forgetful: readonly (readonly [string, string])[] = [
    ['clear', restarting('8', IPV4_LOST)],
    ['of another family', restarting('8', '00020180')],
    ['of no family', restarting('8', '')],
    ['not there, since it offers nothing of the kind', openHex({ holdTime: 0 })],
  ]
  for (const [title, open] of forgetful) {
    test(`and is back with a forwarding flag ${title}, has its routes swept at once`, () => {
      const meeting = helper()
      go(meeting, come(meeting, restarting('0', IPV4_KEPT)))
      come(meeting, open)
      assert.deepEqual(meeting.heard.told, ['established', 'down ipv4', 'sweep ipv4', 'established'])
    })
  }
  test('again before its End-of-RIB, loses what was stale already', () => {
    const meeting = helper()
    go(meeting, come(meeting, restarting('0', IPV4_KEPT)))
    go(meeting, come(meeting, restarting('8', IPV4_KEPT)))
    assert.deepEqual(meeting.heard.told, ['established', 'down ipv4', 'established', 'sweep ipv4', 'down ipv4'])
  })
  test('and that lists no family, or names no time, has nothing kept', () => {
    const meeting = helper()
    go(meeting, come(meeting, restarting('0', '')))
    const noTime = `010400010001 0200 41040000fde9 40060000${IPV4_KEPT}`
    go(meeting, come(meeting, openHex({ holdTime: 0, parameters: `02${octetsHex(noTime)}${noTime}` })))
    assert.deepEqual(meeting.heard.told, ['established', 'down', 'established', 'down'])
  })
  test('has nothing kept where we have not offered to', () => {
    const meeting = helper({ gracefulRestart: undefined })
    go(meeting, come(meeting, restarting('0', IPV4_KEPT)))
    assert.deepEqual(meeting.heard.told, ['established', 'down'])
  })
  test('has its routes kept for longer, as long-lived stale ones, where both have offered that', () => {
    const meeting = helper({ longLivedGracefulRestart: { time: 3600 } })
    const { w, heard } = meeting
    go(meeting, come(meeting, restarting('0', IPV4_KEPT, '4707 000101 80 00003c')))
    w.clock.advance(121 * SECOND)
    assert.deepEqual(heard.told, ['established', 'down ipv4', 'longLived ipv4'])
    w.clock.advance(60 * SECOND)
    assert.deepEqual(heard.told.slice(3), ['sweep ipv4'])
  })
})

test('who dials again without having closed has its old connection closed without a word, and its routes kept', () => {
  const meeting = helper()
  const old = come(meeting, restarting('0', IPV4_KEPT))
  come(meeting, restarting('8', IPV4_KEPT))
  assert.deepEqual([old.closed, old.notified], ['closed by the peer', undefined])
  assert.deepEqual(meeting.heard.told, ['established', 'down ipv4', 'established'])
})

test('the beginning of a refresh counts from the End-of-RIB on, where one is promised (RFC 7313)', () => {
  const meeting = helper()
  const peer = come(meeting, restarting('0', IPV4_KEPT, '4600'))
  const beginning = messageHex(5, '00010101')
  peer.send(beginning)
  assert.deepEqual(meeting.heard.told, ['established'])
  peer.send(END_OF_RIB)
  peer.send(beginning)
  assert.deepEqual(meeting.heard.told.slice(1), ['endOfRib ipv4', 'refreshing ipv4'])
})

describe('a NOTIFICATION', () => {
  const CEASE = messageHex(3, '0604')
  const HARD = messageHex(3, '06090604')
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['ends all of a peer without the N flag', '0', CEASE, 'down'],
    ['is bridged for a peer with the N flag', '4', CEASE, 'down ipv4'],
    ['that is a Hard Reset is not', '4', HARD, 'down'],
  ]
  for (const [title, flags, notification, told] of cases) {
    test(title, () => {
      const meeting = helper()
      come(meeting, restarting(flags, IPV4_KEPT)).send(notification)
      assert.deepEqual(meeting.heard.told, ['established', told])
    })
  }
  for (const [flags, told] of [
    ['0', 'down'],
    ['4', 'down ipv4'],
  ] as const) {
    test(`of ours for a silent peer with flags ${flags}: ${told}`, () => {
      const meeting = helper()
      come(meeting, restarting(flags, IPV4_KEPT, '', 3))
      meeting.w.clock.advance(4 * SECOND)
      assert.deepEqual(meeting.heard.told, ['established', told])
    })
  }
  test('that disables a neighbour goes as a Hard Reset to one that would keep our routes', () => {
    for (const [flags, notified] of [
      ['0', '6/2'],
      ['4', '6/9 0602'],
    ] as const) {
      const meeting = helper()
      const peer = come(meeting, restarting(flags, IPV4_KEPT))
      meeting.us.peers.get(PEER)!.disable()
      meeting.w.clock.advance(10)
      assert.equal(peer.notified, notified)
      assert.deepEqual(meeting.heard.told, ['established', 'down'])
    }
  })
  test('of a reset is bridged, unless it is to be hard; that of too many prefixes is not', () => {
    const ends: readonly (readonly [(us: TestSpeaker) => void, string, string])[] = [
      [(us) => us.peers.get(PEER)!.reset(), '6/4', 'down ipv4'],
      [(us) => us.peers.get(PEER)!.reset('', { hard: true }), '6/9 0604', 'down'],
      [(us) => us.peers.get(PEER)!.tooManyPrefixes('ipv4', 1), '6/9 060100010100000001', 'down'],
    ]
    for (const [end, notified, told] of ends) {
      const meeting = helper()
      const peer = come(meeting, restarting('4', IPV4_KEPT))
      end(meeting.us)
      meeting.w.clock.advance(10)
      assert.equal(peer.notified, notified)
      assert.deepEqual(meeting.heard.told, ['established', told])
    }
  })
  test('a neighbour that is disabled while its routes are kept loses them', () => {
    const meeting = helper()
    go(meeting, come(meeting, restarting('0', IPV4_KEPT)))
    meeting.us.peers.get(PEER)!.disable()
    assert.deepEqual(meeting.heard.told, ['established', 'down ipv4', 'sweep ipv4'])
  })
})

describe('of our own restart', () => {
  const said = (restart: RestartState) => {
    const meeting = helper({ families: ['ipv4', 'ipv6'], gracefulRestart: { time: 90, restarting: true } }, restart)
    const { capabilities } = decodeOpen(come(meeting, openHex()).messages[0]!.message)
    return capabilities.find(({ name }) => name === 'graceful-restart')
  }
  test('the OPEN says that it has happened, and which families were forwarded all the time', () => {
    const value = {
      restarting: true,
      notification: true,
      time: 90,
      families: [
        { afi: 1, safi: 1, forwarding: true },
        { afi: 2, safi: 1, forwarding: false },
      ],
    }
    const state = { restarting: true, forwarding: (family: string) => family === 'ipv4' }
    assert.deepEqual(said(state), { name: 'graceful-restart', value })
  })
  test('a peer whom we have met before in this life is told that all is forwarded', () => {
    const restart = { restarting: false, forwarding: () => false }
    const meeting = helper({ gracefulRestart: { time: 90, restarting: true } }, restart)
    const forwarded = (peer: ScriptedPeer) => {
      const { capabilities } = decodeOpen(peer.messages[0]!.message)
      return capabilities.flatMap((each) => (each.name === 'graceful-restart' ? each.value.families : []))
    }
    const first = come(meeting, openHex())
    go(meeting, first)
    const families = [forwarded(first), forwarded(come(meeting, openHex()))]
    assert.deepEqual(
      families.map((list) => list.map(({ forwarding }) => forwarding)),
      [[false], [true]],
    )
  })
  test('End-of-RIB is awaited for what the peer has listed, and from none that restarts itself', () => {
    const awaited = (open: string) => {
      const meeting = helper()
      const peer = come(meeting, open)
      const before = [...meeting.us.peers.get(PEER)!.awaitsEndOfRib]
      peer.send(END_OF_RIB)
      return [before, [...meeting.us.peers.get(PEER)!.awaitsEndOfRib]]
    }
    assert.deepEqual(awaited(restarting('0', `${IPV4_KEPT}00020180`)), [['ipv4'], []])
    assert.deepEqual(awaited(restarting('8', IPV4_KEPT)), [[], []])
    assert.deepEqual(awaited(openHex()), [[], []])
  })
})
