/** A batch of routes has the same octets as its messages, each encoded by itself. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Route } from '../../../src/kernel/route.ts'
import { encodeRoute, type RouteOperation } from '../../../src/linux/netlink/route.ts'
import { RouteBatch } from '../../../src/linux/netlink/route-batch.ts'

const indexOf = (link: string) => Number(link.slice(-1))
const way = { gateway: '10.0.0.2', link: 'eth1', metric: 32, protocol: 182, table: 254 }

function batched(changes: readonly (readonly [RouteOperation, Route])[]): Uint8Array {
  const batch = new RouteBatch(indexOf)
  for (const [operation, route] of changes) batch.add(operation, route)
  assert.equal(batch.count, changes.length)
  return batch.take()
}

function oneByOne(changes: readonly (readonly [RouteOperation, Route])[]): Uint8Array {
  return Buffer.concat(changes.map(([operation, route]) => encodeRoute(operation, route, indexOf)))
}

function check(changes: readonly (readonly [RouteOperation, Route])[]): void {
  assert.deepEqual([...batched(changes)], [...oneByOne(changes)])
}

test('routes by one way, of every length', () => {
  const lengths = Array.from({ length: 33 }, (_, length) => length)
  check(lengths.map((length) => ['add', { ...way, destination: `${length * 7}.1.2.3/${length}` }]))
})

test('the default route is no pattern for others, nor they for it', () => {
  const destinations = ['0.0.0.0/0', '10.1.0.0/16', '0.0.0.0/0', '0.0.0.0/0', '10.2.0.0/16', '10.3.0.0/16']
  check(destinations.map((destination) => ['add', { ...way, destination }]))
})

test('families in turns', () => {
  const destinations = ['10.1.0.0/16', 'fd00::/64', '10.2.0.0/16', 'fd00:1::/64', 'fd00:2::/48']
  check(destinations.map((destination) => ['add', { link: 'eth1', table: 254, destination }]))
})

test('another operation, and whatever else is another', () => {
  const others: readonly Partial<Route>[] = [
    {},
    { gateway: '10.0.0.3' },
    { link: 'eth2' },
    { metric: 33 },
    { protocol: 4 },
    { table: 1000 },
    { onlink: true },
    { tos: 16 },
    { metrics: { mtu: 1400 } },
    { source: '10.0.0.1' },
  ]
  const routes = others.map((other, i): Route => ({ ...way, ...other, destination: `10.${i}.0.0/16` }))
  check(routes.flatMap((route) => [['add', route] as const, ['add', { ...way, destination: '10.9.9.0/24' }] as const]))
  check(routes.map((route, i) => [i % 2 ? 'replace' : 'delete', route]))
})

test('a route that says less than the one before, or more', () => {
  const { metric: _, ...less } = way
  check([
    ['add', { ...way, destination: '10.1.0.0/16' }],
    ['add', { ...less, destination: '10.2.0.0/16' }],
    ['add', { ...way, destination: '10.3.0.0/16' }],
  ])
})

test('several next hops, the same list and another', () => {
  const nextHops = [
    { gateway: '10.0.0.2', link: 'eth1' },
    { gateway: '10.0.0.3', link: 'eth1', weight: 2 },
  ]
  check([
    ['add', { nextHops, destination: '10.1.0.0/16' }],
    ['add', { nextHops, destination: '10.2.0.0/16' }],
    ['add', { nextHops: nextHops.slice(1), destination: '10.3.0.0/16' }],
  ])
})

test('more than there was room for at first', () => {
  check(Array.from({ length: 600 }, (_, i) => ['add', { ...way, destination: `10.${i >> 8}.${i & 255}.0/24` }]))
})

test('what cannot be encoded is not in it', () => {
  const batch = new RouteBatch((link) => {
    if (link === 'eth9') throw new RangeError('There is no eth9')
    return indexOf(link)
  })
  batch.add('add', { ...way, destination: '10.1.0.0/16' })
  assert.throws(() => batch.add('add', { ...way, link: 'eth9', destination: '10.2.0.0/16' }), RangeError)
  assert.throws(() => batch.add('add', { ...way, destination: '10.3.0.0' }), RangeError)
  batch.add('add', { ...way, destination: '10.4.0.0/16' })
  assert.equal(batch.count, 2)
  const destinations = ['10.1.0.0/16', '10.4.0.0/16']
  assert.deepEqual(
    [...batch.take()],
    [...oneByOne(destinations.map((destination) => ['add', { ...way, destination }]))],
  )
})

test('begins anew when it has been taken', () => {
  const batch = new RouteBatch(indexOf)
  batch.add('add', { ...way, destination: '10.1.0.0/16' })
  batch.take()
  assert.equal(batch.count, 0)
  batch.add('add', { ...way, destination: '10.2.0.0/16' })
  assert.deepEqual([...batch.take()], [...oneByOne([['add', { ...way, destination: '10.2.0.0/16' }]])])
})
