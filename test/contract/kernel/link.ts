/** Links: birth, change, death. */
import assert from 'node:assert/strict'
import { isErrno } from '../../../src/kernel/errors.ts'
import type { LinkChange, NewLink } from '../../../src/kernel/link.ts'
import { type Case, eventually, has, refused } from './case.ts'

/** linux/if.h. */
const IFF_RUNNING = 0x40
const IFF_UP = 0x1
const IFF_BROADCAST = 0x2
const IFF_MULTICAST = 0x1000

const MAC = '02:42:0a:00:00:01'

/** One of each kind, and what must then be seen of it. Not every kernel has every kind. */
const kinds: readonly { readonly link: NewLink; readonly seen: object; readonly optional?: boolean }[] = [
  { link: { kind: 'bridge', name: 'l0' }, seen: { kind: 'bridge' } },
  { link: { kind: 'veth', name: 'l0', peer: { name: 'l1' } }, seen: { kind: 'veth' } },
  { link: { kind: 'ifb', name: 'l0' }, seen: { kind: 'ifb' } },
  { link: { kind: 'tun', name: 'l0', tun: { mode: 'tun' } }, seen: { kind: 'tun', mac: '' } },
  {
    link: { kind: 'tun', name: 'l0', tun: { mode: 'tap', owner: 1, group: 1, multiQueue: true } },
    seen: { kind: 'tun' },
  },
  { link: { kind: 'macvlan', name: 'l0', parent: 'under' }, seen: { macvlan: { mode: 'vepa' } } },
  {
    link: { kind: 'macvlan', name: 'l0', parent: 'under', macvlan: { mode: 'bridge' } },
    seen: { macvlan: { mode: 'bridge' } },
  },
  {
    link: { kind: 'macvlan', name: 'l0', parent: 'under', macvlan: { mode: 'private' } },
    seen: { macvlan: { mode: 'private' } },
  },
  {
    link: { kind: 'macvlan', name: 'l0', parent: 'under', macvlan: { mode: 'passthru' } },
    seen: { macvlan: { mode: 'passthru' } },
  },
  {
    link: { kind: 'vxlan', name: 'l0', vxlan: { vni: 0xff_ffff } },
    seen: {
      vxlan: { vni: 0xff_ffff, port: 8472, learning: true, ttl: 0, ageing: 300, udpChecksum: true, gbp: false },
    },
  },
  {
    link: {
      kind: 'vxlan',
      name: 'l0',
      vxlan: {
        vni: 1,
        local: '10.0.0.1',
        remote: '10.0.0.2',
        device: 'under',
        port: 4789,
        learning: false,
        ttl: 9,
        ageing: 60,
        udpChecksum: false,
        gbp: true,
      },
    },
    seen: {
      vxlan: {
        vni: 1,
        local: '10.0.0.1',
        remote: '10.0.0.2',
        device: 'under',
        port: 4789,
        learning: false,
        ttl: 9,
        ageing: 60,
        udpChecksum: false,
        gbp: true,
      },
    },
  },
  {
    link: {
      kind: 'vxlan',
      name: 'l0',
      vxlan: { vni: 2, local: 'fd00::1', remote: 'fd00::2', device: 'under', port: 8472 },
    },
    seen: {
      vxlan: {
        vni: 2,
        local: 'fd00::1',
        remote: 'fd00::2',
        device: 'under',
        port: 8472,
        learning: true,
        ttl: 0,
        ageing: 300,
        udpChecksum: true,
        gbp: false,
      },
    },
  },
  { link: { kind: 'dummy', name: 'l0' }, seen: { kind: 'dummy' }, optional: true },
  { link: { kind: 'vlan', name: 'l0', parent: 'under', vlan: { id: 7 } }, seen: { vlan: { id: 7 } }, optional: true },
  {
    link: { kind: 'ipvlan', name: 'l0', parent: 'under', ipvlan: { mode: 'l3' } },
    seen: { kind: 'ipvlan' },
    optional: true,
  },
  { link: { kind: 'vrf', name: 'l0', vrf: { table: 1000 } }, seen: { kind: 'vrf' }, optional: true },
]

/** A change to a veth end, and what is then seen. */
const changes: readonly { readonly what: string; readonly change: LinkChange; readonly seen?: object }[] = [
  { what: 'MAC', change: { mac: MAC } },
  { what: 'MTU', change: { mtu: 1400 } },
  { what: 'transmit queue length', change: { txQueueLength: 77 } },
  { what: 'group', change: { group: 9 } },
  { what: 'alias', change: { alias: 'a link – with a name' } },
  { what: 'promiscuity', change: { promiscuous: true } },
  { what: 'multicast', change: { allMulticast: true } },
  { what: 'state', change: { up: true } },
]

export const linkCases: readonly Case[] = [
  ...kinds.map(({ link, seen, optional }) => ({
    title: `a link is born and listed: ${JSON.stringify(link)}`,
    check({ node }: Parameters<Case['check']>[0]) {
      node.links.add({ kind: 'veth', name: 'under', peer: { name: 'under1' } })
      try {
        has(node.links.add(link), { name: 'l0', up: false, ...seen })
      } catch (error) {
        // It is right for a kernel that was built without this kind.
        if (optional && isErrno(error, 'EOPNOTSUPP')) return
        throw error
      }
      const { macOrigin: _, ...listed } = node.links.list().find(({ name }) => name === 'l0')!
      const { macOrigin: __, ...got } = node.links.get('l0')!
      assert.deepEqual(listed, got)
      assert.equal(node.links.getByIndex(got.index)?.name, 'l0')
      node.links.delete('l0')
      assert.equal(node.links.get('l0'), undefined)
      assert.equal(node.links.getByIndex(got.index), undefined)
    },
  })),
  {
    title: 'get answers undefined for a name that no link has or can have',
    check({ node }) {
      for (const name of ['nothing', '', 'x'.repeat(16), 'x'.repeat(300)]) assert.equal(node.links.get(name), undefined)
      for (const index of [0, -1, 2 ** 30]) assert.equal(node.links.getByIndex(index), undefined)
    },
  },
  {
    title: 'a link is born with what it is given',
    check({ node }) {
      const birth = { name: 'b0', mac: MAC, mtu: 1300, up: true, txQueueLength: 5, alias: 'first', group: 3 } as const
      has(node.links.add({ kind: 'bridge', ...birth }), birth)
      has(node.links.add({ kind: 'tun', tun: { mode: 'tap' }, ...birth, name: 't0' }), { ...birth, name: 't0' })
    },
  },
  {
    title: 'a link is born as a port of its master',
    check({ node }) {
      const bridge = node.links.add({ kind: 'bridge', name: 'br0' })
      const port = node.links.add({ kind: 'veth', name: 'v0', master: 'br0', up: true, peer: { name: 'v1' } })
      assert.equal(port.master, bridge.index)
      has(port.port, { hairpin: false, isolated: false, learning: true, flood: true, neighbourSuppression: false })
      assert.equal(
        node.links.add({ kind: 'tun', name: 't0', master: 'br0', tun: { mode: 'tap' } }).master,
        bridge.index,
      )
    },
  },
  {
    title: 'a link whose master is not there is ENODEV and is not made',
    check({ node }) {
      refused('ENODEV', () => node.links.add({ kind: 'bridge', name: 'b0', master: 'nothing' }))
      assert.equal(node.links.get('b0'), undefined)
      refused('ENODEV', () => node.links.add({ kind: 'tun', name: 't0', master: 'nothing', tun: { mode: 'tap' } }))
      assert.equal(node.links.get('t0'), undefined)
    },
  },
  {
    title: 'a second link of the same name is EEXIST',
    check({ node }) {
      node.links.add({ kind: 'bridge', name: 'br0' })
      refused('EEXIST', () => node.links.add({ kind: 'bridge', name: 'br0' }))
      refused('EEXIST', () => node.links.add({ kind: 'veth', name: 'br0', peer: { name: 'v1' } }))
      refused('EEXIST', () => node.links.add({ kind: 'tun', name: 'br0', tun: { mode: 'tap' } }))
      assert.equal(node.links.get('v1'), undefined)
    },
  },
  {
    title: 'a name that no link can have is EINVAL or ERANGE',
    check({ node }) {
      for (const name of ['a/b', 'x'.repeat(16), 'a b', '..']) {
        assert.throws(
          () => node.links.add({ kind: 'bridge', name }),
          (error) => isErrno(error, 'EINVAL', 'ERANGE'),
        )
      }
    },
  },
  {
    title: 'an MTU below 68 is EINVAL for a veth',
    check: ({ node }) =>
      refused('EINVAL', () => node.links.add({ kind: 'veth', name: 'v0', mtu: 10, peer: { name: 'v1' } })),
  },

  // veth
  {
    title: "a veth's peer is born in its own namespace, with its own MAC and MTU",
    check({ node, container }) {
      const peer = { name: 'eth0', mac: MAC, mtu: 1400, txQueueLength: 3 } as const
      const host = node.links.add({ kind: 'veth', name: 'veth0', mtu: 1400, peer: { ...peer, namespace: container } })
      assert.equal(node.links.get('eth0'), undefined)
      const eth0 = container.links.get('eth0')
      has(eth0, peer)
      assert.equal(host.parent, eth0!.index)
      assert.equal(eth0!.parent, host.index)
      assert.notEqual(host.parentNamespaceId, undefined)
    },
  },
  {
    title: 'the ends of a veth pair in one namespace name each other by index alone',
    check({ node }) {
      const one = node.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      has(node.links.get('v1'), { parent: one.index, parentNamespaceId: undefined })
    },
  },
  {
    title: "a veth whose peer's name is taken is EEXIST and leaves neither end",
    check({ node, container }) {
      container.links.add({ kind: 'bridge', name: 'eth0' })
      refused('EEXIST', () =>
        node.links.add({ kind: 'veth', name: 'veth0', peer: { name: 'eth0', namespace: container } }),
      )
      assert.equal(node.links.get('veth0'), undefined)
      assert.equal(container.links.get('eth0')?.kind, 'bridge')
    },
  },
  {
    title: 'deleting one end of a veth pair deletes the other',
    check({ node, container }) {
      node.links.add({ kind: 'veth', name: 'veth0', peer: { name: 'eth0', namespace: container } })
      container.links.delete('eth0')
      assert.equal(node.links.get('veth0'), undefined)
    },
  },
  {
    title: 'a veth end carries packets while both ends are set up',
    async check({ node, container }) {
      const carries = () => node.links.get('veth0')?.operState === 'up'
      node.links.add({ kind: 'veth', name: 'veth0', up: true, peer: { name: 'eth0', namespace: container } })
      assert.ok(!carries(), 'the other end is still down')
      container.links.set('eth0', { up: true })
      await eventually(carries, 'both ends are up')
      container.links.set('eth0', { up: false })
      await eventually(() => !carries(), 'the other end is down again')
    },
  },

  // macvlan in another namespace
  {
    title: 'a macvlan is born in another namespace on a parent in this one',
    check({ node, container }) {
      const parent = node.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      const macvlan = node.links.add({ kind: 'macvlan', name: 'eth0', parent: 'v0', mac: MAC, namespace: container })
      has(macvlan, { name: 'eth0', mac: MAC, parent: parent.index })
      assert.notEqual(macvlan.parentNamespaceId, undefined)
      assert.equal(container.links.get('eth0')?.kind, 'macvlan')
      assert.equal(node.links.get('eth0'), undefined)
    },
  },
  {
    title: 'a macvlan without its parent is ENODEV',
    check: ({ node }) => refused('ENODEV', () => node.links.add({ kind: 'macvlan', name: 'm0', parent: 'nothing' })),
  },
  {
    title: 'a vxlan that is there begins and ends to learn',
    check({ node }) {
      node.links.add({ kind: 'vxlan', name: 'vx0', vxlan: { vni: 5, learning: false } })
      const { index } = node.links.get('vx0')!
      for (const learning of [true, false]) {
        node.links.set('vx0', { vxlan: { learning } })
        assert.equal(node.links.get('vx0')?.vxlan?.learning, learning)
      }
      has(node.links.get('vx0')!.vxlan, { vni: 5, port: 8472 })
      assert.equal(node.links.get('vx0')!.index, index)
      node.links.add({ kind: 'bridge', name: 'br0' })
      refused('EOPNOTSUPP', () => node.links.set('br0', { vxlan: { learning: true } }))
    },
  },
  {
    title: 'two vxlans of one VNI and port are EEXIST',
    check({ node }) {
      node.links.add({ kind: 'vxlan', name: 'vx0', vxlan: { vni: 5, port: 4789 } })
      refused('EEXIST', () => node.links.add({ kind: 'vxlan', name: 'vx1', vxlan: { vni: 5, port: 4789 } }))
    },
  },

  // what is seen of one
  {
    title: "flags, queueing discipline and details of a veth are the kernel's",
    check({ node }) {
      node.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      has(node.links.get('v0'), { flags: IFF_BROADCAST | IFF_MULTICAST, qdisc: 'noop', parentNamespace: undefined })
      node.links.set('v0', { up: true })
      // Whether it runs is found out a little later.
      const { flags, qdisc } = node.links.get('v0')!
      assert.deepEqual([flags & ~IFF_RUNNING, qdisc], [IFF_BROADCAST | IFF_MULTICAST | IFF_UP, 'noqueue'])
      has(node.links.get('v0')!.details, { promiscuity: 0, minMtu: 68, maxMtu: 65535, kind: {}, port: {} })
    },
  },
  {
    title: "details of a bridge and of its port have the names of the kernel's attributes",
    check({ node }) {
      node.links.add({ kind: 'bridge', name: 'b0', mac: MAC })
      node.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' }, master: 'b0' })
      has(node.links.get('b0')!.details.kind, { BR_HELLO_TIME: 200, BR_BRIDGE_ID: `8000.${MAC}` })
      has(node.links.get('v0')!.details, { promiscuity: 1 })
      has(node.links.get('v0')!.details.port, { BRPORT_NO: 1, BRPORT_GUARD: 0, BRPORT_MULTICAST_ROUTER: 1 })
      has(node.links.get('v0')!.port, { priority: 32, cost: 2, multicastFlood: true, broadcastFlood: true })
    },
  },
  {
    title: 'nothing has been counted of a new link',
    check: ({ node }) => {
      node.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      has(node.links.statistics('v0'), {
        rxBytes: 0,
        rxPackets: 0,
        txBytes: 0,
        txPackets: 0,
        rxDropped: 0,
        txDropped: 0,
      })
    },
  },
  {
    title: 'counters of no link are ENODEV',
    check: ({ node }) => refused('ENODEV', () => node.links.statistics('x0')),
  },

  // set
  ...changes.map(({ what, change, seen }) => ({
    title: `set changes the ${what}, and nothing else`,
    check({ node }: Parameters<Case['check']>[0]) {
      node.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      // Flags, operational state and what counts in details follow from the others.
      const { operState: _, flags: _1, qdisc: _2, details: _3, ...before } = node.links.get('v0')!
      node.links.set('v0', change)
      const { operState: __, flags: __1, qdisc: __2, details: __3, ...after } = node.links.get('v0')!
      // A MAC that was asked for is another origin of it, too.
      const origin = change.mac === undefined ? {} : { macOrigin: after.macOrigin }
      assert.deepEqual({ ...after }, { ...before, ...change, ...seen, ...origin })
    },
  })),
  {
    title: 'set takes promiscuity, multicast, alias and state back',
    check({ node }) {
      node.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      const before = node.links.get('v0')!
      node.links.set('v0', { promiscuous: true, allMulticast: true, alias: 'x', up: true })
      node.links.set('v0', { promiscuous: false, allMulticast: false, alias: null, up: false })
      has(node.links.get('v0'), { promiscuous: false, allMulticast: false, alias: before.alias, up: false })
    },
  },
  {
    title: 'set gives a link that is down a new name, under its old index',
    check({ node }) {
      const { index } = node.links.add({ kind: 'bridge', name: 'old' })
      node.links.set('old', { name: 'new', mtu: 1400 })
      assert.equal(node.links.get('old'), undefined)
      has(node.links.get('new'), { index, mtu: 1400 })
    },
  },
  {
    title: 'set to a name that is taken is EEXIST',
    check({ node }) {
      node.links.add({ kind: 'bridge', name: 'b0' })
      node.links.add({ kind: 'bridge', name: 'b1' })
      refused('EEXIST', () => node.links.set('b0', { name: 'b1' }))
    },
  },
  {
    title: 'set moves a link to another namespace, under another name',
    check({ node, container }) {
      node.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      node.links.set('v1', { namespace: container, name: 'eth0' })
      assert.equal(node.links.get('v1'), undefined)
      assert.equal(container.links.get('eth0')?.kind, 'veth')
      container.links.set('eth0', { namespace: node })
      assert.equal(node.links.get('eth0')?.kind, 'veth')
    },
  },
  {
    title: 'set of a link or to a master that is not there is ENODEV',
    check({ node }) {
      refused('ENODEV', () => node.links.set('nothing', { up: true }))
      refused('ENODEV', () => node.links.set('nothing', { port: { hairpin: true } }))
      refused('ENODEV', () => node.links.set('nothing', { name: 'something' }))
      node.links.add({ kind: 'bridge', name: 'b0' })
      refused('ENODEV', () => node.links.set('b0', { master: 'nothing' }))
    },
  },
  {
    title: 'set makes a link a port of a bridge, with its attributes, and takes it out again',
    check({ node }) {
      const { index } = node.links.add({ kind: 'bridge', name: 'br0' })
      node.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      const port = { hairpin: true, isolated: true, learning: false, flood: false, neighbourSuppression: true }
      node.links.set('v0', { master: 'br0', port })
      has(node.links.get('v0'), { master: index })
      has(node.links.get('v0')?.port, port)
      node.links.set('v0', { port: { hairpin: false } })
      has(node.links.get('v0')?.port, { ...port, hairpin: false })
      node.links.set('v0', { master: null })
      has(node.links.get('v0'), { master: undefined, port: undefined })
    },
  },
  {
    title: "a port's attributes on a link that is no port are EOPNOTSUPP",
    check({ node }) {
      node.links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
      assert.throws(
        () => node.links.set('v0', { port: { hairpin: true } }),
        (error) => isErrno(error, 'EOPNOTSUPP', 'EINVAL'),
      )
    },
  },
  {
    title: "a bridge's options are given at birth and changed later",
    check({ node }) {
      const bridge = node.links.add({
        kind: 'bridge',
        name: 'br0',
        bridge: { ageingTime: 10, forwardDelay: 2, stp: false },
      })
      has(bridge.bridge, { ageingTime: 10, forwardDelay: 2, stp: false, vlanFiltering: false })
      node.links.set('br0', { bridge: { ageingTime: 0, stp: true } })
      has(node.links.get('br0')?.bridge, { ageingTime: 0, forwardDelay: 2, stp: true })
    },
  },
  {
    title: 'a bridge takes the lowest MAC of its ports until it is given one',
    check({ node }) {
      node.links.add({ kind: 'bridge', name: 'br0' })
      for (const [i, mac] of ['02:00:00:00:00:05', '02:00:00:00:00:03', '02:00:00:00:00:04'].entries()) {
        node.links.add({ kind: 'veth', name: `v${i}`, mac, master: 'br0', peer: { name: `w${i}` } })
      }
      assert.equal(node.links.get('br0')?.mac, '02:00:00:00:00:03')
      node.links.set('br0', { mac: MAC })
      node.links.delete('v1')
      assert.equal(node.links.get('br0')?.mac, MAC)
    },
  },

  // delete
  {
    title: 'deleting a link that is not there is ENODEV',
    check: ({ node }) => refused('ENODEV', () => node.links.delete('nothing')),
  },
  {
    title: 'the loopback link cannot be deleted',
    check: ({ node }) => refused('EOPNOTSUPP', () => node.links.delete('lo')),
  },
  {
    title: 'deleteGroup deletes the links of the group, and no others',
    check({ node }) {
      // A kernel makes fallback devices of tunnels by itself.
      const names = () => node.links.list().map(({ name }) => name)
      const own = names()
      for (const [name, group] of [
        ['a', 5],
        ['b', 5],
        ['c', 6],
      ] as const) {
        node.links.add({ kind: 'veth', name, group, peer: { name: `${name}1` } })
      }
      node.links.deleteGroup(5)
      assert.deepEqual(names().sort(), ['c', 'c1', ...own].sort())
      node.links.deleteGroup(5) // an empty group
    },
  },
  {
    title: 'the default group cannot be deleted: RangeError',
    check: ({ node }) => assert.throws(() => node.links.deleteGroup(0), RangeError),
  },
]
