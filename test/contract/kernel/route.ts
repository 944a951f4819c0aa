/** Routes. */
import assert from 'node:assert/strict'
import type { Kernel } from '../../../src/kernel/kernel.ts'
import type { Route } from '../../../src/kernel/route.ts'
import { addCarrier, type Case, has, refused } from './case.ts'

/** Two links that carry packets: `l0` with 10.0.0.1/24 and fd00::1/64, `l1` with 10.0.1.1/24 and fd01::1/64. */
function addLinks(kernel: Kernel): void {
  for (const i of [0, 1]) {
    addCarrier(kernel, `l${i}`)
    kernel.addresses.add({ link: `l${i}`, prefix: `10.0.${i}.1/24` })
    kernel.addresses.add({ link: `l${i}`, prefix: `fd0${i}::1/64`, noDad: true })
  }
}

const defaults4 = { type: 'unicast', table: 254, protocol: 3, scope: 'global', metric: 0, tos: 0 } as const
const defaults6 = { ...defaults4, metric: 1024 } as const

/** What is added, and what is listed besides. */
const rows: readonly { readonly what: string; readonly route: Route; readonly seen: Partial<Route> }[] = [
  {
    what: 'by a gateway',
    route: { destination: '10.5.0.0/16', gateway: '10.0.0.2' },
    seen: { ...defaults4, link: 'l0' },
  },
  { what: 'by a link', route: { destination: '10.5.0.0/16', link: 'l0' }, seen: { ...defaults4, scope: 'link' } },
  {
    what: 'the default route',
    route: { destination: '0.0.0.0/0', gateway: '10.0.0.2' },
    seen: { ...defaults4, link: 'l0' },
  },
  { what: 'to a host', route: { destination: '10.5.0.1/32', gateway: '10.0.0.2', link: 'l0' }, seen: defaults4 },
  {
    what: 'by a gateway that is on the link without being in its subnet',
    route: { destination: '10.5.0.0/16', gateway: '192.0.2.1', link: 'l0', onlink: true },
    seen: defaults4,
  },
  {
    what: 'with a metric',
    route: { destination: '10.5.0.0/16', gateway: '10.0.0.2', link: 'l0', metric: 77 },
    seen: { ...defaults4, metric: 77 },
  },
  {
    what: 'of a protocol',
    route: { destination: '10.5.0.0/16', gateway: '10.0.0.2', link: 'l0', protocol: 186 },
    seen: { ...defaults4, protocol: 186 },
  },
  {
    what: 'in a table',
    route: { destination: '10.5.0.0/16', gateway: '10.0.0.2', link: 'l0', table: 100 },
    seen: { ...defaults4, table: 100 },
  },
  {
    what: 'in a table above 255',
    route: { destination: '10.5.0.0/16', gateway: '10.0.0.2', link: 'l0', table: 70000 },
    seen: { ...defaults4, table: 70000 },
  },
  {
    what: 'with a source',
    route: { destination: '10.5.0.0/16', gateway: '10.0.0.2', link: 'l0', source: '10.0.1.1' },
    seen: defaults4,
  },
  {
    what: 'of a scope',
    route: { destination: '10.5.0.0/16', link: 'l0', scope: 'host' },
    seen: { ...defaults4, scope: 'host' },
  },
  {
    what: 'for a tos',
    route: { destination: '10.5.0.0/16', gateway: '10.0.0.2', link: 'l0', tos: 0x10 },
    seen: { ...defaults4, tos: 0x10 },
  },
  {
    what: 'with metrics',
    route: {
      destination: '10.5.0.0/16',
      gateway: '10.0.0.2',
      link: 'l0',
      metrics: {
        mtu: 1400,
        mtuLocked: true,
        advmss: 1300,
        window: 9,
        initcwnd: 20,
        initrwnd: 30,
        hoplimit: 9,
        rtoMin: 50,
        quickack: true,
      },
    },
    seen: defaults4,
  },
  {
    what: 'by several next hops',
    route: {
      destination: '10.5.0.0/16',
      nextHops: [
        { gateway: '10.0.0.2', link: 'l0', weight: 1 },
        { gateway: '10.0.1.2', link: 'l1', weight: 256 },
      ],
    },
    seen: defaults4,
  },
  {
    what: 'by next hops on the link',
    route: {
      destination: '10.5.0.0/16',
      nextHops: [
        { gateway: '192.0.2.1', link: 'l0', weight: 1, onlink: true },
        { gateway: '192.0.2.2', link: 'l1', weight: 2, onlink: true },
      ],
    },
    seen: defaults4,
  },
  {
    what: 'to IPv4 by way of IPv6',
    route: { destination: '10.5.0.0/16', gateway: 'fd00::2', link: 'l0' },
    seen: defaults4,
  },
  {
    what: 'to a blackhole',
    route: { destination: '10.5.0.0/16', type: 'blackhole' },
    seen: { ...defaults4, type: 'blackhole' },
  },
  {
    what: 'unreachable',
    route: { destination: '10.5.0.0/16', type: 'unreachable' },
    seen: { ...defaults4, type: 'unreachable' },
  },
  {
    what: 'prohibited',
    route: { destination: '10.5.0.0/16', type: 'prohibit' },
    seen: { ...defaults4, type: 'prohibit' },
  },
  { what: 'throw', route: { destination: '10.5.0.0/16', type: 'throw' }, seen: { ...defaults4, type: 'throw' } },
  {
    what: 'local',
    route: { destination: '10.5.0.0/16', type: 'local', link: 'l0', table: 255 },
    seen: { ...defaults4, type: 'local', table: 255, scope: 'host' },
  },
  {
    what: 'IPv6 by a gateway',
    route: { destination: 'fd05::/48', gateway: 'fd00::2' },
    seen: { ...defaults6, link: 'l0' },
  },
  { what: 'IPv6 by a link', route: { destination: 'fd05::/48', link: 'l0' }, seen: defaults6 },
  { what: 'the IPv6 default route', route: { destination: '::/0', gateway: 'fd00::2', link: 'l0' }, seen: defaults6 },
  {
    what: 'IPv6 with a metric and in a table',
    route: { destination: 'fd05::/48', gateway: 'fd00::2', link: 'l0', metric: 5, table: 70000 },
    seen: { ...defaults6, metric: 5, table: 70000 },
  },
  {
    what: 'IPv6 with an MTU',
    route: { destination: 'fd05::/48', gateway: 'fd00::2', link: 'l0', metrics: { mtu: 1400 } },
    seen: defaults6,
  },
  {
    what: 'IPv6 by a gateway that is on the link without being in its subnet',
    route: { destination: 'fd05::/48', gateway: '2001:db8::1', link: 'l0', onlink: true },
    seen: defaults6,
  },
  {
    what: 'IPv6 by several next hops',
    route: {
      destination: 'fd05::/48',
      nextHops: [
        { gateway: 'fd00::2', link: 'l0', weight: 1 },
        { gateway: 'fd01::2', link: 'l1', weight: 3 },
      ],
    },
    seen: defaults6,
  },
]

const find = (kernel: Kernel, destination: string) =>
  kernel.routes.list().filter((route) => route.destination === destination)

export const routeCases: readonly Case[] = [
  ...rows.map(({ what, route, seen }) => ({
    title: `a route is added, listed and deleted: ${what}`,
    check({ node }: Parameters<Case['check']>[0]) {
      addLinks(node)
      node.routes.add(route)
      assert.deepEqual(find(node, route.destination), [{ ...seen, ...route }])
      refused('EEXIST', () => node.routes.add(route))
      node.routes.delete(route)
      assert.deepEqual(find(node, route.destination), [])
      refused('ESRCH', () => node.routes.delete(route))
    },
  })),
  {
    title: 'a table is there from the first route on that was to go into it, also when that was refused, or is gone',
    check({ node }) {
      addLinks(node)
      const [ipv4, ipv6] = ['10.5.0.0/16', 'fd05::/64']
      const has = (table: number) => [node.routes.hasTable(table, 'ipv4'), node.routes.hasTable(table, 'ipv6')]
      assert.deepEqual([254, 255, 100].map(has), [
        [true, true],
        [true, true],
        [false, false],
      ])
      for (const destination of [ipv4, ipv6]) {
        const route = { destination, link: 'l0', table: 100 }
        node.routes.add(route)
        node.routes.delete(route)
      }
      refused('ENETUNREACH', () => node.routes.add({ destination: ipv4, gateway: '192.0.2.1', table: 101 }))
      refused('EHOSTUNREACH', () => node.routes.add({ destination: ipv6, gateway: '2001:db8::1', table: 101 }))
      assert.deepEqual([100, 101].map(has), [
        [true, true],
        [true, true],
      ])
      for (const family of ['ipv4', 'ipv6'] as const) node.rules.add({ family, table: 102 })
      assert.deepEqual(has(102), [false, true])
    },
  },
  {
    title: 'the way to :: is that to any other address: that of a socket to itself begins in the socket',
    check({ node }) {
      addLinks(node)
      assert.equal(node.routes.lookup('::'), undefined)
      node.routes.add({ destination: '::/0', gateway: 'fd00::2' })
      assert.equal(node.routes.lookup('::')?.gateway, 'fd00::2')
    },
  },
  {
    title: 'what is listed can be added again',
    check({ node }) {
      addLinks(node)
      for (const { route } of rows.filter(
        ({ route }) => route.destination.includes('.5.') && !route.metric && !route.tos,
      )) {
        node.routes.add(route)
        const listed = find(node, route.destination)[0]!
        node.routes.delete(listed)
        node.routes.add(listed)
        assert.deepEqual(find(node, route.destination), [listed])
        node.routes.delete(listed)
      }
    },
  },
  {
    title: 'a route by a link that is not there is ENODEV',
    check({ node }) {
      const route = { destination: '10.5.0.0/16', link: 'nothing' }
      for (const operation of ['add', 'append', 'prepend', 'replace', 'delete'] as const)
        refused('ENODEV', () => node.routes[operation](route))
      refused('ENODEV', () => node.routes.list({ link: 'nothing' }))
      refused('ENODEV', () => node.routes.lookup('10.5.0.1', { outputLink: 'nothing' }))
    },
  },
  {
    title: 'a gateway that no route leads to is ENETUNREACH or EHOSTUNREACH',
    check({ node }) {
      addLinks(node)
      refused('ENETUNREACH', () => node.routes.add({ destination: '10.5.0.0/16', gateway: '192.0.2.1' }))
      refused('EHOSTUNREACH', () => node.routes.add({ destination: 'fd05::/48', gateway: '2001:db8::1' }))
    },
  },
  {
    title: 'a link that is down takes no route',
    check({ node }) {
      node.links.add({ kind: 'bridge', name: 'b0' })
      refused('ENETDOWN', () => node.routes.add({ destination: '10.5.0.0/16', link: 'b0' }))
    },
  },
  {
    title: 'a destination with host bits is refused with EINVAL',
    check({ node }) {
      addLinks(node)
      refused('EINVAL', () => node.routes.add({ destination: '10.5.0.1/16', gateway: '10.0.0.2' }))
    },
  },
  {
    title: 'a destination that is no prefix is a RangeError',
    check({ node }) {
      for (const destination of ['default', '10.5.0.0', '10.5.0.0/33', '']) {
        assert.throws(() => node.routes.add({ destination, type: 'blackhole' }), RangeError, destination)
      }
    },
  },
  {
    title: 'routes of one destination live side by side with different metrics',
    check({ node }) {
      addLinks(node)
      node.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.2', metric: 10 })
      node.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.1.2', metric: 20 })
      assert.equal(find(node, '10.5.0.0/16').length, 2)
      node.routes.delete({ destination: '10.5.0.0/16', metric: 20 })
      has(find(node, '10.5.0.0/16')[0], { metric: 10, gateway: '10.0.0.2' })
    },
  },
  {
    title: 'append puts an IPv4 route behind the one that is there',
    check({ node }) {
      addLinks(node)
      node.routes.append({ destination: '10.5.0.0/16', gateway: '10.0.0.2' })
      node.routes.append({ destination: '10.5.0.0/16', gateway: '10.0.1.2' })
      assert.deepEqual(
        find(node, '10.5.0.0/16').map(({ gateway }) => gateway),
        ['10.0.0.2', '10.0.1.2'],
      )
      has(node.routes.lookup('10.5.0.1'), { gateway: '10.0.0.2' })
    },
  },
  {
    title: 'prepend puts an IPv4 route before the one that is there, and refuses the very same',
    check({ node }) {
      addLinks(node)
      node.routes.prepend({ destination: '10.5.0.0/16', gateway: '10.0.0.2' })
      node.routes.prepend({ destination: '10.5.0.0/16', gateway: '10.0.1.2' })
      assert.deepEqual(
        find(node, '10.5.0.0/16').map(({ gateway }) => gateway),
        ['10.0.1.2', '10.0.0.2'],
      )
      refused('EEXIST', () => node.routes.prepend({ destination: '10.5.0.0/16', gateway: '10.0.1.2' }))
    },
  },
  {
    title: 'append gives an IPv6 route another next hop',
    check({ node }) {
      addLinks(node)
      node.routes.append({ destination: 'fd05::/48', gateway: 'fd00::2' })
      node.routes.append({ destination: 'fd05::/48', gateway: 'fd01::2' })
      const [route, ...others] = find(node, 'fd05::/48')
      assert.deepEqual(others, [])
      assert.deepEqual(
        route?.nextHops?.map(({ gateway }) => gateway),
        ['fd00::2', 'fd01::2'],
      )
    },
  },
  {
    title: 'replace adds a route, or puts it in the place of the one that is there',
    check({ node }) {
      addLinks(node)
      for (const [destination, first, second] of [
        ['10.5.0.0/16', '10.0.0.2', '10.0.1.2'],
        ['fd05::/48', 'fd00::2', 'fd01::2'],
      ] as const) {
        node.routes.replace({ destination, gateway: first })
        node.routes.replace({ destination, gateway: second, protocol: 186 })
        assert.equal(find(node, destination).length, 1)
        has(find(node, destination)[0], { gateway: second, protocol: 186 })
      }
    },
  },
  {
    title: 'delete compares what it is given, and nothing else',
    check({ node }) {
      addLinks(node)
      node.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.2', metric: 9, protocol: 186 })
      refused('ESRCH', () => node.routes.delete({ destination: '10.5.0.0/16', gateway: '10.0.0.3' }))
      refused('ESRCH', () => node.routes.delete({ destination: '10.5.0.0/16', link: 'l1' }))
      refused('ESRCH', () => node.routes.delete({ destination: '10.5.0.0/16', metric: 8 }))
      refused('ESRCH', () => node.routes.delete({ destination: '10.5.0.0/16', protocol: 3 }))
      refused('ESRCH', () => node.routes.delete({ destination: '10.5.0.0/16', type: 'blackhole' }))
      refused('ESRCH', () => node.routes.delete({ destination: '10.5.0.0/16', table: 100 }))
      node.routes.delete({ destination: '10.5.0.0/16' })
      assert.deepEqual(find(node, '10.5.0.0/16'), [])
    },
  },
  {
    title: 'parts are those of the list, also while routes are changed between them',
    check({ node }) {
      addLinks(node)
      const destinations = Array.from({ length: 1000 }, (_, i) => `10.${5 + (i >> 8)}.${i & 255}.0/24`)
      const all = destinations.map((destination) => ({ destination, gateway: '10.0.0.2', protocol: 186 }))
      node.routes.batch(all.map((route) => ({ operation: 'add', route })))
      node.routes.add({ destination: 'fd05::/48', gateway: 'fd00::2', protocol: 186 })
      const listed: Route[] = []
      let parts = 0
      for (const part of node.routes.parts({ protocol: 186 })) {
        if (part.length > 0) parts++
        listed.push(...part)
        // The handle can be used for other things, and one that is listed already can go.
        if (parts === 1 && part[0]) node.routes.delete(part[0])
      }
      assert.ok(parts > 1, 'it is one part')
      assert.deepEqual(listed.map(({ destination }) => destination).sort(), [...destinations, 'fd05::/48'].sort())
      for (const _ of node.routes.parts({ protocol: 186 })) break
      assert.deepEqual([...node.routes.parts({ table: 12345 })].flat(), [])
    },
  },
  {
    title: 'list leaves out what is of a protocol',
    check({ node }) {
      addLinks(node)
      node.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.2', protocol: 186 })
      node.routes.add({ destination: 'fd05::/48', gateway: 'fd00::2', protocol: 186 })
      node.routes.add({ destination: '10.6.0.0/16', gateway: '10.0.0.2', protocol: 4 })
      const others = node.routes.list({ table: 254, exceptProtocol: 186 }).map(({ destination }) => destination)
      assert.ok(others.includes('10.6.0.0/16') && others.includes('10.0.0.0/24') && others.includes('fd00::/64'))
      assert.ok(!others.includes('10.5.0.0/16') && !others.includes('fd05::/48'))
    },
  },
  {
    title: 'list keeps to family, table, link and protocol',
    check({ node }) {
      addLinks(node)
      node.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.2', protocol: 186 })
      node.routes.add({ destination: '10.6.0.0/16', gateway: '10.0.1.2', protocol: 186, table: 1000 })
      node.routes.add({ destination: 'fd05::/48', gateway: 'fd01::2', protocol: 186 })
      node.routes.add({
        destination: '10.7.0.0/16',
        table: 1000,
        nextHops: [
          { gateway: '10.0.0.2', link: 'l0' },
          { gateway: '10.0.1.2', link: 'l1' },
        ],
      })
      const list = (filter: Parameters<typeof node.routes.list>[0]) =>
        node.routes
          .list(filter)
          .map(({ destination }) => destination)
          .sort()
      assert.deepEqual(list({ protocol: 186 }), ['10.5.0.0/16', '10.6.0.0/16', 'fd05::/48'])
      assert.deepEqual(list({ protocol: 186, family: 'ipv6' }), ['fd05::/48'])
      assert.deepEqual(list({ table: 1000 }), ['10.6.0.0/16', '10.7.0.0/16'])
      assert.deepEqual(list({ table: 1000, link: 'l0' }), ['10.7.0.0/16'])
      assert.deepEqual(list({ link: 'l1', protocol: 186 }), ['10.6.0.0/16', 'fd05::/48'])
      assert.deepEqual(list({ table: 4242 }), [])
    },
  },
  {
    title: 'routes go when their link goes down, or away',
    check({ node }) {
      addLinks(node)
      node.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.2' })
      node.routes.add({ destination: '10.6.0.0/16', gateway: '10.0.1.2' })
      node.links.set('l0', { up: false })
      node.links.delete('l1')
      assert.deepEqual(node.routes.list({ table: 254, family: 'ipv4' }), [])
    },
  },

  // lookup
  {
    title: 'lookup finds the longest prefix, then the lowest metric',
    check({ node }) {
      addLinks(node)
      node.routes.add({ destination: '10.0.0.0/8', gateway: '10.0.0.2' })
      node.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.3', metric: 20 })
      node.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.1.4', metric: 10 })
      has(node.routes.lookup('10.9.0.1'), {
        destination: '10.9.0.1/32',
        gateway: '10.0.0.2',
        link: 'l0',
        source: '10.0.0.1',
        table: 254,
      })
      has(node.routes.lookup('10.5.0.1'), { gateway: '10.0.1.4', link: 'l1', source: '10.0.1.1' })
      has(node.routes.lookup('10.0.1.77'), { link: 'l1', source: '10.0.1.1' })
      assert.equal(node.routes.lookup('10.0.1.77')?.gateway, undefined)
      node.routes.list()
      has(node.routes.lookup('fd00::77'), { destination: 'fd00::77/128', link: 'l0', source: 'fd00::1' })
    },
  },
  {
    title: 'lookup answers undefined where no route leads',
    check({ node }) {
      addLinks(node)
      assert.equal(node.routes.lookup('192.0.2.1'), undefined)
      assert.equal(node.routes.lookup('2001:db8::1'), undefined)
    },
  },
  {
    title: 'lookup of what a special route forbids is refused',
    check({ node }) {
      addLinks(node)
      node.routes.add({ destination: '10.5.0.0/16', type: 'blackhole' })
      node.routes.add({ destination: '10.6.0.0/16', type: 'unreachable' })
      node.routes.add({ destination: '10.7.0.0/16', type: 'prohibit' })
      refused('EINVAL', () => node.routes.lookup('10.5.0.1'))
      refused('EHOSTUNREACH', () => node.routes.lookup('10.6.0.1'))
      refused('EACCES', () => node.routes.lookup('10.7.0.1'))
    },
  },
  {
    title: 'lookup is for a source, for an output link, or for a packet that came in',
    check({ node }) {
      addLinks(node)
      node.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.2' })
      node.routes.add({ destination: '0.0.0.0/0', gateway: '10.0.1.2' })
      has(node.routes.lookup('10.5.0.1', { source: '10.0.1.1' }), { gateway: '10.0.0.2' })
      has(node.routes.lookup('10.5.0.1', { outputLink: 'l1' }), { gateway: '10.0.1.2', link: 'l1' })
      node.sysctl.set('net/ipv4/ip_forward', '1')
      has(node.routes.lookup('10.5.0.1', { source: '10.0.1.9', inputLink: 'l1' }), { gateway: '10.0.0.2', link: 'l0' })
    },
  },

  // batch
  {
    title: 'batch makes what can be made, and tells the index and errno of the rest',
    check({ node }) {
      addLinks(node)
      node.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.2' })
      const refusals = node.routes.batch([
        { operation: 'add', route: { destination: '10.6.0.0/16', gateway: '10.0.0.2' } },
        { operation: 'add', route: { destination: '10.5.0.0/16', gateway: '10.0.0.3' } },
        { operation: 'delete', route: { destination: '10.7.0.0/16' } },
        { operation: 'add', route: { destination: '10.8.0.0/16', link: 'nothing' } },
        { operation: 'replace', route: { destination: '10.5.0.0/16', gateway: '10.0.0.4' } },
        { operation: 'append', route: { destination: '10.6.0.0/16', gateway: '10.0.1.2' } },
        { operation: 'delete', route: { destination: '10.9.0.0/16' } },
      ])
      assert.deepEqual(refusals, [
        { index: 1, errno: 'EEXIST' },
        { index: 2, errno: 'ESRCH' },
        { index: 3, errno: 'ENODEV' },
        { index: 6, errno: 'ESRCH' },
      ])
      has(find(node, '10.5.0.0/16')[0], { gateway: '10.0.0.4' })
      assert.equal(find(node, '10.6.0.0/16').length, 2)
      assert.deepEqual(node.routes.batch([]), [])
    },
  },
  {
    title: 'batch makes a thousand routes of both families, and refuses them all the second time',
    check({ node }) {
      addLinks(node)
      const changes = Array.from({ length: 1000 }, (_, i) => ({
        operation: 'add' as const,
        route:
          i % 2 === 0
            ? { destination: `10.${100 + (i >> 8)}.${i & 255}.0/24`, gateway: '10.0.0.2', table: 1000 }
            : { destination: `fd05:${i.toString(16)}::/48`, gateway: 'fd00::2', table: 1000 },
      }))
      assert.deepEqual(node.routes.batch(changes), [])
      assert.equal(node.routes.list({ table: 1000 }).length, 1000)
      assert.deepEqual(
        node.routes.batch(changes),
        changes.map((_, index) => ({ index, errno: 'EEXIST' })),
      )
    },
  },
]
