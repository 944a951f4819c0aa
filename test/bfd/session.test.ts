/** One session, beside RFC 5880 §6.8. Times in milliseconds, in packets microseconds. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { seeded } from '../bgp/speakers.ts'
import { FAST, Pair, type Sent, Solo } from './pair.ts'

const gaps = (sent: readonly Sent[]) => sent.slice(1).map(({ at }, i) => at - sent[i]!.at)

describe('before it is up', () => {
  test('it begins at once, in Down, and knows nobody', () => {
    const { clock, end } = new Solo()
    clock.advance(0)
    assert.equal(end.sent.length, 1)
    assert.equal(end.last.state, 'Down')
    assert.equal(end.last.yourDiscriminator, 0)
    assert.equal(end.last.myDiscriminator, 0xa)
    assert.equal(end.last.requiredMinEchoRx, 0)
  })

  test('it is slow: a packet a second, less up to a quarter', () => {
    const { clock, end } = new Solo()
    clock.advance(60_000)
    const all = gaps(end.sent)
    assert.ok(all.length >= 60)
    assert.ok(all.every((gap) => gap >= 750 && gap <= 1000))
    assert.ok(Math.max(...all) - Math.min(...all) > 200, 'the intervals differ')
    assert.ok(end.sent.every(({ desiredMinTx }) => desiredMinTx === 1_000_000))
  })

  test('it is slower still where it is set so', () => {
    const { clock, end } = new Solo({ minTx: 5000, minRx: 100, multiplier: 3 })
    clock.advance(60_000)
    assert.ok(gaps(end.sent).every((gap) => gap >= 3750))
  })
})

describe('intervals when it is up', () => {
  const interval = (own: number, theirs: number, multiplier = 3) => {
    const solo = new Solo(
      { minTx: own, minRx: 100, multiplier },
      { requiredMinRx: theirs * 1000, detectMultiplier: 255 },
    )
    solo.bringUp()
    const from = solo.end.last.at
    solo.clock.advance(20_000)
    return gaps(solo.end.since(from))
  }

  test('the slower of what we want to send and they can take', () => {
    for (const [own, theirs] of [
      [100, 10],
      [10, 100],
    ] as const) {
      const all = interval(own, theirs)
      assert.ok(all.every((gap) => gap >= 75 && gap <= 100))
      assert.ok(Math.max(...all) > 95)
    }
  })

  test('with a multiplier of 1 no more than 90 %, or a late packet would be a lost one', () => {
    const all = interval(100, 100, 1)
    assert.ok(all.every((gap) => gap >= 75 && gap <= 90))
  })

  test('none are sent to who wants none, but a change of state is told', () => {
    const solo = new Solo(FAST, { requiredMinRx: 0 })
    solo.bringUp()
    assert.equal(solo.end.last.state, 'Up')
    const { at } = solo.end.last
    solo.clock.advance(250)
    assert.deepEqual(solo.end.since(at), [])
  })
})

describe('detection', () => {
  test('the time is their multiplier times the slower of what they want to send and we can take', () => {
    for (const [minRx, theirs, multiplier, expected] of [
      [100, 50, 3, 300],
      [100, 400, 3, 1200],
      [50, 50, 5, 250],
    ] as const) {
      const heard = { desiredMinTx: theirs * 1000, detectMultiplier: multiplier }
      const solo = new Solo({ minTx: 100, minRx, multiplier: 3 }, heard)
      solo.bringUp()
      assert.equal(solo.end.session.status.detectionTime, expected)
      solo.clock.advance(expected - 1)
      assert.equal(solo.end.session.state, 'Up')
      solo.clock.advance(1)
      assert.equal(solo.end.session.state, 'Down')
      assert.deepEqual(solo.end.told, ['up', `no packet came for ${expected} ms`])
      assert.equal(solo.end.last.diagnostic, 1)
      assert.equal(solo.end.last.yourDiscriminator, 0)
    }
  })

  test('whoever falls silent before it was up is forgotten, and nobody is told', () => {
    const solo = new Solo()
    solo.hear({ state: 'Down', yourDiscriminator: 0 })
    assert.equal(solo.end.session.state, 'Init')
    solo.clock.advance(3001)
    assert.equal(solo.end.session.state, 'Down')
    assert.equal(solo.end.last.yourDiscriminator, 0)
    assert.deepEqual(solo.end.told, [])
  })

  test('AdminDown of the neighbour ends the session and is no failure; then nobody is waited for', () => {
    const solo = new Solo()
    solo.bringUp()
    solo.hear({ state: 'AdminDown', diagnostic: 7 })
    assert.equal(solo.end.session.state, 'Down')
    solo.clock.advance(60_000)
    assert.deepEqual(solo.end.told, ['up'])
  })

  test('Down of the neighbour is a failure, with its reason', () => {
    const solo = new Solo()
    solo.bringUp()
    solo.hear({ state: 'Down', diagnostic: 1 })
    assert.deepEqual(solo.end.told, ['up', 'the neighbour says Down, control detection time expired'])
    assert.equal(solo.end.last.diagnostic, 3)
  })

  test('packets that have come and were not read are read before silence is believed', () => {
    const solo = new Solo()
    solo.bringUp()
    solo.end.isStalled = true
    solo.clock.advance(250)
    solo.hear({ state: 'Up' })
    solo.clock.stall(500)
    solo.clock.advance(0)
    assert.equal(solo.end.session.state, 'Up')
    solo.clock.advance(300)
    assert.equal(solo.end.session.state, 'Down')
  })

  test('what waits may also say that it is over', () => {
    const solo = new Solo()
    solo.bringUp()
    solo.end.isStalled = true
    solo.hear({ state: 'Down', diagnostic: 1 })
    solo.clock.stall(500)
    solo.clock.advance(0)
    assert.deepEqual(solo.end.told, ['up', 'the neighbour says Down, control detection time expired'])
  })
})

describe('Poll Sequences: §6.5', () => {
  test('going up polls, in the periodic packets, until there is an answer', () => {
    const solo = new Solo()
    solo.hear({ state: 'Init' })
    const { at } = solo.end.last
    assert.ok(solo.end.last.poll)
    assert.equal(solo.end.last.desiredMinTx, 100_000)
    for (let i = 0; i < 4; i++) {
      solo.clock.advance(100)
      solo.hear({ state: 'Up' })
    }
    assert.ok(solo.end.since(at).every(({ poll }) => poll))
    assert.ok(gaps(solo.end.since(at)).every((gap) => gap >= 75))
    solo.hear({ state: 'Up', final: true })
    solo.clock.advance(100)
    assert.equal(solo.end.last.poll, false)
  })

  test('a Poll is answered at once, with Final and without Poll, and the own timer does not mind', () => {
    const solo = new Solo()
    solo.hear({ state: 'Init' })
    const [before] = [solo.end.last]
    solo.clock.advance(10)
    solo.hear({ state: 'Up', poll: true })
    assert.equal(solo.end.last.at, 10)
    assert.ok(solo.end.last.final && !solo.end.last.poll)
    solo.clock.advance(90)
    const next = solo.end.since(10)[0]!
    assert.ok(next.poll && !next.final)
    assert.ok(next.at - before!.at >= 75 && next.at - before!.at <= 100)
  })

  test('a Poll is answered in any state but AdminDown', () => {
    const solo = new Solo()
    solo.hear({ state: 'Up', poll: true })
    assert.equal(solo.end.session.state, 'Down')
    assert.ok(solo.end.last.final)
    solo.end.session.disable()
    const { length } = solo.end.sent
    solo.hear({ state: 'Down', poll: true })
    assert.equal(solo.end.sent.length, length)
  })

  test('to send less often, and to wait less long, has to wait for the answer; the opposite has not', () => {
    const solo = new Solo()
    solo.bringUp()
    solo.end.session.change({ minTx: 400, minRx: 50, multiplier: 3 })
    const { status } = solo.end.session
    assert.equal(status.transmitInterval, 100)
    assert.equal(status.detectionTime, 300)
    solo.clock.advance(100)
    assert.ok(solo.end.last.poll)
    assert.deepEqual([solo.end.last.desiredMinTx, solo.end.last.requiredMinRx], [400_000, 50_000])
    solo.hear({ state: 'Up', final: true, desiredMinTx: 50_000 })
    assert.equal(solo.end.session.status.transmitInterval, 400)
    assert.equal(solo.end.session.status.detectionTime, 150)

    solo.end.session.change({ minTx: 20, minRx: 200, multiplier: 3 })
    assert.equal(solo.end.session.status.transmitInterval, 100)
    assert.equal(solo.end.session.status.detectionTime, 600)
  })

  test('a change while one is under way has a sequence of its own', () => {
    const solo = new Solo()
    solo.bringUp()
    solo.end.session.change({ minTx: 200, minRx: 100, multiplier: 3 })
    solo.end.session.change({ minTx: 300, minRx: 100, multiplier: 3 })
    solo.hear({ state: 'Up', final: true })
    assert.equal(solo.end.session.status.transmitInterval, 100)
    solo.hear({ state: 'Up', final: true })
    assert.equal(solo.end.session.status.transmitInterval, 300)
  })
})

describe('demand mode of the neighbour: §6.6', () => {
  test('periodic packets stop while both are up, and a Poll Sequence is made all the same', () => {
    const solo = new Solo()
    solo.bringUp()
    solo.hear({ state: 'Up', demand: true })
    const { at } = solo.end.last
    const live = () => {
      solo.clock.advance(100)
      solo.hear({ state: 'Up', demand: true })
    }
    for (let i = 0; i < 10; i++) live()
    assert.deepEqual(solo.end.since(at), [])
    solo.end.session.change({ minTx: 200, minRx: 100, multiplier: 3 })
    live()
    assert.ok(solo.end.last.poll)
    solo.hear({ state: 'Up', demand: true, final: true })
    const { length } = solo.end.sent
    for (let i = 0; i < 10; i++) live()
    assert.equal(solo.end.sent.length, length)
    solo.hear({ state: 'Up', demand: false })
    solo.clock.advance(200)
    assert.ok(solo.end.sent.length > length)
  })
})

describe('two sessions', () => {
  test('are up after three packets', () => {
    const { clock, a, b } = new Pair()
    clock.advance(10)
    assert.deepEqual([a.session.state, b.session.state], ['Up', 'Up'])
    assert.deepEqual([a.told, b.told], [['up'], ['up']])
  })

  test('notice a silent loss within their detection time, and come back when it is over', () => {
    const pair = new Pair()
    pair.clock.advance(2000)
    pair.loses = () => true
    pair.clock.advance(301)
    assert.deepEqual([pair.a.session.state, pair.b.session.state], ['Down', 'Down'])
    pair.clock.advance(10_000)
    pair.loses = () => false
    pair.clock.advance(1100)
    assert.deepEqual([pair.a.session.state, pair.b.session.state], ['Up', 'Up'])
  })

  test('notice a loss of one way both: who hears nothing says so', () => {
    const pair = new Pair()
    pair.clock.advance(2000)
    pair.loses = (from) => from === 'a'
    pair.clock.advance(310)
    assert.deepEqual([pair.a.session.state, pair.b.session.state], ['Down', 'Down'])
    assert.equal(pair.a.told.at(-1), 'the neighbour says Down, control detection time expired')
    assert.equal(pair.b.told.at(-1), 'no packet came for 300 ms')
  })

  test('a neighbour that restarts is noticed, and joined again', () => {
    const pair = new Pair()
    pair.clock.advance(2000)
    pair.restarted()
    pair.clock.advance(4100)
    assert.deepEqual([pair.a.session.state, pair.b.session.state], ['Up', 'Up'])
    assert.equal(pair.a.session.status.remote?.discriminator, 0xbb)
    assert.equal(pair.a.told.length, 3)
  })

  test('one that is switched off is Down at the other end, which is told nothing, and comes back', () => {
    const pair = new Pair()
    pair.clock.advance(2000)
    pair.a.session.disable()
    pair.clock.advance(5000)
    assert.deepEqual([pair.a.session.state, pair.b.session.state], ['AdminDown', 'Down'])
    pair.a.session.enable()
    pair.clock.advance(1100)
    assert.deepEqual(pair.b.told, ['up', 'up'])
  })

  test('changed timers are agreed upon without losing the session', () => {
    const pair = new Pair()
    pair.clock.advance(2000)
    pair.a.session.change({ minTx: 700, minRx: 50, multiplier: 2 })
    pair.clock.advance(3000)
    assert.equal(pair.a.session.status.transmitInterval, 700)
    assert.equal(pair.b.session.status.detectionTime, 1400)
    assert.deepEqual([pair.a.told, pair.b.told], [['up'], ['up']])
  })

  test('settings that no packet can tell are refused', () => {
    for (const settings of [
      { ...FAST, minTx: 0 },
      { ...FAST, minRx: Number.NaN },
      { ...FAST, minTx: 5_000_000 },
      { ...FAST, multiplier: 0 },
      { ...FAST, multiplier: 256 },
      { ...FAST, multiplier: 1.5 },
    ]) {
      assert.throws(() => new Solo(settings), RangeError)
    }
  })

  test('who is stopped is not heard any more', () => {
    const solo = new Solo(FAST, {}, seeded(3))
    solo.bringUp()
    solo.end.session.stop()
    const { length } = solo.end.sent
    solo.clock.advance(10_000)
    assert.equal(solo.end.sent.length, length)
    assert.deepEqual(solo.end.told, ['up'])
  })
})
