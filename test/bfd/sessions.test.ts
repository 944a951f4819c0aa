/** Which session a packet belongs to, and which belong to none: RFC 5880 §6.8.6, RFC 5881 §5. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Session } from '../../src/bfd/session.ts'
import { type Arrival, Sessions } from '../../src/bfd/sessions.ts'
import { type BfdControl, encodeBfd } from '../../src/wire/bfd.ts'
import { seeded } from '../bgp/speakers.ts'
import { StepClock } from '../bgp/step-clock.ts'
import { FAST } from './pair.ts'

const NONE = { distant: 0, malformed: 0, unknownSession: 0, authentication: 0 }
const FROM: Arrival = { from: '10.0.0.2', ttl: 255, multihop: false }

class Node {
  readonly sessions = new Sessions(seeded(1))
  readonly clock = new StepClock()

  add(remote: string, multihop = false): Session {
    return this.sessions.add(
      { remote, multihop },
      {
        settings: FAST,
        clock: this.clock,
        random: seeded(2),
        send: () => undefined,
        readWaiting: () => undefined,
        events: { up: () => undefined, down: () => undefined },
      },
    )
  }

  hear(packet: Partial<BfdControl>, arrival: Partial<Arrival> = {}): void {
    const bytes = encodeBfd({
      diagnostic: 0,
      state: 'Down',
      poll: false,
      final: false,
      controlPlaneIndependent: false,
      demand: false,
      detectMultiplier: 3,
      myDiscriminator: 0xb,
      yourDiscriminator: 0,
      desiredMinTx: 1_000_000,
      requiredMinRx: 100_000,
      requiredMinEchoRx: 0,
      authentication: undefined,
      ...packet,
    })
    this.sessions.receive(bytes, { ...FROM, ...arrival })
  }
}

test('the first packet belongs to the session with the address that it came from', () => {
  const node = new Node()
  const [one, other] = [node.add('10.0.0.2'), node.add('FD00::2')]
  node.hear({}, { from: 'fd00::2' })
  assert.deepEqual([one.state, other.state], ['Down', 'Init'])
  node.hear({}, { from: '10.0.0.3' })
  assert.deepEqual(node.sessions.refusals, { ...NONE, unknownSession: 1 })
})

test('later ones belong to the session whose discriminator they have, wherever they come from', () => {
  const node = new Node()
  const [one, other] = [node.add('10.0.0.2'), node.add('10.0.0.3')]
  node.hear({ state: 'Init', yourDiscriminator: other.discriminator })
  assert.deepEqual([one.state, other.state], ['Down', 'Up'])
  node.hear({ yourDiscriminator: (other.discriminator + 1) >>> 0 })
  assert.deepEqual(node.sessions.refusals, { ...NONE, unknownSession: 1 })
})

test('what has come over a router is not taken for a neighbour on the link', () => {
  const node = new Node()
  const session = node.add('10.0.0.2')
  node.hear({}, { ttl: 254 })
  node.hear({ state: 'Init', yourDiscriminator: session.discriminator }, { ttl: 254 })
  assert.equal(session.state, 'Down')
  assert.deepEqual(node.sessions.refusals, { ...NONE, distant: 2 })
})

test('nor what came to the port for several hops, which takes any TTL', () => {
  const node = new Node()
  const [near, far] = [node.add('10.0.0.2'), node.add('10.0.0.2', true)]
  node.hear({ state: 'Init', yourDiscriminator: near.discriminator }, { multihop: true, ttl: 60 })
  assert.equal(near.state, 'Down')
  node.hear({}, { multihop: true, ttl: 60 })
  assert.deepEqual([near.state, far.state], ['Down', 'Init'])
})

test('authentication is refused, and the session says so', () => {
  const node = new Node()
  const session = node.add('10.0.0.2')
  node.hear({ authentication: { type: 4, data: new Uint8Array(26) } })
  assert.equal(session.state, 'Down')
  assert.equal(session.status.lastRefusal, 'authentication of type 4 is not offered')
  assert.deepEqual(node.sessions.refusals, { ...NONE, authentication: 1 })
})

test('what is no packet is counted', () => {
  const node = new Node()
  node.sessions.receive(new Uint8Array(24), FROM)
  assert.deepEqual(node.sessions.refusals, { ...NONE, malformed: 1 })
})

test('discriminators are different, and never 0', () => {
  const sessions = new Sessions(() => 0)
  const all = Array.from({ length: 3 }, (_, i) =>
    sessions.add(
      { remote: `10.0.0.${i}`, multihop: false },
      {
        settings: FAST,
        clock: new StepClock(),
        random: () => 0,
        send: () => undefined,
        readWaiting: () => undefined,
        events: { up: () => undefined, down: () => undefined },
      },
    ),
  )
  assert.deepEqual(
    all.map(({ discriminator }) => discriminator),
    [1, 2, 3],
  )
})

test('a neighbour is watched once; one that was removed may be watched again', () => {
  const node = new Node()
  const session = node.add('fd00::2')
  assert.throws(() => node.add('FD00:0::2'), /Cannot watch "FD00:0::2" by BFD: it is watched already/)
  node.sessions.remove(session)
  const again = node.add('fd00::2')
  node.sessions.remove(session)
  assert.equal(node.sessions.size, 1)
  node.hear({ yourDiscriminator: again.discriminator, state: 'Init' })
  assert.equal(again.state, 'Up')
})
