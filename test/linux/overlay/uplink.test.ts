/** Which link a node is known by, on addresses and routes that `ip` made; the route that `ip route get` tells is the witness. */
import assert from 'node:assert/strict'
import { beforeAll, test } from 'vitest'
import { linux } from '../../../src/linux/linux.ts'
import { findUplink, type UplinkOptions } from '../../../src/overlay/uplink.ts'
import { run } from '../../support/command.ts'

const ip = (line: string) => run('ip', ...line.split(' '))

const kernel = linux
const nothing: UplinkOptions = { families: ['ipv4'], interfaces: [], patterns: [], canReach: undefined, publicIp: {} }

beforeAll(() => {
  for (const [link, peer] of [
    ['eth0', 'far0'],
    ['eth1', 'far1'],
  ]) {
    ip(`link add ${link} type veth peer name ${peer}`)
    ip(`link set ${link} up`)
    ip(`link set ${peer} up`)
  }
  ip('link set eth1 mtu 1400')
  ip('address add 10.0.2.15/24 dev eth0')
  ip('address add 169.254.7.7/16 dev eth1')
  ip('address add 192.168.56.77/24 dev eth1 valid_lft 3600 preferred_lft 1800')
  ip('address add 192.168.56.11/24 dev eth1')
  ip('address add fd00:56::aa/64 dev eth1 nodad valid_lft 3600 preferred_lft 0')
  ip('address add fd00:56::11/64 dev eth1 nodad')
  ip('address add fd00:2::15/64 dev eth0 nodad')
  ip('route add default via 10.0.2.2 dev eth0')
  ip('-6 route add default via fd00:2::2 dev eth0')
})

test('the default route’s link, as ip route get tells it', () => {
  const [route] = JSON.parse(ip('-j route get 1.1.1.1')) as [{ dev: string; prefsrc: string }]
  const { link, ipv4 } = findUplink(kernel, nothing)
  assert.deepEqual([link, ipv4!.publicIp], [route.dev, route.prefsrc])
})

test('--iface-can-reach: the link and the source, as ip route get tells them', () => {
  const [route] = JSON.parse(ip('-j route get 192.168.56.40')) as [{ dev: string; prefsrc: string }]
  const { link, ipv4 } = findUplink(kernel, { ...nothing, canReach: '192.168.56.40' })
  assert.deepEqual([link, ipv4!.publicIp], [route.dev, route.prefsrc])
})

test('both families by name: global, lasting, not deprecated', () => {
  assert.deepEqual(findUplink(kernel, { ...nothing, families: ['ipv4', 'ipv6'], interfaces: ['eth1'] }), {
    link: 'eth1',
    mtu: 1400,
    ipv4: { address: '192.168.56.11/24', publicIp: '192.168.56.11' },
    ipv6: { address: 'fd00:56::11/64', publicIp: 'fd00:56::11' },
  })
})

test('a pattern is tried on addresses first', () => {
  assert.equal(findUplink(kernel, { ...nothing, patterns: ['^192\\.168\\.56\\.'] }).ipv4!.address, '192.168.56.11/24')
  assert.equal(findUplink(kernel, { ...nothing, patterns: ['^eth1$'] }).link, 'eth1')
})
