/**
 * VLANs of bridges. A kernel may be built without VLAN filtering; then it says so, and what it would do is claimed of
 * kernels that have it.
 */
import assert from 'node:assert/strict'
import { isErrno } from '../../../src/kernel/errors.ts'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import type { BridgeVlan } from '../../../src/kernel/link.ts'
import { type Case, has, refused, type World } from './case.ts'

const vlan = (id: number, more: Partial<BridgeVlan> = {}): BridgeVlan => ({
  id,
  end: id,
  pvid: false,
  untagged: false,
  ...more,
})

/** A bridge `br0` that filters VLANs and its port `p0`; whether the kernel can. */
function addFilteringBridge(kernel: Kernel): boolean {
  kernel.links.add({ kind: 'bridge', name: 'br0', up: true })
  kernel.links.add({ kind: 'veth', name: 'p0', up: true, master: 'br0', peer: { name: 'p1' } })
  try {
    kernel.links.set('br0', { bridge: { vlanFiltering: true } })
    return true
  } catch (error) {
    if (isErrno(error, 'EOPNOTSUPP')) return false
    throw error
  }
}

/** A case that does both: what a kernel with VLAN filtering does, or that one without says so. */
function filtering(title: string, check: (world: World) => void): Case {
  return {
    title,
    check(world) {
      if (addFilteringBridge(world.node)) check(world)
      else refused('EOPNOTSUPP', () => world.node.bridgeVlans.list('p0'))
    },
  }
}

export const bridgeVlanCases: readonly Case[] = [
  {
    title: 'a kernel without VLAN filtering says EOPNOTSUPP, one with it never',
    check({ node }) {
      const can = addFilteringBridge(node)
      for (const call of [
        () => node.bridgeVlans.list('p0'),
        () => node.bridgeVlans.add('p0', vlan(7)),
        () => node.bridgeVlans.add('br0', vlan(7), { self: true }),
      ]) {
        if (can) call()
        else refused('EOPNOTSUPP', call)
      }
      assert.equal(node.links.get('br0')?.bridge?.vlanFiltering, can)
    },
  },
  {
    title: 'taking a link out of a VLAN that it is not in changes nothing',
    check({ node }) {
      addFilteringBridge(node)
      node.bridgeVlans.delete('p0', vlan(99))
      node.bridgeVlans.delete('br0', vlan(99), { self: true })
    },
  },
  {
    title: 'VLANs of a link that is not there are ENODEV',
    check({ node }) {
      refused('ENODEV', () => node.bridgeVlans.list('nothing'))
      refused('ENODEV', () => node.bridgeVlans.add('nothing', vlan(7)))
      refused('ENODEV', () => node.bridgeVlans.delete('nothing', vlan(7)))
    },
  },
  filtering('a port begins in VLAN 1, untagged', ({ node }) => {
    assert.deepEqual(node.bridgeVlans.list('p0'), [vlan(1, { pvid: true, untagged: true })])
    assert.deepEqual(node.bridgeVlans.list('br0'), [vlan(1, { pvid: true, untagged: true })])
  }),
  filtering('a port is put into VLANs, and a range of them is one entry', ({ node }) => {
    node.bridgeVlans.delete('p0', vlan(1))
    node.bridgeVlans.add('p0', vlan(100, { pvid: true, untagged: true }))
    node.bridgeVlans.add('p0', vlan(200, { end: 210 }))
    assert.deepEqual(node.bridgeVlans.list('p0'), [vlan(100, { pvid: true, untagged: true }), vlan(200, { end: 210 })])
    node.bridgeVlans.delete('p0', vlan(201, { end: 209 }))
    assert.deepEqual(
      node.bridgeVlans.list('p0').map(({ id }) => id),
      [100, 200, 210],
    )
  }),
  filtering('the bridge itself is put into VLANs', ({ node }) => {
    node.bridgeVlans.add('br0', vlan(100), { self: true })
    assert.deepEqual(
      node.bridgeVlans.list('br0').map(({ id }) => id),
      [1, 100],
    )
    node.bridgeVlans.delete('br0', vlan(100), { self: true })
    assert.equal(node.bridgeVlans.list('br0').length, 1)
  }),
  filtering('a VLAN id beyond 4094 is refused', ({ node }) => {
    assert.throws(
      () => node.bridgeVlans.add('p0', vlan(4095)),
      (error) => isErrno(error, 'EINVAL', 'ERANGE'),
    )
  }),
  filtering('the default VLAN of new ports is an option of the bridge', ({ node }) => {
    node.links.set('br0', { bridge: { vlanDefaultPvid: 0 } })
    has(node.links.get('br0')?.bridge, { vlanDefaultPvid: 0, vlanFiltering: true })
    node.links.add({ kind: 'veth', name: 'q0', master: 'br0', peer: { name: 'q1' } })
    assert.deepEqual(node.bridgeVlans.list('q0'), [])
  }),
]
