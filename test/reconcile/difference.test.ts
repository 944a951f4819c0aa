import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { difference } from '../../src/reconcile/difference.ts'
import { plan } from '../../src/reconcile/reconcile.ts'
import { Scope } from '../../src/reconcile/scope.ts'
import type { SeenState, State } from '../../src/reconcile/state.ts'

const link = fc.constantFrom('ovl0', 'ovl1')
const address = fc.integer({ min: 1, max: 5 }).map((n) => `10.5.${n}.0`)
const mac = fc.integer({ min: 1, max: 3 }).map((n) => `02:00:00:00:00:0${n}`)
const owned = { neighbours: { links: ['ovl0', 'ovl1'] }, fdb: { links: ['ovl0', 'ovl1'] }, routes: [{ protocol: 3 }] }

const state: fc.Arbitrary<State> = fc.record({
  neighbours: fc.array(fc.record({ link, address, mac, state: fc.constant('permanent' as const) })),
  fdb: fc.array(
    fc.record({
      link,
      mac,
      owner: fc.constant('self' as const),
      destination: address,
      state: fc.constant('permanent' as const),
    }),
  ),
  routes: fc.array(
    fc.record({
      link,
      destination: address.map((text) => `${text}/24`),
      gateway: address,
      onlink: fc.constant(true),
      protocol: fc.constant(3),
    }),
  ),
  owned: fc.constant(owned),
})

/** What the first of each key looks like when it is there. */
const seenOf = (desired: State): SeenState => {
  const operations = plan(desired, {})
  const of = (subject: string) =>
    operations.flatMap((one) => (one.subject === subject && one.operation === 'add' ? [one.desired] : []))
  return { neighbours: of('neighbours'), fdb: of('fdb'), routes: of('routes') } as SeenState
}

describe('difference()', () => {
  test('is what a plan would be that sees the state before', () => {
    fc.assert(
      fc.property(state, state, (before, now) => {
        const sorted = (operations: readonly unknown[] | undefined) =>
          operations?.map((one) => JSON.stringify(one)).sort()
        assert.deepEqual(sorted(difference(before, now)), sorted(plan(now, seenOf(before))))
      }),
    )
  })

  test('of equal states is nothing', () => {
    fc.assert(fc.property(state, (one) => assert.deepEqual(difference(one, structuredClone(one)), [])))
  })

  test('cannot be told where a device, a rule, or what is owned is another', () => {
    const before: State = { addresses: [{ link: 'ovl0', prefix: '10.5.1.0/32' }], owned }
    assert.equal(difference(before, { ...before, addresses: [] }), undefined)
    assert.equal(difference(before, { ...before, nftTables: [{ family: 'ip', name: 't' }] }), undefined)
    assert.equal(difference(before, { ...before, owned: {} }), undefined)
  })
})

describe('a scope', () => {
  const desired: State = {
    links: [
      { name: 'ovl0', kind: 'vxlan' },
      { name: 'ovl1', kind: 'vxlan' },
    ],
    neighbours: [
      { link: 'ovl0', address: '10.5.1.0' },
      { link: 'ovl1', address: '10.5.2.0' },
    ],
    routes: [
      { link: 'ovl0', destination: '10.5.1.0/24' },
      { link: 'ovl1', destination: '10.5.2.0/24' },
    ],
    nftTables: [{ family: 'ip', name: 't' }],
    owned: { ...owned, links: [{ name: 'ovl0' }, { name: 'ovl1' }], nftTables: [{ family: 'ip', name: 't' }] },
  }

  test('of a neighbour of a link has the neighbours of that link, and nothing else', () => {
    const scope = new Scope()
    scope.addChange({ subject: 'neighbour', operation: 'delete', link: 'ovl1' })
    assert.deepEqual(scope.narrow(desired), {
      neighbours: [desired.neighbours![1]],
      owned: { neighbours: { links: ['ovl1'] } },
    })
  })

  test('of a link has all that is on it, and every route', () => {
    const scope = new Scope()
    scope.addChange({ subject: 'link', operation: 'delete', link: 'ovl0' })
    const { links, neighbours, routes, nftTables, owned } = scope.narrow(desired)
    assert.deepEqual([links?.length, neighbours?.length, routes?.length, nftTables], [1, 1, 2, undefined])
    assert.deepEqual(owned?.links, [{ name: 'ovl0' }])
    assert.equal(owned?.nftTables, undefined)
  })

  test('of nftables has its tables', () => {
    const scope = new Scope()
    scope.addChange({ subject: 'nftables', operation: 'delete', link: undefined })
    const { nftTables, links, owned } = scope.narrow(desired)
    assert.deepEqual([nftTables?.length, links, owned], [1, undefined, { nftTables: desired.nftTables }])
  })
})
