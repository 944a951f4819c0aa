import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import type { Address } from '../../src/kernel/address.ts'
import { isErrno } from '../../src/kernel/errors.ts'
import type { Route } from '../../src/kernel/route.ts'
import { plan } from '../../src/reconcile/reconcile.ts'
import {
  type DesiredLink,
  joinStates,
  type SeenState,
  type State,
  type SubjectName,
} from '../../src/reconcile/state.ts'
import type { Subject } from '../../src/reconcile/subject.ts'
import { subjectNames, subjects } from '../../src/reconcile/subjects.ts'
import { carriedOut, keysOf, seenLink } from './naive.ts'

const OURS = 99
const FOREIGN = 3

// Small worlds, so that desired and foreign things meet often.
const linkName = fc.constantFrom('ovl0', 'ovl1', 'eth0', 'eth1')
const link: fc.Arbitrary<DesiredLink> = fc.record({
  name: linkName,
  kind: fc.constantFrom('dummy'),
  mtu: fc.constantFrom(1400, 1500),
  master: fc.constantFrom(null, 'eth0'),
})
const address = fc.record({ link: linkName, prefix: fc.constantFrom('10.0.0.1/24', '10.0.0.2/24', 'fd00::1/64') })
const linkState = fc.record({ link: linkName, up: fc.boolean() })
const setting = fc.record({ key: fc.constantFrom('net/a', 'net/b'), value: fc.constantFrom('0', '1') })
const neighbour = fc.record({
  link: linkName,
  address: fc.constantFrom('10.0.0.7', '10.0.0.8'),
  mac: fc.constantFrom('02:00:00:00:00:07', '02:00:00:00:00:08'),
})
const fdb = fc.record({
  link: linkName,
  mac: fc.constantFrom('00:00:00:00:00:00', '02:00:00:00:00:07'),
  owner: fc.constant('self' as const),
  destination: fc.constantFrom('192.0.2.1', '192.0.2.2'),
})
const route = (protocol: fc.Arbitrary<number>) =>
  fc.record({
    destination: fc.constantFrom('10.1.0.0/16', '10.2.0.0/16', 'fd00:1::/64'),
    link: linkName,
    gateway: fc.constantFrom('10.0.0.7', '10.0.0.8'),
    table: fc.constantFrom(254, 100),
    metric: fc.constantFrom(0, 5),
    protocol,
  })
const rule = (protocol: fc.Arbitrary<number>) =>
  fc.record({
    family: fc.constant('ipv4' as const),
    priority: fc.constantFrom(10, 20),
    source: fc.constantFrom('10.0.0.0/8', '192.0.2.0/24'),
    table: fc.constantFrom(100, 101),
    protocol,
  })
const table = fc.constantFrom('overlab', 'foreign')
const element = (table: fc.Arbitrary<string>) =>
  fc.record({
    family: fc.constant('inet' as const),
    table,
    set: fc.constantFrom('one', 'two'),
    element: fc.record({
      key: fc.constantFrom(Uint8Array.of(10, 0, 0, 1), Uint8Array.of(10, 0, 0, 2)),
      comment: fc.constantFrom('a', 'b'),
    }),
  })
const nftTable = (name: fc.Arbitrary<string>) => fc.record({ family: fc.constant('inet' as const), name })

const unique = <T>(name: SubjectName, items: fc.Arbitrary<T>) =>
  fc.uniqueArray(items, { selector: (item) => (subjects[name] as Subject<unknown, unknown>).key(item), maxLength: 6 })

const owned: NonNullable<State['owned']> = {
  links: [{ prefix: 'ovl' }],
  addresses: [{ links: ['ovl0', 'eth0'] }],
  neighbours: { links: ['ovl0'] },
  fdb: { links: ['ovl0'] },
  routes: [{ protocol: OURS }],
  rules: { protocol: OURS },
  nftTables: [{ family: 'inet', name: 'overlab' }],
}

const desired: fc.Arbitrary<State> = fc.record({
  links: unique('links', link),
  sysctls: unique('sysctls', setting),
  addresses: unique('addresses', address),
  linkStates: unique('linkStates', linkState),
  neighbours: unique('neighbours', neighbour),
  fdb: unique('fdb', fdb),
  routes: unique('routes', route(fc.constant(OURS))),
  rules: unique('rules', rule(fc.constant(OURS))),
  nftTables: unique('nftTables', nftTable(fc.constant('overlab'))),
  nftElements: unique('nftElements', element(fc.constant('overlab'))),
  owned: fc.constantFrom(owned, {}),
})

const seenAddress = address.map(
  (address): Address => ({
    ...address,
    scope: 'global',
    peer: undefined,
    broadcast: undefined,
    label: undefined,
    flags: 0x80, // IFA_F_PERMANENT
    validLifetime: Number.POSITIVE_INFINITY,
    preferredLifetime: Number.POSITIVE_INFINITY,
    permanent: true,
    secondary: false,
    tentative: false,
    dadFailed: false,
    protocol: 0,
  }),
)
const seen: fc.Arbitrary<SeenState> = fc.record({
  links: unique('links', link).map((links) => links.map((each) => seenLink(each))),
  sysctls: unique('sysctls', setting),
  addresses: unique('addresses', seenAddress),
  linkStates: unique('linkStates', linkState),
  neighbours: unique('neighbours', neighbour),
  fdb: unique('fdb', fdb),
  routes: unique('routes', route(fc.constantFrom(OURS, FOREIGN))),
  rules: unique('rules', rule(fc.constantFrom(OURS, FOREIGN))),
  nftTables: unique('nftTables', nftTable(table)),
  nftElements: unique('nftElements', element(table)),
})

const isOwned = (name: SubjectName, item: unknown, { owned = {} }: State) =>
  (subjects[name] as Subject<unknown, unknown>).owned(item, owned)
const keyOf = (name: SubjectName, item: unknown) => (subjects[name] as Subject<unknown, unknown>).key(item)
const linkOf = (name: SubjectName, item: unknown) => (subjects[name] as Subject<unknown, unknown>).link?.(item)

describe('plan()', () => {
  test('makes of any namespace what is desired, and nothing is left to do', () => {
    fc.assert(
      fc.property(desired, seen, (desired, seen) => {
        const after = carriedOut(seen, plan(desired, seen))
        assert.deepEqual(plan(desired, after), [])
        for (const name of subjectNames) {
          const there = new Set(keysOf(after, name))
          for (const item of desired[name] ?? []) assert.ok(there.has(keyOf(name, item)))
        }
      }),
    )
  })

  test('never touches what is not ours', () => {
    fc.assert(
      fc.property(desired, seen, (desired, seen) => {
        const after = carriedOut(seen, plan(desired, seen))
        const links = new Set(keysOf(after, 'links'))
        const goneLinks = new Set(keysOf(seen, 'links').filter((name) => !links.has(name)))
        for (const name of subjectNames) {
          const wanted = new Set((desired[name] ?? []).map((item) => keyOf(name, item)))
          const left: readonly unknown[] = after[name] ?? []
          for (const item of seen[name] ?? []) {
            const foreign = !wanted.has(keyOf(name, item)) && !isOwned(name, item, desired)
            if (foreign && !goneLinks.has(linkOf(name, item) ?? '')) assert.ok(left.includes(item), keyOf(name, item))
          }
        }
      }),
    )
  })

  test('leaves nothing of ours that is not desired', () => {
    fc.assert(
      fc.property(desired, seen, (desired, seen) => {
        const after = carriedOut(seen, plan(desired, seen))
        for (const name of subjectNames) {
          const wanted = new Set((desired[name] ?? []).map((item) => keyOf(name, item)))
          for (const item of after[name] ?? []) {
            assert.ok(wanted.has(keyOf(name, item)) || !isOwned(name, item, desired), keyOf(name, item))
          }
        }
      }),
    )
  })

  test('of two states joined is that of both', () => {
    fc.assert(
      fc.property(desired, seen, (desired, seen) => {
        assert.deepEqual(plan(joinStates(desired, desired), seen), plan(desired, seen))
      }),
    )
  })

  test('makes links before their addresses, and routes when links are up; removes the other way round', () => {
    const state: State = {
      links: [{ name: 'ovl0', kind: 'dummy' }],
      addresses: [{ link: 'ovl0', prefix: '10.0.0.1/24' }],
      linkStates: [{ link: 'ovl0', up: true }],
      routes: [{ destination: '10.1.0.0/16', link: 'ovl0', protocol: OURS }],
    }
    const order = (operations: ReturnType<typeof plan>) => operations.map(({ subject }) => subject)
    assert.deepEqual(order(plan(state, {})), ['links', 'addresses', 'linkStates', 'routes'])
    const full: SeenState = {
      links: [seenLink({ name: 'ovl0', kind: 'dummy' }), seenLink({ name: 'eth0', kind: 'veth' })],
      addresses: [{ link: 'eth0', prefix: '10.0.0.1/24', scope: 'global' } as Address],
      routes: [{ destination: '10.1.0.0/16', link: 'eth0', protocol: OURS }],
    }
    assert.deepEqual(order(plan({ owned }, full)), ['routes', 'addresses', 'links'])
  })

  test('makes a device of ours anew that cannot be changed, and all that went with it', () => {
    const vxlan = { vni: 1, port: 8472, learning: false, ttl: 0, ageing: 300, udpChecksum: true, gbp: false }
    const old = seenLink({ name: 'ovl1', kind: 'vxlan' })
    const seen: SeenState = {
      links: [{ ...old, link: { ...old.link, vxlan } }],
      fdb: [{ link: 'ovl1', mac: '02:00:00:00:00:07', owner: 'self', destination: '192.0.2.1' }],
    }
    const state = (vni: number): State => ({
      links: [{ name: 'ovl1', kind: 'vxlan', vxlan: { vni } }],
      fdb: seen.fdb!,
      owned,
    })
    assert.deepEqual(plan(state(1), seen), [])
    const steps = plan(state(2), seen).map(({ operation, subject }) => `${operation} ${subject}`)
    assert.deepEqual(steps, ['remove links', 'add links', 'add fdb'])
  })

  test('refuses to make a link whose name somebody else has for another kind', () => {
    const state: State = { links: [{ name: 'eth0', kind: 'bridge' }], owned }
    const seen = { links: [seenLink({ name: 'eth0', kind: 'veth' })] }
    assert.throws(
      () => plan(state, seen),
      (error) => isErrno(error, 'EEXIST') && /veth "eth0" is in the way/.test((error as Error).message),
    )
  })

  test("takes metric 0 of IPv6 for the kernel's 1024", () => {
    const wanted: Route = { destination: 'fd00:1::/64', gateway: 'fd00::1', link: 'eth0' }
    assert.deepEqual(plan({ routes: [wanted] }, { routes: [{ ...wanted, metric: 1024, scope: 'global' }] }), [])
  })

  test('gets along with 100,000 routes', { timeout: 30_000 }, () => {
    const routes: Route[] = Array.from({ length: 100_000 }, (_, i) => ({
      destination: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}/32`,
      gateway: '192.0.2.1',
      link: 'eth0',
      protocol: OURS,
    }))
    const start = performance.now()
    assert.equal(plan({ routes, owned }, {}).length, 100_000)
    assert.deepEqual(plan({ routes, owned }, { routes }), [])
    assert.equal(plan({ routes: routes.slice(1), owned }, { routes }).length, 1)
    assert.ok(performance.now() - start < 10_000)
  })
})
