/**
 * A session as a peer sees it that sends exact octets. W01–W49: the checks of interop.py that a session answers for. FSM errors,
 * timers, Cease.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { decodeOpen } from '../../src/bgp/message/open.ts'
import { encodeWithdrawal } from '../../src/bgp/message/pack.ts'
import type { PeerSettings } from '../../src/bgp/peer-settings.ts'
import { bytes, messageHex, update } from './octets.ts'
import {
  KEEPALIVE,
  keepAlive,
  openHex,
  type Recorder,
  ScriptedPeer,
  TestSpeaker,
  usual,
  type World,
  world,
} from './speakers.ts'

const US = '10.0.0.1'
const PEER = '10.0.0.2'
const SECOND = 1000

interface Meeting {
  readonly w: World
  readonly us: TestSpeaker
  readonly heard: Recorder
  readonly peer: ScriptedPeer
}

/** We are AS 64512 and do not dial, the peer is AS 65001 and has connected. */
function meet(given: Partial<PeerSettings> = {}): Meeting {
  const w = world()
  const us = new TestSpeaker(w, US)
  us.neighbour(PEER, { remoteAs: 65001, passive: true, ...given }).enable()
  const peer = ScriptedPeer.dial(w, PEER, US)
  return { w, us, heard: us.heard.get(PEER)!, peer }
}

function established(given: Partial<PeerSettings> = {}, open = openHex()): Meeting {
  const meeting = meet(given)
  meeting.peer.send(open)
  meeting.peer.send(KEEPALIVE)
  assert.deepEqual(meeting.heard.told, ['established'])
  return meeting
}

/** What the first message is answered with, and that the connection is closed behind it. */
function answerTo(message: string | Uint8Array, given: Partial<PeerSettings> = {}): string | undefined {
  const { w, peer, heard } = meet(given)
  peer.send(message)
  w.clock.advance(10)
  assert.equal(peer.closed, 'closed by the peer')
  assert.deepEqual(heard.told, [])
  return peer.notified
}

function answerInEstablished(message: string | Uint8Array, given: Partial<PeerSettings> = {}): string | undefined {
  const { w, peer, heard } = established(given)
  peer.send(message)
  w.clock.advance(10)
  assert.equal(peer.closed, 'closed by the peer')
  assert.deepEqual(heard.told, ['established', 'down'])
  return peer.notified
}

const isAlive = ({ w, peer, us }: Meeting) => {
  w.clock.advance(1 * SECOND)
  assert.equal(peer.closed, undefined)
  assert.equal(us.peers.get(PEER)!.status.state, 'Established')
}

const AS_PATH = '40020602010000fde9'
const announcement = (nlri: string) => update(['40010100', AS_PATH, '4003040a000002'], nlri)

describe('OPEN', () => {
  test('W01 W02 ours says version 4, AS, hold time, identifier and what we are able to do', () => {
    const { peer } = meet({ families: ['ipv4', 'ipv6'] })
    const [first] = peer.messages
    assert.equal(first!.message[19], 4)
    const open = decodeOpen(first!.message)
    assert.deepEqual([open.as, open.holdTime, open.id], [64512, 90, 0x0a000001])
    assert.deepEqual(
      open.capabilities.map(({ name }) => name),
      ['multiprotocol', 'multiprotocol', 'route-refresh', 'four-octet-as', 'enhanced-route-refresh'],
    )
  })
  test('W06 graceful restart is offered where it is configured, and the N flag with it', () => {
    const { peer } = meet({ gracefulRestart: { time: 10, restarting: false } })
    const { capabilities } = decodeOpen(peer.messages[0]!.message)
    const value = { restarting: false, notification: true, time: 10, families: [] }
    assert.deepEqual(
      capabilities.find(({ name }) => name === 'graceful-restart'),
      { name: 'graceful-restart', value },
    )
  })
  test('it is answered with a KEEPALIVE, and a KEEPALIVE establishes the session', () => {
    const { peer } = established()
    assert.deepEqual(peer.types(), [1, 4])
  })

  const refused: readonly (readonly [string, string, string, Partial<PeerSettings>?])[] = [
    ['W09 another AS', openHex({ as: 65199 }), '2/2'],
    ['W10 version 5', openHex({ version: 5 }), '2/1 0004'],
    ['W11 hold time 1', openHex({ holdTime: 1 }), '2/6'],
    ['W12 hold time 2', openHex({ holdTime: 2 }), '2/6'],
    ['W14 identifier 0.0.0.0', openHex({ id: '00000000' }), '2/3'],
    ['W15 our identifier, from within', openHex({ as: 64512, id: '0a000001' }), '2/3', { remoteAs: 64512 }],
    ['W16 an unknown parameter', openHex({ parameters: `63020102${usual(65001)}` }), '2/4'],
    ['W19 no route refresh', openHex({ parameters: '0206010400010001' }), '2/7 0200', { required: ['route-refresh'] }],
    ['W23 AS 0', openHex({ as: 0 }), '2/2'],
  ]
  for (const [title, open, answer, given] of refused) {
    test(`${title} is refused with ${answer}`, () =>
      assert.equal(answerTo(open, { remoteAs: 65001, ...given }), answer))
  }

  const taken: readonly (readonly [string, string])[] = [
    ['W17 unknown capabilities', openHex({ parameters: '0217 010400010001 c803010203 4d00 41040000fde9 ef020000' })],
    ['W21 capabilities in several parameters', openHex({ parameters: '0206010400010001 02020200 020641040000fde9' })],
    ['W24 capabilities twice', openHex({ parameters: '0210 010400010001 010400010001 0200 0200' })],
    ['W25 an empty parameter', openHex({ parameters: '0200 0206010400010001' })],
  ]
  for (const [title, open] of taken) test(`${title}: Established`, () => isAlive(established({}, open)))

  test('W18 without capabilities: Established, with 2-octet AS numbers', () => {
    const open = messageHex(1, '04fde9005a0a00000200')
    const { heard } = established({}, open)
    assert.deepEqual([heard.negotiated!.as4, heard.negotiated!.families], [false, ['ipv4']])
  })
  test('W20 a peer of one family has that one', () => {
    assert.deepEqual(established({ families: ['ipv4', 'ipv6'] }).heard.negotiated!.families, ['ipv4'])
  })
  test('one that never comes is waited for four minutes', () => {
    const { w, peer } = meet()
    w.clock.advance(239 * SECOND)
    assert.equal(peer.closed, undefined)
    w.clock.advance(2 * SECOND)
    assert.equal(peer.notified, '4/0')
  })
})

test('W26 who is no neighbour is closed without a word', () => {
  const { w } = meet()
  const stranger = ScriptedPeer.dial(w, '10.0.0.250', US)
  assert.deepEqual([stranger.closed, stranger.messages], ['closed by the peer', []])
})

describe('timers', () => {
  test('W07 hold time 9: KEEPALIVEs come every 2.25 to 3 s, not all alike', () => {
    const { w, peer } = established({ holdTime: 9 })
    for (let i = 0; i < 60; i++) {
      w.clock.advance(1 * SECOND)
      peer.send(KEEPALIVE)
    }
    const times = peer.times(4).slice(1)
    const gaps = times.slice(1).map((time, i) => time - times[i]!)
    assert.ok(gaps.length > 15)
    assert.ok(Math.min(...gaps) >= 2250 && Math.max(...gaps) <= 3000, String(gaps))
    assert.ok(new Set(gaps).size > gaps.length / 2)
  })
  test('the peer’s hold time counts when it is shorter, also for KEEPALIVEs that are set to be rare', () => {
    const { w, peer } = established({ keepalive: 30 }, openHex({ holdTime: 3 }))
    w.clock.advance(2.5 * SECOND)
    assert.equal(peer.times(4).length, 3)
  })
  test('W08 a silent peer is told 4/0 when the hold time of 3 s is over', () => {
    const { w, peer, heard } = established({}, openHex({ holdTime: 3 }))
    w.clock.advance(2.9 * SECOND)
    assert.equal(peer.closed, undefined)
    w.clock.advance(0.3 * SECOND)
    assert.deepEqual([peer.notified, peer.closed], ['4/0', 'closed by the peer'])
    assert.deepEqual(heard.told, ['established', 'down'])
  })
  test('UPDATEs are signs of life, ROUTE-REFRESHes are not', () => {
    const talking = established({ holdTime: 3 })
    const asking = established({ holdTime: 3 })
    for (let i = 0; i < 10; i++) {
      talking.w.clock.advance(0.9 * SECOND)
      talking.peer.send(announcement('18140100'))
      asking.w.clock.advance(0.9 * SECOND)
      asking.peer.send(messageHex(5, '00010001'))
    }
    isAlive(talking)
    assert.equal(asking.peer.notified, '4/0')
  })
  test('W13 hold time 0: no KEEPALIVEs but that which establishes, and silence is no fault', () => {
    const { w, peer, us } = established({}, openHex({ holdTime: 0 }))
    w.clock.advance(3600 * SECOND)
    assert.deepEqual([peer.times(4).length, peer.closed], [1, undefined])
    assert.equal(us.peers.get(PEER)!.status.state, 'Established')
  })
  test('a stall of ours is not the peer’s silence: what came meanwhile is read first', () => {
    const meeting = established({ holdTime: 3 })
    const { w, peer } = meeting
    w.clock.advance(1 * SECOND)
    peer.connection.send(bytes(KEEPALIVE))
    w.clock.stall(2.5 * SECOND)
    isAlive(meeting)
  })
  test('what arrives while the loop has not come to read is in time', () => {
    const meeting = established({ holdTime: 3 })
    meeting.w.clock.advance(3.01 * SECOND)
    meeting.peer.send(KEEPALIVE)
    isAlive(meeting)
  })
  test('KEEPALIVEs go out while routes are computed: a step at a time, others have their turn', () => {
    const { w, peer, heard } = established({ holdTime: 3 })
    heard.onUpdate = () => w.clock.stall(30)
    const burst = Buffer.concat(
      Array.from({ length: 300 }, (_, i) => announcement(`1814${(i & 255).toString(16).padStart(2, '0')}00`)),
    )
    peer.connection.send(new Uint8Array(burst))
    w.clock.advance(20 * SECOND)
    assert.equal(heard.updates.length, 300)
    const times = peer.times(4)
    const during = times.filter((time, i) => i > 0 && time - times[i - 1]! > 1200)
    assert.deepEqual(during, [])
    assert.ok(times.length >= 9)
  })
  test('SendHoldTimer ends a session whose peer takes nothing: 8/0, RFC 9687', () => {
    const { w, us, peer, heard } = established()
    peer.connection.pause()
    const withdrawal = encodeWithdrawal(
      { family: 'ipv4', prefixes: [0x0a000000 * 64 + 24], pathIds: undefined },
      { longest: 4096 },
    )
    let hasRoom = true
    while (hasRoom) hasRoom = us.peers.get(PEER)!.send(withdrawal)
    const end = keepAlive(w, peer, 10 * SECOND)
    w.clock.advance(479 * SECOND)
    assert.deepEqual(heard.told, ['established'])
    w.clock.advance(2 * SECOND)
    end()
    assert.deepEqual(heard.told, ['established', 'down'])
    assert.match(heard.lastDown!.why, /^sent 8\/0/)
  })
  test('a reader that is slow, and reads on, is told of room', () => {
    const { w, us, peer, heard } = established()
    const withdrawal = encodeWithdrawal(
      { family: 'ipv4', prefixes: [0x0a000000 * 64 + 24], pathIds: undefined },
      { longest: 4096 },
    )
    peer.connection.pause()
    while (us.peers.get(PEER)!.send(withdrawal)) {}
    w.clock.advance(1 * SECOND)
    assert.deepEqual(heard.told, ['established'])
    peer.connection.resume()
    w.clock.advance(1 * SECOND)
    assert.deepEqual(heard.told, ['established', 'writable'])
  })
})

describe('messages', () => {
  const wrong: readonly (readonly [string, string, string])[] = [
    ['W30 a bad marker', `${'00'.repeat(16)}001304`, '1/1'],
    ['W31 length 18', `${'ff'.repeat(16)}001204`, '1/2 0012'],
    ['W32 length 5000', `${'ff'.repeat(16)}138802${'00'.repeat(4981)}`, '1/2 1388'],
    ['W33 a KEEPALIVE of 20 octets', messageHex(4, '00'), '1/2 0014'],
    ['W34 type 9', messageHex(9, ''), '1/3 09'],
    ['W35 an OPEN', openHex(), '5/3 01'],
    ['an UPDATE that RFC 7606 leaves no other answer to', messageHex(2, '000007d0'), '3/1'],
  ]
  for (const [title, message, answer] of wrong) {
    test(`${title} in Established: ${answer}`, () => assert.equal(answerInEstablished(message), answer))
  }
  test('7/1 for a marker of refresh with too much behind it, RFC 7313', () => {
    const marker = messageHex(5, '0001010100')
    assert.equal(answerInEstablished(marker), `7/1 ${marker}`)
  })

  const early: readonly (readonly [string, string, string])[] = [
    ['W36 an UPDATE', messageHex(2, '00000000'), '5/1 02'],
    ['W37 a KEEPALIVE', KEEPALIVE, '5/1 04'],
    ['a ROUTE-REFRESH', messageHex(5, '00010001'), '5/1 05'],
  ]
  for (const [title, message, answer] of early) {
    test(`${title} in OpenSent: ${answer}`, () => assert.equal(answerTo(message), answer))
  }
  const unconfirmed: readonly (readonly [string, string, string])[] = [
    ['an UPDATE', messageHex(2, '00000000'), '5/2 02'],
    ['a second OPEN', openHex(), '5/2 01'],
    ['a ROUTE-REFRESH', messageHex(5, '00010001'), '5/2 05'],
  ]
  for (const [title, message, answer] of unconfirmed) {
    test(`${title} in OpenConfirm: ${answer}`, () => assert.equal(answerTo(openHex() + message), answer))
  }

  test('W38 octet by octet they are put together', () => {
    const meeting = meet()
    meeting.w.network.link(US, PEER).segment = 1
    for (const message of [openHex(), KEEPALIVE, announcement('18140100'), KEEPALIVE]) meeting.peer.send(message)
    meeting.peer.send(announcement('18140101'))
    isAlive(meeting)
    assert.equal(meeting.heard.updates.length, 2)
  })
  test('W39 250 in one piece are 250', () => {
    const meeting = established()
    const many = [...Array.from({ length: 200 }, () => announcement('18140100')), ...Array(50).fill(bytes(KEEPALIVE))]
    meeting.peer.send(new Uint8Array(Buffer.concat(many)))
    isAlive(meeting)
    assert.equal(meeting.heard.updates.length, 200)
  })
  test('W42 extended messages are taken where they are offered', () => {
    const extended = usual(65001).replace('020e', '0210').concat('0600')
    const meeting = established({ extendedMessages: true }, openHex({ parameters: extended }))
    const nlri = Array.from(
      { length: 9000 },
      (_, i) => `1815${(i >> 8).toString(16).padStart(2, '0')}${(i & 255).toString(16).padStart(2, '0')}`,
    )
    meeting.peer.send(announcement(nlri.join('')))
    assert.equal(meeting.heard.updates[0]!.announced[0]!.prefixes.length, 9000)
    isAlive(meeting)
  })
})

describe('route refresh', () => {
  const enhanced = openHex({ parameters: usual(65001).replace('020e', '0210').concat('4600') })
  test('W43 the owner is asked for its routes', () => {
    const { peer, heard } = established()
    peer.send(messageHex(5, '00010001'))
    assert.deepEqual(heard.told, ['established', 'refresh ipv4'])
  })
  test('W44 the markers of ours go to a peer that knows them, and to no other', () => {
    for (const [open, types] of [
      [enhanced, [1, 4, 5, 5]],
      [openHex(), [1, 4]],
    ] as const) {
      const { w, us, peer } = established({}, open)
      const end = us.peers.get(PEER)!.beginRefresh('ipv4')
      if (end) us.peers.get(PEER)!.send([end])
      w.clock.advance(10)
      assert.deepEqual(peer.types(), types)
    }
  })
  test('W45 what has not come again between the peer’s markers is swept', () => {
    const { peer, heard } = established({}, enhanced)
    peer.send(messageHex(5, '00010101'))
    peer.send(messageHex(5, '00010201'))
    assert.deepEqual(heard.told, ['established', 'refreshing ipv4', 'sweep ipv4'])
  })
  test('an end without a beginning sweeps nothing', () => {
    const { peer, heard } = established({}, enhanced)
    peer.send(messageHex(5, '00010201'))
    assert.deepEqual(heard.told, ['established'])
  })
  test('W46 of a family that was not agreed upon it is ignored', () => {
    const meeting = established()
    meeting.peer.send(messageHex(5, '00190046'))
    meeting.peer.send(messageHex(5, '00020001'))
    isAlive(meeting)
    assert.deepEqual(meeting.heard.told, ['established'])
  })
  test('ours asks a peer that has offered to listen, under the code that it knows', () => {
    const cisco = openHex({ parameters: usual(65001).replace(' 0200 ', ' 8000 ') })
    for (const [open, type] of [
      [openHex(), 5],
      [cisco, 128],
    ] as const) {
      const { w, us, peer } = established({}, open)
      assert.equal(us.peers.get(PEER)!.requestRefresh('ipv4'), true)
      assert.equal(us.peers.get(PEER)!.requestRefresh('ipv6'), false)
      w.clock.advance(10)
      assert.deepEqual(peer.types(), [1, 4, type])
    }
  })
})

describe('Cease', () => {
  const TEXT = '0568656c6c6f'
  test('W49 from the peer: closed, no NOTIFICATION in answer, the routes go', () => {
    const { w, us, peer, heard } = established()
    peer.send(messageHex(3, `0602${TEXT}`))
    w.clock.advance(10)
    assert.deepEqual([peer.closed, peer.notified], ['closed by the peer', undefined])
    assert.deepEqual(heard.told, ['established', 'down'])
    assert.equal(
      us.peers.get(PEER)!.describe(),
      'Not established with 10.0.0.2 from 10.0.0.1 (Idle): received 6/2 Cease: Administrative Shutdown: "hello"',
    )
  })
  test('6/2 with the operator’s text when a neighbour is disabled, which is then not let in', () => {
    const { w, us, peer, heard } = established()
    us.peers.get(PEER)!.disable('hello')
    w.clock.advance(10)
    assert.equal(peer.notified, `6/2 ${TEXT}`)
    assert.deepEqual(heard.told, ['established', 'down'])
    const again = ScriptedPeer.dial(w, PEER, US)
    assert.deepEqual([again.closed, again.messages], ['closed by the peer', []])
    us.peers.get(PEER)!.enable()
    assert.deepEqual(ScriptedPeer.dial(w, PEER, US).types(), [1])
  })
  test('6/3 when it is removed, 6/4 when it is reset, 6/1 with the limit, 6/10 as asked', () => {
    const cases: readonly (readonly [(us: TestSpeaker) => void, string])[] = [
      [(us) => us.peers.get(PEER)!.remove(), '6/3'],
      [(us) => us.peers.get(PEER)!.reset('hello'), `6/4 ${TEXT}`],
      [(us) => us.peers.get(PEER)!.tooManyPrefixes('ipv4', 1000), '6/1 000101000003e8'],
      [(us) => us.peers.get(PEER)!.fail({ code: 6, subcode: 10, data: new Uint8Array(0) }), '6/10'],
    ]
    for (const [end, notified] of cases) {
      const { w, us, peer, heard } = established()
      end(us)
      w.clock.advance(10)
      assert.deepEqual([peer.notified, peer.closed], [notified, 'closed by the peer'])
      assert.deepEqual(heard.told, ['established', 'down'])
    }
  })
  test('too many prefixes end the session within the message, and no more of it is read', () => {
    const { us, peer, heard } = established()
    heard.onUpdate = () => us.peers.get(PEER)!.tooManyPrefixes('ipv4', 1)
    peer.send(new Uint8Array(Buffer.concat([announcement('18140100'), announcement('18140101')])))
    assert.deepEqual([heard.updates.length, heard.told], [1, ['established', 'down']])
  })
})
