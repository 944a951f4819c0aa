/** What an IPAM plugin's routes become: no kernel is asked here. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { CniCode } from '../../../src/cni/errors.ts'
import type { CniRoute } from '../../../src/cni/plugin.ts'
import { routeState } from '../../../src/plugins/attachment/addressing.ts'

const ips = [{ address: '10.1.2.5/24', gateway: '10.1.2.1' }]
const promised = (...routes: CniRoute[]) => routeState('eth0', { ips, routes }).routes!

for (const { gw, gateway } of [
  { gw: undefined, gateway: '10.1.2.1' },
  { gw: '10.1.2.9', gateway: '10.1.2.9' },
  { gw: '0.0.0.0', gateway: undefined },
]) {
  test(`a route with "gw" ${gw} goes ${gateway ? `via ${gateway}` : 'to the link itself'}`, () => {
    const [route] = promised({ dst: '0.0.0.0/0', ...(gw !== undefined && { gw }) })
    assert.equal(route!.gateway, gateway)
  })
}

test('host bits of an IPv6 route do not count, as for the kernel', () => {
  assert.equal(promised({ dst: '2001:db8::1/32' })[0]!.destination, '2001:db8::/32')
})

test('of IPv4 routes with one metric the first is promised, of IPv6 routes all', () => {
  const twice = (dst: string, ...gws: string[]) => promised(...gws.map((gw) => ({ dst, gw })))
  assert.deepEqual(
    twice('198.18.0.0/15', '10.1.2.8', '10.1.2.9').map(({ gateway }) => gateway),
    ['10.1.2.8'],
  )
  assert.deepEqual(
    twice('2001:db8::/32', 'fd00::8', 'fd00::9').map(({ nextHops }) => nextHops!.map(({ gateway }) => gateway)),
    [['fd00::8', 'fd00::9']],
  )
})

for (const [route, says] of [
  [{ dst: '198.18.1.1/15' }, /"198.18.1.1\/15": it has host bits set, the network is 198.18.0.0\/15$/],
  [{ dst: '198.18.0.0/15', gw: 'fd00::1' }, /via fd00::1: they are of two address families$/],
  [{ dst: '198.18.0.0/15', table: 5_000_000_000 }, /its "table" is 5000000000, give a number from 0 to 4294967295$/],
  [{ dst: '198.18.0.0/15', priority: -1 }, /its "priority" is -1/],
] as const) {
  test(`the route ${JSON.stringify(route)} is refused`, () => {
    assert.throws(() => promised(route), { code: CniCode.invalidConfig, message: says })
  })
}
