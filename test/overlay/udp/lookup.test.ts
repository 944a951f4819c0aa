import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { parseIpv4 } from '../../../src/address/ipv4.ts'
import { contains, parsePrefix } from '../../../src/address/prefix.ts'
import { addressNumber, encodeRoutes, NOBODY, RouteTable } from '../../../src/overlay/udp/lookup.ts'

const number = (text: string) => addressNumber(parseIpv4(text))

// Few bits, so that prefixes overlap and destinations hit.
const address = fc
  .tuple(fc.constantFrom(10, 192), fc.nat({ max: 3 }), fc.nat({ max: 3 }), fc.nat({ max: 3 }))
  .map((parts) => parts.join('.'))
const aRoute = fc.record({
  subnet: fc.tuple(address, fc.constantFrom(0, 1, 8, 16, 23, 24, 31, 32)).map(([ip, length]) => `${ip}/${length}`),
  node: fc.nat({ max: 5 }).map((n) => `172.16.0.${n + 1}`),
})

test('nodeOf() answers as a walk over all routes does, the longest prefix first and the later of two alike', () => {
  fc.assert(
    fc.property(
      fc.array(aRoute, { maxLength: 20 }),
      fc.array(address, { minLength: 1, maxLength: 20 }),
      (routes, destinations) => {
        const table = new RouteTable(routes)
        const sorted = routes
          .map((route, i) => ({ ...route, prefix: parsePrefix(route.subnet), i }))
          .sort((a, b) => b.prefix.length - a.prefix.length || b.i - a.i)
        for (const destination of destinations) {
          const found = sorted.find(({ prefix }) => contains(prefix, parseIpv4(destination)))
          assert.equal(table.nodeOf(number(destination)), found ? number(found.node) : NOBODY)
          assert.equal(table.nodeOf(number(destination)), found ? number(found.node) : NOBODY, 'asked again')
        }
      },
    ),
  )
})

test('0.0.0.0 is looked up like any other', () => {
  assert.equal(new RouteTable([]).nodeOf(0), NOBODY)
  assert.equal(new RouteTable([{ subnet: '0.0.0.0/0', node: '1.2.3.4' }]).nodeOf(0), number('1.2.3.4'))
})

test('isNode() knows the nodes that routes lead to, and no others', () => {
  const table = new RouteTable([
    { subnet: '10.5.1.0/24', node: '192.168.1.1' },
    { subnet: '10.5.2.0/24', node: '200.168.1.2' },
  ])
  for (const node of ['192.168.1.1', '200.168.1.2', '200.168.1.2']) assert.ok(table.isNode(number(node)), node)
  for (const other of ['192.168.1.3', '0.0.0.0', '10.5.1.0']) assert.ok(!table.isNode(number(other)), other)
  assert.ok(!new RouteTable([]).isNode(NOBODY))
})

test('a route that is not IPv4 is refused', () => {
  assert.throws(() => new RouteTable([{ subnet: 'fd00::/64', node: '1.2.3.4' }]), RangeError)
  assert.throws(() => new RouteTable([{ subnet: '10.0.0.0/24', node: 'fd00::1' }]), RangeError)
})

test('a table of encoded routes finds what one of the routes does', () => {
  const routes = [
    { subnet: '10.5.0.0/16', node: '192.0.2.1' },
    { subnet: '10.5.7.0/24', node: '192.0.2.7' },
  ]
  const [table, encoded] = [new RouteTable(routes), new RouteTable(encodeRoutes(routes))]
  for (const address of ['10.5.7.1', '10.5.8.1', '10.6.0.1'].map(number)) {
    assert.equal(encoded.nodeOf(address), table.nodeOf(address))
  }
})
