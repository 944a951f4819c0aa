/** Which two links are the ends of one veth, where pairs that were made alike have the same indices: isPair. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { isPair, type LinkEnd } from '../../src/trace/explain/loss.ts'
import { World } from '../model/world.ts'

const world = new World()
world.pair('a:eth0', '02:00:00:00:00:01', 'b:eth0', '02:00:00:00:00:02')
world.pair('c:eth0', '02:00:00:00:00:03', 'd:eth0', '02:00:00:00:00:04')
world.in('a').links.add({ kind: 'dummy', name: 'other' })

const places = new Map(['a', 'b', 'c', 'd'].map((name) => [name, { name, namespace: name, kernel: world.in(name) }]))

function at(name: string, device = 'eth0'): LinkEnd {
  const place = places.get(name)!
  return { place, link: place.kernel.links.get(device)! }
}

const [a, b, c, d] = [at('a'), at('b'), at('c'), at('d')]

test('the ends of one veth are a pair, whichever is asked first', () => {
  assert.equal(isPair(a, b), true)
  assert.equal(isPair(b, a), true)
})

test('ends of two pairs are none, though each has the index of the other’s peer', () => {
  assert.equal(new Set([a, b, c, d].map(({ link }) => link.index)).size, 1)
  assert.equal(isPair(a, d), false)
  assert.equal(isPair(c, b), false)
  assert.equal(isPair(a, c), false)
})

test('a link of another kind is none', () => {
  assert.equal(isPair(at('a', 'other'), b), false)
})
