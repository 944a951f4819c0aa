/** MTUs of routes when their device's changes, as `ip -6 route` lists them in Linux 6.18: fib6_nh_mtu_change. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createModel } from '../../../src/model/create.ts'

test('an MTU of a route falls with the device, rises with it where it was the same, and stays where it is locked', () => {
  const kernel = createModel()
  kernel.links.add({ kind: 'veth', name: 'l0', mtu: 1400, peer: { name: 'l0p', mtu: 1400 } })
  for (const name of ['l0', 'l0p']) kernel.links.set(name, { up: true })
  kernel.addresses.add({ link: 'l0', prefix: 'fd00::1/64' })
  const prefixes = ['fd01::/64', 'fd02::/64', 'fd03::/64']
  const metrics = [{ mtu: 1300 }, { mtu: 1390, mtuLocked: true }, undefined]
  for (const [i, destination] of prefixes.entries()) {
    kernel.routes.add({ destination, gateway: 'fd00::2', ...(metrics[i] && { metrics: metrics[i] }) })
  }
  const mtus = () => {
    const routes = kernel.routes.list({ family: 'ipv6' })
    return prefixes.map((prefix) => routes.find(({ destination }) => destination === prefix)?.metrics?.mtu)
  }
  const seen = [1350, 1290, 1500].map((mtu) => {
    kernel.links.set('l0', { mtu })
    return mtus()
  })
  assert.deepEqual(seen, [
    [1300, 1390, undefined],
    [1290, 1390, undefined],
    [1500, 1390, undefined],
  ])
})
