/** Two neighbours that dial at the same time: RFC 4271 §6.8. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { seeded, TestSpeaker, type World, world } from './speakers.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'

function pair(w: World, ids: readonly [string, string] = [A, B], settings = {}): readonly [TestSpeaker, TestSpeaker] {
  const a = new TestSpeaker(w, A, { id: ids[0] })
  const b = new TestSpeaker(w, B, { id: ids[1] })
  a.neighbour(B, settings)
  b.neighbour(A, settings)
  return [a, b]
}

const start = (a: TestSpeaker, b: TestSpeaker) => {
  a.peers.get(B)!.enable()
  b.peers.get(A)!.enable()
}

/** Whoever looks from outside: one connection, and both use it. */
function assertOne(a: TestSpeaker, b: TestSpeaker): void {
  for (const [speaker, other] of [
    [a, B],
    [b, A],
  ] as const) {
    assert.equal(speaker.peers.get(other)!.describe(), `Established with ${other} from ${speaker.address}`)
    assert.equal(speaker.peers.get(other)!.connections, 1)
    assert.equal(speaker.host.connections, 1)
  }
}

describe('both dial at once', () => {
  for (const ids of [
    [A, B],
    [B, A],
  ] as const) {
    test(`with identifiers ${ids.join(' and ')} one connection stays, and no session has fallen`, () => {
      const w = world()
      const [a, b] = pair(w, ids)
      start(a, b)
      w.clock.advance(500)
      assertOne(a, b)
      for (const [speaker, other] of [
        [a, B],
        [b, A],
      ] as const) {
        assert.deepEqual(speaker.heard.get(other)!.told, ['established'])
      }
    })
  }

  for (const gr of [undefined, { time: 120, restarting: true }]) {
    test(`100 times with any latencies${gr ? ', graceful restart' : ''}: exactly one session, and none has fallen`, () => {
      for (let seed = 1; seed <= 100; seed++) {
        const random = seeded(seed)
        const w = world(seed, () => 1 + Math.floor(random() ** 3 * 400))
        const [a, b] = pair(w, seed % 2 ? [A, B] : [B, A], { gracefulRestart: gr })
        w.clock.after(random() * 300, () => a.peers.get(B)!.enable())
        w.clock.after(random() * 300, () => b.peers.get(A)!.enable())
        w.clock.advance(15_000)
        assertOne(a, b)
        const told = [...a.heard.get(B)!.told, ...b.heard.get(A)!.told]
        assert.deepEqual(told, ['established', 'established'], `seed ${seed}`)
      }
    })
  }
})
