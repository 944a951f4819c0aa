/** Whatever happens to links and hosts, when all is well again every pair of neighbours has one session. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { seeded, TestSpeaker, type World, world } from './speakers.ts'

const SECOND = 1000

type Mishap = (w: World, speakers: readonly TestSpeaker[], random: () => number) => void

const pick = <T>(list: readonly T[], random: () => number) => list[Math.floor(random() * list.length)]!

function pickLink(w: World, speakers: readonly TestSpeaker[], random: () => number) {
  const a = pick(speakers, random)
  const b = pick(
    speakers.filter((each) => each !== a),
    random,
  )
  return { a, b, link: w.network.link(a.address, b.address) }
}

const mishaps: Readonly<Record<string, Mishap>> = {
  cut: (w, speakers, random) => pickLink(w, speakers, random).link.cut(),
  heal: (w, speakers, random) => pickLink(w, speakers, random).link.heal(),
  reset: (_, speakers, random) => pick(speakers, random).host.loseConnections(),
  restart: (_, speakers, random) => pick(speakers, random).restart(),
  disable: (w, speakers, random) => {
    const { a, b } = pickLink(w, speakers, random)
    a.peers.get(b.address)!.disable('maintenance')
    w.clock.after(random() * 20 * SECOND, () => a.peers.get(b.address)!.enable())
  },
  administrativeReset: (w, speakers, random) => {
    const { a, b } = pickLink(w, speakers, random)
    a.peers.get(b.address)!.reset()
  },
}

function life(seed: number, graceful: boolean): void {
  const random = seeded(seed)
  const w = world(seed, () => 1 + Math.floor(random() ** 4 * 300))
  const speakers = Array.from({ length: 4 }, (_, i) => new TestSpeaker(w, `10.0.0.${i + 1}`, { sendsEndOfRib: true }))
  const gracefulRestart = graceful ? { time: 60, restarting: true } : undefined
  const pairs = speakers.flatMap((a) => speakers.filter((b) => b !== a).map((b) => [a, b] as const))
  for (const [a, b] of pairs) {
    // Of a passive neighbour the other end is not passive.
    const passive = seed % 3 === 0 && a.address > b.address
    a.neighbour(b.address, { holdTime: pick([3, 9, 90], random), passive, gracefulRestart }).enable()
  }

  for (let i = 0; i < 25; i++) {
    pick(Object.values(mishaps), random)(w, speakers, random)
    w.clock.advance(random() ** 2 * 30 * SECOND)
    for (const { host, peers } of speakers) {
      for (const peer of peers.values()) assert.ok(peer.connections <= 2, 'two connections are the most')
      assert.ok(host.connections <= 4 * peers.size, 'connections do not pile up')
    }
  }
  for (const [a, b] of pairs) w.network.link(a.address, b.address).heal()
  // The hold time, the longest rest, and some attempts.
  w.clock.advance(180 * SECOND)

  for (const [a, b] of pairs) {
    const peer = a.peers.get(b.address)!
    assert.equal(peer.describe(), `Established with ${b.address} from ${a.address}`, `seed ${seed}`)
    assert.equal(peer.connections, 1)
    assert.deepEqual([peer.kept, [...peer.awaitsEndOfRib]], [[], []])
  }
  for (const { host } of speakers) assert.equal(host.connections, speakers.length - 1, `seed ${seed}`)
}

test('after any 25 mishaps every pair is Established again, over one connection', () => {
  for (let seed = 1; seed <= 25; seed++) life(seed, false)
})

test('also with graceful restart', () => {
  for (let seed = 101; seed <= 125; seed++) life(seed, true)
})
