/** What a speaker's kernel routes do, on whichever kernel: the model runs these without root, Linux with it. */
import assert from 'node:assert/strict'
import { eventually } from '../../contract/kernel/case.ts'
import { addLink, type FibWorld, routesOf, settings } from './world.ts'

const becomes = (world: FibWorld, routes: readonly string[], what: string, protocol = settings.protocol) =>
  eventually(
    () => routesOf(world.kernel, protocol).join() === [...routes].sort().join(),
    `${what}: ${routes.join(', ') || 'none'}`,
  )

/** What others are told until now is known, and forgotten. */
async function forgetTold({ other, told }: FibWorld): Promise<void> {
  await allTold({ other, told })
  told.length = 0
}

/** A change of somebody else's comes behind all that was made before. */
async function allTold({ other, told }: Pick<FibWorld, 'other' | 'told'>): Promise<void> {
  const mark = { destination: '192.0.2.255/32', type: 'blackhole', table: 77 } as const
  const before = told.length
  other.routes.add(mark)
  other.routes.delete(mark)
  const marks = () => told.slice(before).filter((one) => /^delete( 192.0.2.255\/32)?$/.test(one)).length
  await eventually(() => marks() > 0, 'the mark is told')
  const at = told.findLastIndex((one) => one.startsWith('new'))
  told.splice(at, told.length)
}

const operations = (told: readonly string[]) => told.map((one) => one.split(' ')[0])

/** A replacement is one thing that is told, and no deletion. */
const REPLACEMENTS: readonly {
  what: string
  prefix: string
  from: readonly string[]
  to: readonly string[]
  result: string
}[] = [
  {
    what: 'IPv4 by another next hop',
    prefix: '10.5.0.0/16',
    from: ['10.0.0.2'],
    to: ['10.0.1.2'],
    result: '10.5.0.0/16 via 10.0.1.2 dev eth1 metric 32',
  },
  {
    what: 'IPv4 by two',
    prefix: '10.5.0.0/16',
    from: ['10.0.0.2'],
    to: ['10.0.1.2', '10.0.0.2'],
    result: '10.5.0.0/16 via 10.0.0.2 dev eth0 via 10.0.1.2 dev eth1 metric 32',
  },
  {
    what: 'IPv4 by one of two',
    prefix: '10.5.0.0/16',
    from: ['10.0.0.2', '10.0.1.2'],
    to: ['10.0.1.2'],
    result: '10.5.0.0/16 via 10.0.1.2 dev eth1 metric 32',
  },
  {
    what: 'IPv6 by another next hop',
    prefix: 'fd05::/48',
    from: ['fd00::2'],
    to: ['fd01::2'],
    result: 'fd05::/48 via fd01::2 dev eth1 metric 32',
  },
  {
    what: 'IPv6 by one of two',
    prefix: 'fd05::/48',
    from: ['fd00::2', 'fd01::2'],
    to: ['fd01::2'],
    result: 'fd05::/48 via fd01::2 dev eth1 metric 32',
  },
]

export const fibCases: readonly { readonly title: string; check(world: FibWorld): Promise<void> }[] = [
  {
    title: 'few routes are there when the speaker has said so, with its protocol and metric, and go when it says so',
    async check(world) {
      const { kernel, goes, fib } = world
      await goes(['10.5.0.0/16', '10.6.0.0/24'], '10.0.0.2')
      await goes('fd05::/48', 'fd00::2')
      assert.deepEqual(routesOf(kernel), [
        '10.5.0.0/16 via 10.0.0.2 dev eth0 metric 32',
        '10.6.0.0/24 via 10.0.0.2 dev eth0 metric 32',
        'fd05::/48 via fd00::2 dev eth0 metric 32',
      ])
      assert.deepEqual(fib.refused, [])
      await goes(['10.5.0.0/16', '10.6.0.0/24'])
      await goes('fd05::/48')
      assert.deepEqual(routesOf(kernel), [])
    },
  },
  ...REPLACEMENTS.map(({ what, prefix, from, to, result }) => ({
    title: `a route is replaced, never deleted and added: ${what}`,
    async check(world: FibWorld) {
      await world.goes(prefix, ...from)
      await forgetTold(world)
      await world.goes(prefix, ...to)
      assert.deepEqual(routesOf(world.kernel), [result])
      await allTold(world)
      assert.ok(world.told.length > 0)
      assert.ok(
        world.told.every((one) => one.startsWith('new')),
        world.told.join(),
      )
    },
  })),
  {
    title: 'the same next hops are the same route, in whichever order they come',
    async check(world) {
      await world.goes('10.5.0.0/16', '10.0.0.2', '10.0.1.2')
      await world.goes('fd05::/48', 'fd00::2', 'fd01::2')
      await forgetTold(world)
      await world.goes('10.5.0.0/16', '10.0.1.2', '10.0.0.2')
      await world.goes('fd05::/48', 'fd01::2', 'fd00::2', 'fd01::2')
      await allTold(world)
      assert.deepEqual(world.told, [])
    },
  },
  {
    title: 'of more next hops than may be the best path’s is among those taken',
    async check(world) {
      const { kernel, goes } = world
      await goes('10.5.0.0/16', '10.0.1.2', '10.0.0.2', '10.0.0.3')
      await world.configure({ ...settings, ecmp: 1 }, [])
      assert.deepEqual(routesOf(kernel), ['10.5.0.0/16 via 10.0.1.2 dev eth1 metric 32'])
      await world.configure({ ...settings, ecmp: 2 }, [])
      assert.deepEqual(routesOf(kernel), ['10.5.0.0/16 via 10.0.0.2 dev eth0 via 10.0.1.2 dev eth1 metric 32'])
    },
  },
  {
    title: 'IPv4 goes by way of IPv6 where the next hop is one: RFC 8950',
    async check(world) {
      const { kernel, goes } = world
      await goes('10.5.0.0/16', 'fd00::2')
      await goes('10.6.0.0/16', { hop: 'fd00::2', linkLocal: 'fe80::2' })
      assert.deepEqual(routesOf(kernel), [
        '10.5.0.0/16 via fd00::2 dev eth0 metric 32',
        '10.6.0.0/16 via fe80::2 dev eth0 metric 32',
      ])
    },
  },
  {
    title: 'a next hop that is on the link is reached by its link-local address, one behind a router by the router',
    async check(world) {
      const { kernel, goes, node } = world
      world.other.routes.add({ destination: 'fd77::/64', gateway: 'fd01::9', protocol: 4 })
      await eventually(() => node.resolve('fd77::2', undefined) !== undefined, 'it is known')
      await goes('fd05::/48', { hop: 'fd00::2', linkLocal: 'fe80::2' })
      await goes('fd06::/48', { hop: 'fd77::2', linkLocal: 'fe80::2' })
      assert.deepEqual(routesOf(kernel), [
        'fd05::/48 via fe80::2 dev eth0 metric 32',
        'fd06::/48 via fd01::9 dev eth1 metric 32',
      ])
    },
  },
  {
    title: 'prefixes of our own are blackholes, whatever paths there are; and no more when they are ours no more',
    async check(world) {
      const { kernel, goes } = world
      await world.configure(settings, ['10.244.1.0/26', 'fd44:1::/122'])
      assert.deepEqual(routesOf(kernel), ['blackhole 10.244.1.0/26 metric 32', 'blackhole fd44:1::/122 metric 32'])
      await goes('10.244.1.0/26', '10.0.0.2')
      await goes('10.244.1.0/26')
      assert.deepEqual(routesOf(kernel), ['blackhole 10.244.1.0/26 metric 32', 'blackhole fd44:1::/122 metric 32'])
      await forgetTold(world)
      await world.configure(settings, ['10.244.1.0/26', '10.244.2.0/26'])
      assert.deepEqual(routesOf(kernel), ['blackhole 10.244.1.0/26 metric 32', 'blackhole 10.244.2.0/26 metric 32'])
      await world.configure(settings, [])
      await goes('10.244.1.0/26', '10.0.0.2')
      assert.deepEqual(routesOf(kernel), ['10.244.1.0/26 via 10.0.0.2 dev eth0 metric 32'])
    },
  },
  {
    title: 'a route with a metric of its own is written with it; another metric is there before the first goes',
    async check(world) {
      const { kernel, goes } = world
      await goes('10.5.0.0/16', { hop: '10.0.0.2', priority: 512 })
      assert.deepEqual(routesOf(kernel), ['10.5.0.0/16 via 10.0.0.2 dev eth0 metric 512'])
      await forgetTold(world)
      await goes('10.5.0.0/16', '10.0.0.2')
      assert.deepEqual(routesOf(kernel), ['10.5.0.0/16 via 10.0.0.2 dev eth0 metric 32'])
      await allTold(world)
      assert.deepEqual(operations(world.told), ['new', 'delete'])
    },
  },
  {
    title: 'a route of somebody else in the same place is left alone, and ours comes when it has gone',
    async check(world) {
      const { other, goes, kernel } = world
      const foreign = [
        { destination: '10.5.0.0/16', gateway: '10.0.1.9', metric: 32, protocol: 4 },
        { destination: 'fd05::/48', gateway: 'fd01::9', metric: 32, protocol: 4 },
      ] as const
      for (const route of foreign) other.routes.add(route)
      await goes('10.5.0.0/16', '10.0.0.2')
      await goes('fd05::/48', 'fd00::2')
      const theirs = ['10.5.0.0/16 via 10.0.1.9 dev eth1 metric 32', 'fd05::/48 via fd01::9 dev eth1 metric 32']
      assert.deepEqual(routesOf(kernel, 4), theirs)
      assert.deepEqual(routesOf(kernel), [])
      assert.deepEqual(
        world.fib.refused.map(({ what }) => what),
        ['10.5.0.0/16', 'fd05::/48'],
      )
      assert.match(
        world.fib.refused[0]!.why,
        /^Cannot add route 10\.5\.0\.0\/16 via 10\.0\.0\.2 dev eth0 metric 32: somebody else/,
      )
      assert.equal(world.reported.length, 1)
      // Another path changes nothing about it.
      await goes('10.5.0.0/16', '10.0.1.2')
      await world.settled()
      assert.deepEqual(routesOf(kernel, 4), theirs)
      for (const route of foreign) other.routes.delete(route)
      await becomes(
        world,
        ['10.5.0.0/16 via 10.0.1.2 dev eth1 metric 32', 'fd05::/48 via fd00::2 dev eth0 metric 32'],
        'ours are there',
      )
      assert.deepEqual(world.fib.refused, [])
    },
  },
  {
    title: 'somebody who replaces our route by his keeps it, until he takes it away',
    async check(world) {
      const { other, goes, kernel } = world
      await goes('10.5.0.0/16', '10.0.0.2')
      const foreign = { destination: '10.5.0.0/16', gateway: '10.0.1.9', metric: 32, protocol: 4 } as const
      other.routes.replace(foreign)
      await eventually(() => world.fib.refused.length === 1, 'it is reported')
      await goes('10.5.0.0/16', '10.0.1.2')
      await world.settled()
      assert.deepEqual(routesOf(kernel, 4), ['10.5.0.0/16 via 10.0.1.9 dev eth1 metric 32'])
      assert.deepEqual(routesOf(kernel), [])
      other.routes.delete(foreign)
      await becomes(world, ['10.5.0.0/16 via 10.0.1.2 dev eth1 metric 32'], 'ours is back')
    },
  },
  {
    title: 'a route of somebody else before ours is not hit when ours changes or goes',
    async check(world) {
      const { other, goes, kernel } = world
      await goes(['10.5.0.0/16', '10.6.0.0/16'], '10.0.0.2')
      for (const destination of ['10.5.0.0/16', '10.6.0.0/16'])
        other.routes.prepend({ destination, gateway: '10.0.1.9', metric: 32, protocol: 4 })
      await allTold(world)
      await eventually(() => world.fib.isSettled, 'it has been looked at')
      await goes('10.5.0.0/16', '10.0.1.2')
      await goes('10.6.0.0/16')
      assert.deepEqual(routesOf(kernel, 4), [
        '10.5.0.0/16 via 10.0.1.9 dev eth1 metric 32',
        '10.6.0.0/16 via 10.0.1.9 dev eth1 metric 32',
      ])
      other.routes.delete({ destination: '10.5.0.0/16', metric: 32, protocol: 4 })
      await becomes(world, ['10.5.0.0/16 via 10.0.1.2 dev eth1 metric 32'], 'ours comes when his has gone')
    },
  },
  {
    title: 'routes of others with another metric, and of ours in other tables, are nothing to us',
    async check(world) {
      const { other, goes, kernel, fib } = world
      other.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.1.9', protocol: 4 })
      other.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.1.9', metric: 32, table: 100, protocol: 0xb6 })
      await goes('10.5.0.0/16', '10.0.0.2')
      await goes('10.5.0.0/16', '10.0.0.3')
      fib.sweep()
      await goes('10.5.0.0/16')
      await world.settled()
      assert.deepEqual(routesOf(kernel, 4), ['10.5.0.0/16 via 10.0.1.9 dev eth1 metric 0'])
      assert.deepEqual(routesOf(kernel), ['10.5.0.0/16 via 10.0.1.9 dev eth1 table 100 metric 32'])
    },
  },
  {
    title: 'what somebody deletes or changes comes back',
    async check(world) {
      const { other, goes } = world
      await goes(['10.5.0.0/16', '10.6.0.0/16'], '10.0.0.2')
      await goes('fd05::/48', 'fd00::2', 'fd01::2')
      const routes = routesOf(world.kernel)
      other.routes.delete({ destination: '10.5.0.0/16', metric: 32 })
      other.routes.replace({ destination: '10.6.0.0/16', gateway: '10.0.1.9', metric: 32, protocol: 0xb6 })
      other.routes.delete({ destination: 'fd05::/48', gateway: 'fd00::2', metric: 32 })
      await becomes(world, routes, 'all are back')
    },
  },
  {
    title: 'a short flap of a link brings all routes back, also with a default route by another link',
    async check(world) {
      const { kernel, goes } = world
      world.other.routes.add({ destination: '0.0.0.0/0', gateway: '10.0.1.9', protocol: 4 })
      await goes(['10.5.0.0/16', '10.6.0.0/16'], '10.0.0.2')
      await goes('10.7.0.0/16', '10.0.0.2', '10.0.1.2')
      await goes('fd05::/48', { hop: 'fd00::2', linkLocal: 'fe80::2' })
      const routes = routesOf(kernel).filter((route) => !route.includes(':'))
      kernel.links.set('eth0', { up: false })
      kernel.links.set('eth0', { up: true })
      const there = () => routesOf(kernel).filter((route) => !route.includes(':'))
      await eventually(() => there().join() === routes.join(), 'IPv4 is back')
      // Its address is gone: the connected route is not there to lead to the next hop.
      kernel.addresses.add({ link: 'eth0', prefix: 'fd00::1/64', noDad: true })
      await eventually(() => routesOf(kernel).includes('fd05::/48 via fe80::2 dev eth0 metric 32'), 'IPv6 is back')
    },
  },
  {
    title: 'routes wait for a link that is down, and go by no default route meanwhile',
    async check(world) {
      const { kernel, goes, node } = world
      world.other.routes.add({ destination: '0.0.0.0/0', gateway: '10.0.1.9', protocol: 4 })
      await goes('10.5.0.0/16', '10.0.0.2')
      await goes('10.6.0.0/16', '10.0.0.2', '10.0.1.2')
      kernel.links.set('eth0', { up: false })
      await eventually(() => node.resolve('10.0.0.2', undefined) === undefined, 'there is no way')
      await becomes(world, ['10.6.0.0/16 via 10.0.1.2 dev eth1 metric 32'], 'one way is left')
      assert.deepEqual(world.fib.refused, [{ what: '10.5.0.0/16', why: 'eth0 is down' }])
      kernel.links.set('eth0', { up: true })
      await becomes(
        world,
        [
          '10.5.0.0/16 via 10.0.0.2 dev eth0 metric 32',
          '10.6.0.0/16 via 10.0.0.2 dev eth0 via 10.0.1.2 dev eth1 metric 32',
        ],
        'all are back',
      )
    },
  },
  {
    title: 'a next hop without a way leaves the route as it is until the speaker says otherwise',
    async check(world) {
      const { kernel, goes, node } = world
      world.other.routes.add({ destination: '10.77.0.0/16', gateway: '10.0.1.9', protocol: 4 })
      await eventually(() => node.resolve('10.77.0.2', undefined) !== undefined, 'it is known')
      await goes('10.5.0.0/16', '10.77.0.2')
      await forgetTold(world)
      world.other.routes.delete({ destination: '10.77.0.0/16' })
      await eventually(() => world.fib.refused.length === 1, 'it waits')
      assert.deepEqual(world.fib.refused, [{ what: '10.5.0.0/16', why: 'no route leads to 10.77.0.2' }])
      assert.deepEqual(routesOf(kernel), ['10.5.0.0/16 via 10.0.1.9 dev eth1 metric 32'])
      await goes('10.5.0.0/16', '10.0.0.2')
      assert.deepEqual(routesOf(kernel), ['10.5.0.0/16 via 10.0.0.2 dev eth0 metric 32'])
    },
  },
  {
    title: 'a route follows its next hop to another link, by one replacement',
    async check(world) {
      const { kernel, other, goes, node } = world
      other.routes.add({ destination: '10.77.0.0/16', gateway: '10.0.0.9', protocol: 4 })
      await eventually(() => node.resolve('10.77.0.2', undefined) !== undefined, 'it is known')
      await goes('10.5.0.0/16', '10.77.0.2')
      assert.deepEqual(routesOf(kernel), ['10.5.0.0/16 via 10.0.0.9 dev eth0 metric 32'])
      await forgetTold(world)
      other.routes.replace({ destination: '10.77.0.0/16', gateway: '10.0.1.9', protocol: 4 })
      await becomes(world, ['10.5.0.0/16 via 10.0.1.9 dev eth1 metric 32'], 'it follows')
      await allTold(world)
      assert.ok(!world.told.some((one) => one.startsWith('delete')), world.told.join())
    },
  },
  {
    title: 'routes that vanish with the last address of their link come back with it',
    async check(world) {
      const { kernel, goes } = world
      await goes('10.5.0.0/16', '10.0.0.2')
      kernel.addresses.delete({ link: 'eth0', prefix: '10.0.0.1/24' })
      kernel.addresses.add({ link: 'eth0', prefix: '10.0.0.1/24' })
      await becomes(world, ['10.5.0.0/16 via 10.0.0.2 dev eth0 metric 32'], 'it is back')
    },
  },
  {
    title: 'a gateway that a route of ours leads to is on its link all the same',
    async check(world) {
      const { kernel, goes, fib } = world
      await goes(['10.0.0.2/32', '10.5.0.0/16'], '10.0.0.2')
      await goes('fd00::2/128', 'fd00::2')
      await goes('fd05::/48', 'fd00::2')
      await goes('fd06::/48', 'fd00::2', 'fd01::2')
      assert.deepEqual(fib.refused, [])
      assert.equal(routesOf(kernel).length, 5)
      assert.ok(routesOf(kernel).some((route) => route.startsWith('fd05::/48 via fd00::2 dev eth0')))
      await goes('fd05::/48', 'fd01::2')
      assert.ok(routesOf(kernel).includes('fd05::/48 via fd01::2 dev eth1 metric 32'))
    },
  },
  {
    title:
      'after a restart what is right is not written again, what is wrong is replaced, the rest stays until the sweep',
    async check(world) {
      const { goes, kernel, other } = world
      await goes(['10.5.0.0/16', '10.6.0.0/16', '10.7.0.0/16'], '10.0.0.2')
      await goes('fd05::/48', 'fd00::2', 'fd01::2')
      const before = routesOf(kernel)
      world.restart()
      await forgetTold(world)
      await world.goes('10.5.0.0/16', '10.0.0.2')
      await world.goes('fd05::/48', 'fd01::2', 'fd00::2')
      await world.settled()
      await allTold(world)
      assert.deepEqual(world.told, [])
      assert.deepEqual(routesOf(kernel), before)
      await world.goes('10.6.0.0/16', '10.0.1.2')
      await allTold(world)
      assert.deepEqual(operations(world.told), ['new'])
      // One that goes meanwhile is nobody's to put back.
      other.routes.delete({ destination: '10.7.0.0/16', metric: 32 })
      await allTold(world)
      other.routes.add({ destination: '10.8.0.0/16', gateway: '10.0.0.2', metric: 32, protocol: 0xb6 })
      await allTold(world)
      await world.settled()
      world.fib.sweep()
      await becomes(
        world,
        [
          '10.5.0.0/16 via 10.0.0.2 dev eth0 metric 32',
          '10.6.0.0/16 via 10.0.1.2 dev eth1 metric 32',
          'fd05::/48 via fd00::2 dev eth0 via fd01::2 dev eth1 metric 32',
        ],
        'the rest goes',
      )
    },
  },
  {
    title: 'routes that were there with another metric are written with the right one before they go',
    async check(world) {
      const { goes, kernel } = world
      await goes('10.5.0.0/16', { hop: '10.0.0.2', priority: 99 })
      world.restart()
      await world.settled()
      await world.goes('10.5.0.0/16', '10.0.0.2')
      assert.deepEqual(routesOf(kernel), ['10.5.0.0/16 via 10.0.0.2 dev eth0 metric 32'])
    },
  },
  {
    title: 'another metric, protocol or table is applied to what is there',
    async check(world) {
      const { goes, kernel } = world
      await world.configure(settings, ['10.244.1.0/26'])
      await goes('10.5.0.0/16', '10.0.0.2')
      await world.configure({ ...settings, metric: 50 }, ['10.244.1.0/26'])
      assert.deepEqual(routesOf(kernel), [
        '10.5.0.0/16 via 10.0.0.2 dev eth0 metric 50',
        'blackhole 10.244.1.0/26 metric 50',
      ])
      await world.configure({ ...settings, protocol: 99, table: 100 }, ['10.244.1.0/26'])
      await becomes(
        world,
        ['10.5.0.0/16 via 10.0.0.2 dev eth0 table 100 metric 32', 'blackhole 10.244.1.0/26 table 100 metric 32'],
        'all have moved',
        99,
      )
      assert.deepEqual(routesOf(kernel), [])
    },
  },
  {
    title: 'the end leaves all, or takes all of ours away and nothing else',
    async check(world) {
      const { kernel, goes, other } = world
      other.routes.add({ destination: '10.9.0.0/16', gateway: '10.0.0.9', metric: 32, protocol: 4 })
      await goes(['10.5.0.0/16', '10.6.0.0/16'], '10.0.0.2')
      world.restart()
      assert.equal(routesOf(kernel).length, 2)
      world.fib.close('remove')
      assert.deepEqual(routesOf(kernel), [])
      assert.equal(routesOf(kernel, 4).length, 1)
    },
  },
  {
    title: 'routes by a link that comes later are written when it is there',
    async check(world) {
      const { kernel, goes, node } = world
      await goes('10.5.0.0/16', '10.0.9.2')
      assert.deepEqual(world.fib.refused, [{ what: '10.5.0.0/16', why: 'no route leads to 10.0.9.2' }])
      addLink(kernel, 'eth9', '10.0.9.1/24')
      await eventually(() => node.resolve('10.0.9.2', undefined) === 0, 'there is a way')
      await becomes(world, ['10.5.0.0/16 via 10.0.9.2 dev eth9 metric 32'], 'it is there')
      kernel.links.delete('eth9')
      await becomes(world, [], 'it goes with its link')
      await eventually(() => world.fib.refused.length === 1, 'it waits')
    },
  },
]
