/** The table: what is in it, and what it says has changed. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { parsePrefixKey } from '../../../src/bgp/nlri.ts'
import { bestOf, LocRib } from '../../../src/bgp/rib/loc.ts'
import { path } from './paths.ts'

const P = parsePrefixKey('10.0.0.0/8')
const Q = parsePrefixKey('11.0.0.0/8')
const a = path({ address: '10.0.0.1', attributes: { localPref: 200 } })
const b = path({ address: '10.0.0.2' })
const lost = path({ address: '10.0.0.3', metric: undefined, attributes: { localPref: 300 } })
const table = (preferOlder = false) => new LocRib('ipv4', { preferOlder })

describe('a table', () => {
  test('counts prefixes with a best path, and has all paths', () => {
    const rib = table()
    rib.put(P, lost)
    assert.deepEqual([rib.size, rib.best(P), rib.paths(P)], [0, undefined, [lost]])
    rib.put(P, b)
    rib.put(P, a)
    rib.put(Q, a)
    assert.deepEqual([rib.size, rib.best(P), rib.paths(P)], [2, a, [lost, b, a]])
    rib.remove(P, a.source.peer, 0)
    assert.equal(rib.best(P), b)
    rib.remove(P, b.source.peer, 0)
    assert.deepEqual([rib.size, rib.best(P), rib.paths(P)], [1, undefined, [lost]])
    rib.remove(P, lost.source.peer, 0)
    assert.deepEqual([rib.keys(), rib.paths(P)], [[Q], []])
  })
  test('answers what was replaced or removed, and nothing for what was not there', () => {
    const rib = table()
    assert.equal(rib.put(P, a), undefined)
    assert.equal(rib.put(P, a), a)
    assert.equal(rib.put(P, b), undefined)
    const again = path({ address: '10.0.0.1' })
    assert.equal(rib.put(P, again), a)
    assert.equal(rib.remove(P, b.source.peer, 7), undefined)
    assert.equal(rib.remove(P, b.source.peer, 0), b)
    assert.equal(rib.remove(P, b.source.peer, 0), undefined)
    assert.equal(rib.remove(Q, b.source.peer, 0), undefined)
  })
  test('explains', () => {
    const rib = table()
    for (const each of [lost, b, a]) rib.put(P, each)
    assert.deepEqual(
      rib.explain(P).map(({ lost: why }) => why),
      [
        undefined,
        { name: 'highest LOCAL_PREF', source: 'RFC 4271 §9.1.1' },
        { unusable: 'next hop 10.0.0.99 is not reachable' },
      ],
    )
  })
})

describe('changes', () => {
  test('say what was best when they were last taken, however often it has changed since', () => {
    const rib = table()
    rib.put(P, b)
    assert.deepEqual([...rib.takeChanges()], [[P, undefined]])
    rib.put(P, a)
    rib.remove(P, b.source.peer, 0)
    rib.remove(P, a.source.peer, 0)
    assert.equal(bestOf(rib.settled(P)), b)
    assert.deepEqual([...rib.takeChanges()], [[P, b]])
    assert.equal(rib.settled(P), undefined)
    assert.equal(rib.takeChanges().size, 0)
  })
  test('are none when a path is put where it is', () => {
    const rib = table()
    for (const each of [a, b]) rib.put(P, each)
    rib.takeChanges()
    for (const each of [a, b]) rib.put(P, each)
    assert.equal(rib.takeChanges().size, 0)
  })
})

describe('preferOlder (RFC 5004)', () => {
  const early = path({ address: '10.0.0.2', routerId: '2.2.2.2', as: 65102 })
  const late = path({ address: '10.0.0.1', routerId: '1.1.1.1' })
  test('a path that is announced again as it was is as old as before', () => {
    const rib = table(true)
    rib.put(P, early)
    rib.put(P, late)
    rib.put(P, path({ address: '10.0.0.2', routerId: '2.2.2.2', as: 65102 }))
    assert.equal(rib.best(P)!.source.peer.address, '10.0.0.2')
  })
  test('one that has changed is new', () => {
    const rib = table(true)
    rib.put(P, early)
    rib.put(P, late)
    rib.put(P, path({ address: '10.0.0.2', routerId: '2.2.2.2', as: 65102, attributes: { communities: [7] } }))
    assert.equal(rib.best(P), late)
  })
})
