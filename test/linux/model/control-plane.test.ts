/**
 * The model beside the machine's own kernel: the same calls in the same order, and then all that both show of links, addresses,
 * routes, rules, neighbours and forwarding entries, and how each call was refused.
 */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { describe, test } from 'vitest'
import { KernelError } from '../../../src/kernel/errors.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { createModel } from '../../../src/model/create.ts'
import { snapshot, worldOf } from './listing.ts'
import { RandomCalls } from './random-calls.ts'

const mac = (last: number) => `02:00:00:00:00:0${last}`

type Call = (node: LiveKernel, other: LiveKernel) => void

/** Each row is a test of its own; every call of it is made on both, whatever became of the ones before. */
const rows: readonly { readonly what: string; readonly calls: readonly Call[] }[] = [
  {
    what: 'one link of each kind, set up and down',
    calls: [
      ({ links }) => links.add({ kind: 'bridge', name: 'br0', mac: mac(4) }),
      ({ links }) =>
        links.add({ kind: 'veth', name: 'v0', mac: mac(5), peer: { name: 'v1', mac: mac(6) }, master: 'br0' }),
      ({ links }) =>
        links.add({ kind: 'vxlan', name: 'vx0', mac: mac(7), vxlan: { vni: 7, device: 'v1', local: '10.0.0.1' } }),
      ({ links }) => links.add({ kind: 'ifb', name: 'ifb0', mac: mac(8) }),
      ({ links }) => links.add({ kind: 'tun', name: 'tn0', tun: { mode: 'tun' } }),
      ({ links }) => links.add({ kind: 'tun', name: 'tp0', mac: mac(9), tun: { mode: 'tap', owner: 5 } }),
      ({ links }) => {
        for (const { name } of links.list()) links.set(name, { up: true })
      },
    ],
  },
  {
    what: 'names, MTUs, MACs and masters that are refused',
    calls: [
      ({ links }) => links.add({ kind: 'bridge', name: 'br0', mac: mac(4) }),
      ({ links }) => links.add({ kind: 'veth', name: 'v0', mac: mac(5), peer: { name: 'v1', mac: mac(6) } }),
      ({ links }) => links.add({ kind: 'ifb', name: 'ifb0', mac: mac(8) }),
      ({ links }) => links.add({ kind: 'tun', name: 'tn0', tun: { mode: 'tun' } }),
      ({ links }) => links.add({ kind: 'tun', name: 'tp0', mac: mac(9), tun: { mode: 'tap' } }),
      ({ links }) => links.add({ kind: 'vxlan', name: 'vx0', mac: mac(7), vxlan: { vni: 7, device: 'v1' } }),
      ({ links }) => links.set('v0', { mtu: 67 }),
      ({ links }) => links.set('v0', { mtu: 65536 }),
      ({ links }) => links.set('v0', { mtu: 9000 }),
      ({ links }) => links.set('vx0', { mtu: 1500 }),
      ({ links }) => links.set('v0', { mac: '01:00:00:00:00:01' }),
      ({ links }) => links.set('v0', { mac: '00:00:00:00:00:00' }),
      ({ links }) => links.set('tn0', { mac: mac(1) }),
      ({ links }) => links.set('v0', { name: 'lo' }),
      ({ links }) => links.set('v0', { up: true, name: 'q0' }),
      ({ links }) => links.set('lo', { master: 'br0' }),
      ({ links }) => links.set('br0', { master: 'br0' }),
      ({ links }) => links.set('v1', { master: 'q0' }),
      ({ links }) => links.set('tn0', { master: 'br0' }),
      ({ links }) => links.set('tp0', { master: 'br0' }),
      ({ links }) => links.set('ifb0', { master: 'br0' }),
      ({ links }) => links.set('vx0', { master: 'br0' }),
      ({ links }) => links.set('br0', { alias: 'x'.repeat(256) }),
      ({ links }) => links.set('br0', { alias: 'a name' }),
      ({ links }) => links.set('v1', { bridge: { ageingTime: 3 } }),
      ({ links }) => links.set('v1', { port: { hairpin: true } }),
      ({ links }) => links.add({ kind: 'veth', name: 'lo', peer: { name: 'z' } }),
      ({ links }) => links.add({ kind: 'bridge', name: 'bm', mac: 'ff:ff:ff:ff:ff:ff' }),
      ({ links }) => links.add({ kind: 'bridge', name: 'bt', mac: mac(3), mtu: 9000 }),
      ({ links }) => links.add({ kind: 'vxlan', name: 'vxc', vxlan: { vni: 0x1000000 } }),
      ({ links }) => links.add({ kind: 'vxlan', name: 'vxd', vxlan: { vni: 7 } }),
      ({ links }) => links.delete('lo'),
      ({ links }, other) => links.set('lo', { namespace: other }),
      ({ links }, other) => links.set('br0', { namespace: other }),
    ],
  },
  {
    what: 'addresses of one subnet, of a point-to-point link, of other scopes',
    calls: [
      ({ links }) => links.add({ kind: 'bridge', name: 'br0', mac: mac(4) }),
      ({ links }) => links.add({ kind: 'veth', name: 'v0', mac: mac(5), peer: { name: 'v1', mac: mac(6) } }),
      ({ links }) => links.set('lo', { up: true }),
      ({ links }) => links.set('v0', { up: true }),
      ({ links }) => links.set('v1', { up: true }),
      ({ addresses }) => addresses.add({ link: 'v0', prefix: '10.0.0.1/24' }),
      ({ addresses }) => addresses.add({ link: 'v0', prefix: '10.0.0.2/24' }),
      ({ addresses }) => addresses.add({ link: 'v0', prefix: '10.0.0.9/24', scope: 'link' }),
      ({ addresses }) => addresses.add({ link: 'v0', prefix: '10.0.0.3/32', peer: '10.9.9.9' }),
      ({ addresses }) => addresses.add({ link: 'v1', prefix: '10.1.0.1/30', scope: 'link' }),
      ({ addresses }) => addresses.add({ link: 'v1', prefix: '10.2.0.1/16', noPrefixRoute: true, label: 'v1:web' }),
      ({ addresses }) => addresses.add({ link: 'br0', prefix: '10.3.0.0/32' }),
      ({ addresses }) => addresses.add({ link: 'br0', prefix: '0.0.0.0/24' }),
      ({ addresses }) => addresses.add({ link: 'v1', prefix: '224.0.0.1/24' }),
      ({ addresses }) => addresses.delete({ link: 'v0', prefix: '10.0.0.1/24' }),
      ({ addresses }) => addresses.add({ link: 'v0', prefix: '10.0.0.1/24' }),
      ({ sysctl }) => sysctl.set('net/ipv4/conf/v0/promote_secondaries', '1'),
      ({ addresses }) => addresses.add({ link: 'v0', prefix: '10.0.0.4/24' }),
      ({ addresses }) => addresses.delete({ link: 'v0', prefix: '10.0.0.1/24' }),
    ],
  },
  {
    what: 'an MTU that is too small for IP: from the beginning, and later',
    calls: [
      ({ links }) => links.add({ kind: 'ifb', name: 'ifb0', mac: mac(4), mtu: 67, up: true }),
      ({ addresses }) => addresses.add({ link: 'ifb0', prefix: '10.0.0.1/24' }),
      ({ sysctl }) => sysctl.set('net/ipv4/conf/ifb0/rp_filter', '1'),
      ({ links }) => links.add({ kind: 'vxlan', name: 'vx0', mac: mac(7), vxlan: { vni: 7, device: 'ifb0' } }),
      ({ links }) => links.set('vx0', { mtu: 68 }),
      ({ links }) => links.set('ifb0', { mtu: 66 }),
      ({ addresses }) => addresses.add({ link: 'ifb0', prefix: '10.0.0.2/24' }),
      ({ sysctl }) => sysctl.set('net/ipv4/conf/ifb0/rp_filter', '1'),
      ({ links }) => links.set('ifb0', { mtu: 65 }),
      ({ links }) => links.set('ifb0', { mtu: 68 }),
      ({ addresses }) => addresses.add({ link: 'ifb0', prefix: '10.0.0.2/24' }),
      ({ links }) => links.add({ kind: 'tun', name: 'tn0', mtu: 70_000, master: 'nobody', tun: { mode: 'tun' } }),
      ({ links }) => links.add({ kind: 'tun', name: 'tn0', mtu: 70_000, tun: { mode: 'tun' } }),
    ],
  },
  {
    what: 'a TUN without a queue',
    calls: [
      ({ links }) => links.add({ kind: 'tun', name: 'tn0', tun: { mode: 'tun' } }),
      ({ links }) => links.set('tn0', { txQueueLength: 0 }),
      ({ links }) => links.set('tn0', { up: true }),
      ({ links }) => links.set('tn0', { up: false }),
      ({ links }) => links.set('tn0', { txQueueLength: 10 }),
      ({ links }) => links.set('tn0', { up: true }),
    ],
  },
  {
    what: 'routes, of which some go with their link',
    calls: [
      ({ links }) => links.add({ kind: 'veth', name: 'v0', mac: mac(5), peer: { name: 'v1', mac: mac(6) } }),
      ({ links }) => links.set('v0', { up: true }),
      ({ links }) => links.set('v1', { up: true }),
      ({ links }) => links.add({ kind: 'vxlan', name: 'vx0', mac: mac(7), up: true, vxlan: { vni: 7 } }),
      ({ addresses }) => addresses.add({ link: 'v0', prefix: '10.0.0.1/24' }),
      ({ addresses }) => addresses.add({ link: 'v1', prefix: '10.1.0.1/24' }),
      ({ addresses }) => addresses.add({ link: 'vx0', prefix: '10.244.0.0/32' }),
      ({ routes }) => routes.add({ destination: '10.244.1.0/24', gateway: '10.244.1.0', link: 'vx0', onlink: true }),
      ({ routes }) => routes.add({ destination: '10.244.2.0/24', gateway: '10.244.2.0', link: 'vx0' }),
      ({ routes }) => routes.add({ destination: '0.0.0.0/0', gateway: '10.0.0.9' }),
      ({ routes }) => routes.add({ destination: '10.4.0.0/16', gateway: '10.0.0.9', metric: 5 }),
      ({ routes }) =>
        routes.add({
          destination: '10.5.0.0/16',
          nextHops: [{ gateway: '10.0.0.9' }, { gateway: '10.1.0.2', weight: 3 }],
        }),
      ({ routes }) => routes.add({ destination: '10.6.0.0/16', type: 'blackhole', table: 100 }),
      ({ routes }) => routes.add({ destination: '10.7.0.0/16', link: 'v1', source: '10.0.0.1' }),
      ({ routes }) => routes.add({ destination: '10.7.1.0/24', link: 'v1', source: '10.77.0.1' }),
      ({ routes }) => routes.add({ destination: '10.7.2.0/24', gateway: '10.0.0.1' }),
      ({ routes }) => routes.add({ destination: '10.7.3.0/24', gateway: '10.0.0.255' }),
      ({ routes }) => routes.add({ destination: '10.7.4.0/24', gateway: '224.0.0.1', link: 'v0', onlink: true }),
      ({ links }) => links.set('v1', { up: false }),
      ({ addresses }) => addresses.delete({ link: 'v0', prefix: '10.0.0.1/24' }),
    ],
  },
  {
    what: 'rules, neighbours and forwarding entries',
    calls: [
      ({ links }) => links.add({ kind: 'bridge', name: 'br0', mac: mac(4), up: true }),
      ({ links }) =>
        links.add({
          kind: 'veth',
          name: 'v0',
          mac: mac(5),
          peer: { name: 'v1', mac: mac(6) },
          master: 'br0',
          up: true,
        }),
      ({ links }) => links.set('v1', { up: true }),
      ({ links }) => links.add({ kind: 'vxlan', name: 'vx0', mac: mac(7), vxlan: { vni: 7 } }),
      ({ rules }) => rules.add({ family: 'ipv4', table: 100, source: '10.0.0.0/8' }),
      ({ rules }) => rules.add({ family: 'ipv4', table: 100, source: '10.0.0.0/8' }),
      ({ rules }) => rules.add({ family: 'ipv4', priority: 7, mark: 3, action: 'goto', goto: 6 }),
      ({ rules }) => rules.add({ family: 'ipv4', priority: 7, mark: 3, action: 'goto', goto: 100 }),
      ({ rules }) => rules.add({ family: 'ipv4', priority: 8, tos: 3, table: 100 }),
      ({ rules }) => rules.add({ family: 'ipv6', table: 100, mark: 5 }),
      ({ rules }) => rules.delete({ family: 'ipv4', priority: 32767 }),
      ({ neighbours }) => neighbours.add({ link: 'br0', address: '10.0.0.2', mac: mac(1) }),
      ({ neighbours }) => neighbours.add({ link: 'br0', address: '10.0.0.4', mac: mac(1), state: 'noarp' }),
      ({ neighbours }) => neighbours.add({ link: 'br0', address: '10.0.0.5', proxy: true }),
      ({ fdb }) => fdb.add({ link: 'v0', mac: mac(1), owner: 'master', state: 'static' }),
      ({ fdb }) => fdb.add({ link: 'br0', mac: mac(2), owner: 'self' }),
      ({ fdb }) => fdb.add({ link: 'v1', mac: mac(2), owner: 'master' }),
      ({ fdb }) => fdb.add({ link: 'v0', mac: '00:00:00:00:00:00', owner: 'master' }),
      ({ fdb }) => fdb.add({ link: 'vx0', mac: mac(1), owner: 'self', destination: '10.0.0.9', port: 4789, vni: 9 }),
      ({ fdb }) => fdb.append({ link: 'vx0', mac: '00:00:00:00:00:00', owner: 'self', destination: '10.0.0.8' }),
      ({ fdb }) => fdb.append({ link: 'vx0', mac: '00:00:00:00:00:00', owner: 'self', destination: '10.0.0.9' }),
      ({ fdb }) => fdb.delete({ link: 'vx0', mac: mac(3), owner: 'self' }),
    ],
  },
  {
    what: 'links that end with others',
    calls: [
      ({ links }) => links.add({ kind: 'veth', name: 'v0', mac: mac(5), peer: { name: 'v1', mac: mac(6) } }),
      ({ links }) => links.add({ kind: 'bridge', name: 'br0', mac: mac(4), up: true }),
      ({ links }) => links.add({ kind: 'vxlan', name: 'vx0', mac: mac(7), vxlan: { vni: 7, device: 'v1' } }),
      ({ links }) => links.add({ kind: 'vxlan', name: 'vx1', mac: mac(8), vxlan: { vni: 8 } }),
      ({ links }) => links.set('vx1', { master: 'br0', mtu: 1400 }),
      ({ links }) => links.set('v0', { master: 'br0', up: true }),
      ({ addresses }) => addresses.add({ link: 'br0', prefix: '10.0.0.1/24' }),
      ({ routes }) => routes.add({ destination: '10.9.0.0/16', gateway: '10.0.0.9' }),
      ({ neighbours }) => neighbours.add({ link: 'br0', address: '10.0.0.9', mac: mac(1) }),
      ({ links }) => links.set('v0', { mtu: 1300 }),
      ({ links }) => links.delete('v1'),
      ({ links }) => links.set('vx1', { master: null }),
      ({ links }) => links.set('vx1', { master: 'br0' }),
      ({ links }) => links.delete('br0'),
    ],
  },
  {
    what: 'an MTU below what IP needs',
    calls: [
      ({ links }) => links.set('lo', { up: true }),
      ({ links }) => links.add({ kind: 'ifb', name: 'ifb0', mac: mac(8), up: true }),
      ({ addresses }) => addresses.add({ link: 'ifb0', prefix: '10.0.0.1/24' }),
      ({ links }) => links.set('lo', { mtu: 1 }),
      ({ links }) => links.set('ifb0', { mtu: 67 }),
      ({ sysctl }) => sysctl.set('net/ipv4/conf/ifb0/forwarding', '1'),
      ({ addresses }) => addresses.add({ link: 'ifb0', prefix: '10.0.0.1/24' }),
      ({ links }) => links.set('ifb0', { mtu: 68 }),
      ({ sysctl }) => sysctl.set('net/ipv4/conf/ifb0/forwarding', '1'),
      ({ addresses }) => addresses.add({ link: 'ifb0', prefix: '10.0.0.1/24' }),
    ],
  },
  {
    what: 'links that move between namespaces, and end',
    calls: [
      ({ links }, other) =>
        links.add({ kind: 'veth', name: 'v0', mac: mac(5), peer: { name: 'v1', mac: mac(6), namespace: other } }),
      ({ addresses }) => addresses.add({ link: 'v0', prefix: '10.0.0.1/24' }),
      (_, { addresses }) => addresses.add({ link: 'v1', prefix: '10.0.0.2/24' }),
      ({ links }) => links.set('v0', { up: true, group: 5 }),
      ({ links }, other) => links.set('v0', { namespace: other, name: 'w0' }),
      ({ links }) => links.add({ kind: 'bridge', name: 'v1', mac: mac(4) }),
      (node, { links }) => links.set('v1', { namespace: node }),
      (node, { links }) => links.set('v1', { namespace: node, name: 'x1' }),
      (_, { links }) => links.deleteGroup(5),
    ],
  },
]

for (const { what, calls } of rows) {
  test(`both kernels show the same: ${what}`, async () => {
    const linux = worldOf(liveLinux())
    const model = worldOf(createModel())
    try {
      for (const [i, call] of calls.entries()) {
        const [onLinux, onModel] = [linux, model].map(({ worlds }) => attempt(() => void call(...worlds)))
        assert.deepEqual(onModel, onLinux, `call ${i}: ${call}`)
      }
      assert.deepEqual(snapshot(model.worlds), await settled(linux.worlds, model.worlds))
    } finally {
      linux.end()
      model.end()
    }
  })
}

describe('both kernels answer and show the same behind each of many random calls', () => {
  for (const seed of [1, 2, 3, 5, 8, 13]) {
    test(`drawn from ${seed}`, async () => {
      const linux = worldOf(liveLinux())
      const model = worldOf(createModel())
      const calls = new RandomCalls(seed)
      const made: string[] = []
      try {
        for (const { links } of [linux.worlds[0], model.worlds[0]]) links.set('lo', { up: true })
        for (let i = 0; i < 200; i++) {
          const call = calls.next(model.worlds[0])
          made.push(call.text)
          const [onLinux, onModel] = [linux, model].map(({ worlds: [node] }) => attempt(() => call.make(node)))
          assert.deepEqual(onModel, onLinux, `${made.length}: ${call.text}`)
          const expected = await settled(linux.worlds, model.worlds)
          assert.deepEqual(snapshot(model.worlds), expected, `${made.length}: ${made.slice(-5).join('\n')}`)
        }
      } finally {
        linux.end()
        model.end()
      }
    })
  }
})

/** What Linux shows, once that is what the model shows: it notices a carrier a moment later. */
async function settled(
  linux: Parameters<typeof snapshot>[0],
  model: Parameters<typeof snapshot>[0],
): Promise<object[]> {
  const expected = snapshot(model)
  for (let i = 0; i < 100; i++) {
    const shown = snapshot(linux)
    if (isDeepStrictEqual(shown, expected)) return shown
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return snapshot(linux)
}

/** What it answered, or how it was refused. */
function attempt(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    if (error instanceof KernelError) return error.errno
    throw error
  }
}
