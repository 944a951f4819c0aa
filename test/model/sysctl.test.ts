/**
 * Settings, as Linux 6.18 showed them in a network namespace of its own: each row was tried there with
 * `echo VALUE > /proc/sys/KEY; cat /proc/sys/KEY`.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { isErrno } from '../../src/kernel/errors.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { createModel } from '../../src/model/create.ts'

const FORWARD = 'net/ipv4/ip_forward'

function writing(key: string, value: string): string | undefined {
  const { sysctl } = createModel()
  try {
    sysctl.set(key, value)
  } catch (error) {
    if (isErrno(error, 'EINVAL', 'EACCES')) return undefined
    throw error
  }
  return sysctl.get(key)
}

const written: readonly (readonly [key: string, value: string, seen: string | undefined])[] = [
  [FORWARD, '2', '2'],
  [FORWARD, ' 1 ', '1'],
  [FORWARD, '0x1', '1'],
  [FORWARD, '010', '8'],
  [FORWARD, '1 2', '1'],
  [FORWARD, '1\t\n', '1'],
  [FORWARD, '1x', undefined],
  [FORWARD, '+1', undefined],
  [FORWARD, '0x', undefined],
  [FORWARD, '1.5', undefined],
  [FORWARD, '2147483648', undefined],
  ['net/ipv4/ip_default_ttl', '0', undefined],
  ['net/ipv4/ip_default_ttl', '255', '255'],
  ['net/ipv4/ip_default_ttl', '256', undefined],
  ['net/ipv4/tcp_available_congestion_control', 'x', undefined],
  ['net/ipv4/tcp_rmem', '1 2', '1\t2\t33554432'],
  ['net/ipv4/tcp_rmem', '1 2 3 4', '1\t2\t3'],
  ['net/ipv4/tcp_rmem', '7 a 9', undefined],
  ['net/ipv4/ip_local_port_range', '5 1', undefined],
  ['net/ipv4/ip_local_port_range', '100 200', undefined], // below ip_unprivileged_port_start
  ['net/ipv4/ip_local_port_range', '2000 70000', undefined],
  ['net/ipv4/ip_local_port_range', '2000 3000', '2000\t3000'],
  ['net/ipv4/ip_local_reserved_ports', '5,1-3', '1-3,5'],
  ['net/ipv4/ip_local_reserved_ports', '5-1', undefined],
  ['net/ipv4/ping_group_range', '0 5', '0\t5'],
  ['net/ipv4/tcp_congestion_control', 'reno', 'reno'],
  ['net/ipv4/tcp_congestion_control', 'foo', undefined],
  ['net/bridge/bridge-nf-call-iptables', '7', '1'],
  ['net/ipv6/icmp/ratemask', '0-5', '0-5'],
  ['net/netfilter/nf_conntrack_udp_timeout', '99', '99'],
  ['net/netfilter/nf_conntrack_max', '5', undefined],
]

for (const [key, value, seen] of written) {
  test(`${key} takes ${JSON.stringify(value)} as ${seen === undefined ? 'an error' : JSON.stringify(seen)}`, () => {
    assert.equal(writing(key, value), seen)
  })
}

const conf = ({ sysctl }: Kernel, name: string, devices: readonly string[], family = 'ipv4') =>
  devices.map((device) => sysctl.get(`net/${family}/conf/${device}/${name}`))

function withPair(): Kernel {
  const kernel = createModel()
  kernel.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
  return kernel
}

test("what is written to default is so for the devices that have not been told otherwise, an address's own among them", () => {
  const kernel = withPair()
  kernel.sysctl.set('net/ipv4/conf/v0/arp_notify', '1')
  kernel.sysctl.set('net/ipv4/conf/v0/arp_notify', '0')
  kernel.sysctl.set('net/ipv4/conf/default/arp_notify', '1')
  assert.deepEqual(conf(kernel, 'arp_notify', ['v0', 'v1', 'lo']), ['0', '1', '1'])
  kernel.addresses.add({ link: 'v1', prefix: '10.0.0.1/24' })
  kernel.sysctl.set('net/ipv4/conf/default/arp_announce', '2')
  assert.deepEqual(conf(kernel, 'arp_announce', ['v0', 'v1', 'lo']), ['2', '0', '2'])
})

test('a device that was made behind a write to default keeps what it was born with', () => {
  const kernel = withPair()
  kernel.sysctl.set('net/ipv4/conf/default/arp_ignore', '1')
  kernel.links.add({ kind: 'veth', name: 'w0', peer: { name: 'w1' } })
  kernel.sysctl.set('net/ipv4/conf/default/arp_ignore', '2')
  assert.deepEqual(conf(kernel, 'arp_ignore', ['v0', 'w0', 'w1']), ['2', '1', '1'])
})

test('what is written to all is of all, and of no device', () => {
  const kernel = withPair()
  kernel.sysctl.set('net/ipv4/conf/all/arp_filter', '1')
  assert.deepEqual(conf(kernel, 'arp_filter', ['all', 'default', 'v0']), ['1', '0', '0'])
})

test('ip_forward is forwarding of all, and sets every device; a router accepts no redirects', () => {
  const kernel = withPair()
  const devices = ['all', 'default', 'lo', 'v0', 'v1']
  kernel.sysctl.set('net/ipv4/conf/all/forwarding', '1')
  assert.equal(kernel.sysctl.get(FORWARD), '1')
  assert.deepEqual(conf(kernel, 'forwarding', devices), ['1', '1', '1', '1', '1'])
  assert.deepEqual(conf(kernel, 'accept_redirects', ['all', 'v0']), ['0', '1'])
  kernel.sysctl.set(FORWARD, '0')
  assert.deepEqual(conf(kernel, 'forwarding', devices), ['0', '0', '0', '0', '0'])
  assert.deepEqual(conf(kernel, 'accept_redirects', ['all']), ['1'])
})

test('forwarding of default is for devices to come', () => {
  const kernel = withPair()
  kernel.sysctl.set('net/ipv4/conf/default/forwarding', '1')
  kernel.links.add({ kind: 'bridge', name: 'br0' })
  assert.deepEqual(conf(kernel, 'forwarding', ['all', 'v0', 'br0']), ['0', '0', '1'])
})

for (const [name, value, seen] of [
  ['forwarding', '1', ['1', '1', '1', '1']],
  ['disable_ipv6', '1', ['1', '1', '1', '1']],
  ['addr_gen_mode', '1', ['1', '1', '1', '1']],
  ['ignore_routes_with_linkdown', '1', ['1', '1', '1', '1']],
  ['proxy_ndp', '1', ['1', '0', '0', '0']],
  ['accept_ra', '2', ['2', '1', '1', '1']],
  ['hop_limit', '5', ['5', '64', '64', '64']],
] as const) {
  test(`IPv6's ${name} of all is ${seen[2] === value ? "every device's" : 'its own'}`, () => {
    const kernel = withPair()
    kernel.sysctl.set(`net/ipv6/conf/all/${name}`, value)
    assert.deepEqual(conf(kernel, name, ['all', 'default', 'v0', 'lo'], 'ipv6'), seen)
  })
}

test("IPv6's MTU is no more than the device's, and no less than IPv6 needs", () => {
  const { sysctl, links } = withPair()
  const key = 'net/ipv6/conf/v0/mtu'
  sysctl.set(key, '1300')
  assert.equal(sysctl.get(key), '1300')
  assert.throws(() => sysctl.set(key, '1600'), { errno: 'EINVAL' })
  assert.throws(() => sysctl.set(key, '1279'), { errno: 'EINVAL' })
  links.set('v0', { mtu: 1400 })
  assert.equal(sysctl.get(key), '1400')
})

test('a device whose MTU is below 1280 has no IPv6', () => {
  const { sysctl, links } = withPair()
  links.set('v0', { mtu: 1279 })
  assert.equal(sysctl.get('net/ipv6/conf/v0/forwarding'), undefined)
  assert.equal(sysctl.get('net/ipv4/conf/v0/forwarding'), '0')
  links.set('v0', { mtu: 1280 })
  assert.equal(sysctl.get('net/ipv6/conf/v0/forwarding'), '0')
})

test('settings of a device follow its name', () => {
  const { sysctl, links } = withPair()
  sysctl.set('net/ipv4/conf/v0/arp_ignore', '2')
  links.set('v0', { name: 'a.b' })
  assert.equal(sysctl.get('net/ipv4/conf/a.b/arp_ignore'), '2')
  assert.equal(sysctl.get('net/ipv4/conf/v0/arp_ignore'), undefined)
})

test('two settings of a neighbour that are one in two units change together', () => {
  const { sysctl } = withPair()
  const neigh = (name: string) => `net/ipv4/neigh/v0/${name}`
  sysctl.set(neigh('retrans_time'), '150')
  assert.equal(sysctl.get(neigh('retrans_time_ms')), '1500')
  sysctl.set(neigh('base_reachable_time_ms'), '7000')
  assert.equal(sysctl.get(neigh('base_reachable_time')), '7')
  assert.equal(sysctl.get(neigh('unres_qlen')), '101')
  assert.equal(sysctl.get(neigh('unres_qlen_bytes')), '212992')
})

test('what can only be written does something, and cannot be read', () => {
  const { sysctl } = withPair()
  sysctl.set('net/ipv4/route/flush', '1')
  assert.throws(() => sysctl.get('net/ipv4/route/flush'), { errno: 'EACCES' })
})

test('of a device of another kind, default gives what it has, but for what its kind is', () => {
  const kernel = createModel()
  kernel.links.add({ kind: 'tun', name: 'tn0', tun: { mode: 'tun' } })
  kernel.links.add({ kind: 'ifb', name: 'ifb0' })
  const own = (name: string) => conf(kernel, name, ['default', 'lo', 'tn0', 'ifb0'], 'ipv6')
  assert.deepEqual(own('accept_dad'), ['1', '-1', '-1', '-1'])
  assert.deepEqual(own('mtu'), ['1280', '65536', '1500', '1500'])
  assert.deepEqual(conf(kernel, 'disable_xfrm', ['default', 'lo', 'tn0']), ['0', '1', '0'])
})
