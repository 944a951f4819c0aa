/** The decision process, a step at a time: RFC 4271 §9.1.2.2, RFC 4456 §9, RFC 9494 §4.3, RFC 5004. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { WellKnown } from '../../../src/bgp/attribute/communities.ts'
import { parseBgpId } from '../../../src/bgp/bgp-id.ts'
import { decide, explain, type Step } from '../../../src/bgp/rib/decision.ts'
import { type PathOptions, path } from './paths.ts'

const options = { preferOlder: false }
const one = '10.0.0.1'
const other = '10.0.0.2'

/** The better path, the worse, and the step that tells. All that is compared later is in favour of the worse. */
const steps: readonly [Step['name'], PathOptions, PathOptions][] = [
  [
    'not long-lived stale',
    { attributes: { path: [65101, 7] } },
    { attributes: { communities: [WellKnown['llgr-stale']], localPref: 200 } },
  ],
  ['highest LOCAL_PREF', { attributes: { localPref: 101, path: [65101, 7, 8] } }, { attributes: { localPref: 100 } }],
  ['highest LOCAL_PREF', { attributes: { localPref: 0xffff_ffff } }, { attributes: { localPref: 0x7fff_ffff } }],
  ['highest LOCAL_PREF', { attributes: { path: [65101, 7, 8] } }, { attributes: { localPref: 99 } }],
  [
    'locally originated',
    { kind: 'local', address: '', attributes: { origin: 'INCOMPLETE' } },
    { kind: 'internal', attributes: { origin: 'IGP' } },
  ],
  [
    'shortest AS_PATH',
    { attributes: { path: [65101, 7], origin: 'INCOMPLETE' } },
    { attributes: { path: [65101, 7, 8] } },
  ],
  [
    'shortest AS_PATH',
    { attributes: { asPath: [{ type: 'set', numbers: [1, 2, 3] }], origin: 'EGP' } },
    { attributes: { path: [65101, 7] } },
  ],
  ['lowest ORIGIN', { attributes: { med: 9 } }, { attributes: { origin: 'EGP', med: 1 } }],
  ['lowest ORIGIN', { attributes: { origin: 'EGP', med: 9 } }, { attributes: { origin: 'INCOMPLETE', med: 1 } }],
  [
    'lowest MED',
    { kind: 'internal', attributes: { path: [65101], med: 5 } },
    { kind: 'external', attributes: { path: [65101], med: 6 } },
  ],
  ['lowest MED', { metric: 99 }, { attributes: { med: 1 } }],
  ['lowest MED', { attributes: { med: 0x7fff_ffff } }, { attributes: { med: 0xffff_ffff } }],
  ['eBGP before iBGP', { metric: 99 }, { kind: 'internal', attributes: { path: [65101] } }],
  ['lowest metric to the next hop', { metric: 5, routerId: '9.9.9.9' }, { metric: 6 }],
  ['lowest metric to the next hop', { metric: 0, routerId: '9.9.9.9' }, { metric: 1 }],
  ['lowest BGP identifier', { routerId: '1.1.1.1', address: other }, { routerId: '1.1.1.2', address: one }],
  ['lowest BGP identifier', { routerId: '127.0.0.1' }, { routerId: '200.0.0.1' }],
  [
    'lowest BGP identifier',
    { kind: 'internal', routerId: '9.9.9.9', attributes: { originatorId: parseBgpId('1.1.1.0') } },
    { kind: 'internal', routerId: '1.1.1.1' },
  ],
  [
    'shortest CLUSTER_LIST',
    { kind: 'internal', address: other, attributes: { clusterList: [1] } },
    { kind: 'internal', address: one, attributes: { clusterList: [1, 2] } },
  ],
  ['lowest peer address', { address: '10.0.0.9', pathId: 2 }, { address: '10.0.0.10', pathId: 1 }],
  ['lowest peer address', { address: '10.0.0.9' }, { address: 'fd00::1' }],
  ['lowest path identifier', { address: one, pathId: 1 }, { address: one, pathId: 2 }],
]

function lostBy(paths: Parameters<typeof decide>[0], loser: ReturnType<typeof path>, how = options) {
  const lost = explain(paths, how).find((verdict) => verdict.path === loser)?.lost
  return lost && 'name' in lost ? lost.name : undefined
}

describe('each step alone, in both orders of arrival', () => {
  for (const [i, [step, better, worse]] of steps.entries()) {
    test(`${step} (${i + 1})`, () => {
      const [a, b] = [path({ address: one, ...better }), path({ address: other, ...worse })]
      for (const paths of [
        [a, b],
        [b, a],
      ]) {
        assert.equal(decide(paths, options)!.best, a)
        assert.equal(lostBy(paths, b), step)
      }
    })
  }
})

test('MED of different neighbour AS is not compared', () => {
  const a = path({ as: 65101, address: one, routerId: '1.1.1.1', attributes: { med: 9 } })
  const b = path({ as: 65102, address: other, routerId: '1.1.1.2', attributes: { med: 1 } })
  assert.equal(decide([b, a], options)!.best, a)
})

test('MED is compared between an eBGP path and an iBGP path through the same AS, and not with one of our own AS', () => {
  const external = path({ as: 65101, attributes: { med: 9 } })
  const inside = path({ kind: 'internal', as: 64512, attributes: { path: [65101], med: 1 } })
  const own = path({ kind: 'internal', as: 64512, attributes: { path: [65102], med: 0 } })
  assert.equal(decide([external, inside], options)!.best, inside)
  assert.equal(decide([external, own], options)!.best, external)
})

test('MED is deterministic: no order of three paths of two AS makes another best (RFC 3345 §2)', () => {
  // a beats b by identifier, b beats c by metric, c beats a by MED.
  const a = path({ as: 1, address: '10.0.0.1', metric: 10, attributes: { path: [1], med: 10 } })
  const b = path({ as: 2, address: '10.0.0.2', metric: 10, routerId: '1.1.1.2' })
  const c = path({ as: 1, address: '10.0.0.3', metric: 20, attributes: { path: [1], med: 5 } })
  for (const paths of [
    [a, b, c],
    [a, c, b],
    [b, a, c],
    [b, c, a],
    [c, a, b],
    [c, b, a],
  ]) {
    assert.equal(decide(paths, options)!.best, b)
  }
})

describe('paths that cannot be used', () => {
  const usable = path({ address: one, attributes: { localPref: 1 } })
  test('a next hop that nothing leads to', () => {
    const unreachable = path({ address: other, metric: undefined })
    assert.equal(decide([unreachable, usable], options)!.best, usable)
    assert.deepEqual(explain([unreachable, usable], options).at(-1)!.lost, {
      unusable: 'next hop 10.0.0.99 is not reachable',
    })
  })
  test('a path that is kept and excluded', () => {
    const excluded = path({ address: other, excluded: 'AS loop' })
    assert.equal(decide([excluded, usable], options)!.best, usable)
    assert.deepEqual(explain([excluded, usable], options).at(-1)!.lost, { unusable: 'AS loop' })
  })
  test('are all there is: there is no best', () =>
    assert.equal(decide([path({ excluded: 'AS loop' })], options), undefined))
})

describe('multipath', () => {
  const equalOf = (...paths: ReturnType<typeof path>[]) => decide(paths, options)!.equal
  test('different AS, metric, identifier and address are equal; the best comes first', () => {
    const a = path({ as: 65101, address: other, routerId: '2.2.2.2', metric: 1 })
    const b = path({ as: 65102, address: one, routerId: '1.1.1.1', metric: 2 })
    assert.deepEqual(equalOf(b, a), [a, b])
  })
  test('eBGP and iBGP are not', () => {
    const a = path({ as: 65101 })
    const b = path({ kind: 'internal', attributes: { path: [65101] } })
    assert.deepEqual(equalOf(a, b), [a])
  })
  test('of one neighbour AS, those with the lowest MED are', () => {
    const [a, b, c] = [1, 1, 2].map((med, i) => path({ address: `10.0.0.${i}`, attributes: { med } }))
    assert.deepEqual(equalOf(a!, b!, c!), [a, b])
  })
  test('is told by the explanation', () => {
    const a = path({ as: 65101, address: one })
    const b = path({ as: 65102, address: other, routerId: '2.2.2.2' })
    const c = path({ as: 65103, attributes: { localPref: 1 }, address: '10.0.0.3' })
    assert.deepEqual(
      explain([c, b, a], options).map((verdict) => [verdict.path, verdict.multipath]),
      [
        [a, true],
        [b, true],
        [c, false],
      ],
    )
  })
})

describe('preferOlder (RFC 5004)', () => {
  const older = { preferOlder: true }
  const early = path({ as: 65101, address: other, routerId: '2.2.2.2' })
  const late = path({ as: 65102, address: one, routerId: '1.1.1.1' })
  test('the external path that was there first stays', () => {
    assert.equal(decide([early, late], older)!.best, early)
    assert.equal(lostBy([early, late], late, older), 'oldest external path')
    assert.equal(decide([early, late], options)!.best, late)
  })
  test('all steps before identifiers come first', () => {
    const nearer = path({ as: 65102, address: one, metric: 1 })
    assert.equal(decide([early, nearer], older)!.best, nearer)
  })
  test('of one speaker the address decides', () => {
    const again = path({ as: 65101, address: one, routerId: '2.2.2.2' })
    assert.equal(decide([early, again], older)!.best, again)
  })
  test('is for external paths only', () => {
    const [a, b] = [early, late].map(({ source: { peer } }) =>
      path({ kind: 'internal', address: peer.address, routerId: peer.address === one ? '1.1.1.1' : '2.2.2.2' }),
    )
    assert.equal(decide([a!, b!], older)!.best, b)
  })
})
