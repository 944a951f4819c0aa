import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import type { Neighbour } from '../../src/kernel/neighbour.ts'
import { DesiredState } from '../../src/reconcile/difference.ts'
import { plan } from '../../src/reconcile/reconcile.ts'
import { Scope } from '../../src/reconcile/scope.ts'
import type { SeenState, State } from '../../src/reconcile/state.ts'

const difference = (before: State, now: State) => new DesiredState(before).become(now)

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

const sorted = (operations: readonly unknown[] | undefined) => operations?.map((one) => JSON.stringify(one)).sort()

describe('what is to be done', () => {
  test('is what a plan would be that sees the state before', () => {
    fc.assert(
      fc.property(state, state, (before, now) => {
        assert.deepEqual(sorted(difference(before, now)), sorted(plan(now, seenOf(before))))
      }),
    )
  })

  test('is the same for a state of the same objects, and however often a state has become another', () => {
    const some = <T>(items: readonly T[] | undefined, keep: readonly boolean[]) =>
      (items ?? []).filter((_, i) => keep[i % keep.length])
    const part = (all: State, keep: readonly boolean[]): State => ({
      ...all,
      neighbours: some(all.neighbours, keep),
      fdb: some(all.fdb, keep),
      routes: some(all.routes, keep),
    })
    const kept = fc.array(fc.array(fc.boolean(), { minLength: 1 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(state, kept, (all, parts) => {
        const desired = new DesiredState(all)
        let before = all
        for (const keep of parts) {
          const now = part(all, keep)
          assert.deepEqual(sorted(desired.become(now)), sorted(plan(now, seenOf(before))))
          before = now
        }
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

describe('a desired state expects', () => {
  const thing: Neighbour = { link: 'ovl0', address: '10.5.1.0', mac: '02:00:00:00:00:01', state: 'permanent' }
  const desired = new DesiredState({ neighbours: [thing], owned })
  const change = { subject: 'neighbour', link: 'ovl0' } as const

  test('what comes as it is desired, and what goes that is not', () => {
    assert.ok(desired.expects({ ...change, operation: 'new', thing: { ...thing } }))
    assert.ok(desired.expects({ ...change, operation: 'delete', thing: { ...thing, address: '10.5.2.0' } }))
  })

  test('nothing else: what goes that is desired, what is another, what nobody desires, what is not told', () => {
    assert.ok(!desired.expects({ ...change, operation: 'delete', thing }))
    assert.ok(!desired.expects({ ...change, operation: 'new', thing: { ...thing, mac: '02:00:00:00:00:02' } }))
    assert.ok(!desired.expects({ ...change, operation: 'new', thing: { ...thing, address: '10.5.2.0' } }))
    assert.ok(!desired.expects({ ...change, operation: 'new' }))
    assert.ok(!desired.expects({ subject: 'link', operation: 'new', link: 'ovl0' }))
  })

  test('of what it has become, no longer of what it was', () => {
    const state = new DesiredState({ neighbours: [thing], owned })
    state.become({ neighbours: [], owned })
    assert.ok(!state.expects({ ...change, operation: 'new', thing }))
    assert.ok(state.expects({ ...change, operation: 'delete', thing }))
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
