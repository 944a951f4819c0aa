/** Changes of a router's addresses and routes, and what is there then. Linux's answers stand in recorded.json. */
import type { Route } from '../../../src/kernel/route.ts'
import type { Router } from './router.ts'
import type { Situation } from './situations.ts'

const twoWays: Route = {
  destination: '10.92.0.0/16',
  nextHops: [
    { gateway: '10.1.0.2', link: 'r0' },
    { gateway: '10.2.0.2', link: 'r1', weight: 3 },
  ],
}

const give = (r: Router, link: string, ...prefixes: readonly string[]) => {
  for (const prefix of prefixes) r.attempt(prefix, () => r.router.addresses.add({ link, prefix }))
}
const take = (r: Router, link: string, prefix: string) => r.router.addresses.delete({ link, prefix })

const ADDRESSES: readonly Situation[] = [
  {
    title: 'an address brings the routes to itself, its subnet and its broadcast address',
    act(r) {
      give(
        r,
        'r0',
        '10.3.0.1/24',
        '10.3.0.2/24',
        '10.3.1.1/16',
        '10.3.0.1/32',
        '10.4.0.1/31',
        '10.5.0.1/30',
        '0.1.2.3/8',
      )
      r.addresses('r0')
      r.list()
    },
  },
  {
    title: 'addresses of one subnet have one scope, and the wider scopes come first',
    act(r) {
      r.router.addresses.add({ link: 'r0', prefix: '10.3.0.1/24', scope: 'link' })
      r.router.addresses.add({ link: 'r0', prefix: '10.3.5.1/24', scope: 'host' })
      give(r, 'r0', '10.3.6.1/24', '10.3.0.9/24')
      r.addresses('r0')
      for (const destination of ['10.3.0.7', '10.3.5.7', '10.3.6.7']) r.get(destination)
    },
  },
  {
    title: 'secondaries go with their primary',
    act(r) {
      give(r, 'r0', '10.3.0.1/24', '10.3.0.2/24', '10.3.0.3/24', '10.3.1.1/24')
      take(r, 'r0', '10.3.0.1/24')
      r.addresses('r0')
      r.list()
    },
  },
  {
    title: 'or one of them is promoted, and speaks for the others',
    act(r) {
      r.set('conf/r0/promote_secondaries', 1)
      give(r, 'r0', '10.3.0.1/24', '10.3.1.1/24', '10.3.0.2/24', '10.3.0.3/24', '10.3.1.2/24')
      for (const prefix of ['10.3.0.1/24', '10.3.0.3/24', '10.3.1.1/24']) {
        take(r, 'r0', prefix)
        r.addresses('r0')
        r.list()
      }
    },
  },
  {
    title: 'one address may be there with two lengths and on two links: what is shared stays until the last goes',
    act(r) {
      give(r, 'r0', '10.3.0.1/24', '10.3.0.1/16')
      give(r, 'r1', '10.3.0.1/24')
      r.list()
      take(r, 'r0', '10.3.0.1/24')
      r.list()
    },
  },
  {
    title: 'routes of table main that speak from an address go with it, those of other tables stay',
    act(r) {
      give(r, 'r0', '10.3.0.1/24')
      const route = { gateway: '10.2.0.2', source: '10.3.0.1' }
      r.router.routes.add({ destination: '10.90.0.0/16', ...route })
      r.router.routes.add({ destination: '10.91.0.0/16', ...route, table: 77 })
      take(r, 'r0', '10.3.0.1/24')
      r.list()
    },
  },
  {
    title: 'with the last address all routes by the device go, of several next hops this one is dead',
    act(r) {
      r.router.routes.add({ destination: '10.90.0.0/16', link: 'r0' })
      r.router.routes.add({ destination: '10.91.0.0/16', link: 'r0', table: 77 })
      r.router.routes.add(twoWays)
      take(r, 'r0', '10.1.0.1/24')
      r.list()
    },
  },
]

const DEVICES: readonly Situation[] = [
  {
    title:
      'a device that goes down takes its routes along but for the local ones; up again it has those of its addresses',
    act(r) {
      r.router.routes.add({ destination: '10.90.0.0/16', link: 'r0' })
      r.router.routes.add(twoWays)
      r.router.links.set('r0', { up: false })
      r.list()
      for (const destination of ['10.1.0.1', '10.1.0.5', '10.90.0.1']) r.get(destination)
      r.router.links.set('r0', { up: true })
      r.list()
    },
  },
  {
    title: 'a device that goes away takes all of them, routes of several next hops too',
    act(r) {
      r.router.routes.add(twoWays)
      r.router.links.delete('r0')
      r.list()
    },
  },
]

const CHANGES: readonly Situation[] = [
  {
    title: 'routes that cannot be are refused, each with its errno',
    act(r) {
      const add = (route: Partial<Route>) =>
        r.attempt(JSON.stringify(route), () => r.router.routes.add({ destination: '10.93.0.0/16', ...route }))
      for (const gateway of ['10.77.0.1', '10.1.0.1', '10.1.0.255', '127.0.0.1']) add({ gateway })
      add({ gateway: '10.1.0.2', link: 'r1' })
      for (const gateway of ['10.2.0.1', '224.0.0.1', '10.2.0.255']) add({ gateway, link: 'r1', onlink: true })
      add({ gateway: '10.2.0.2', scope: 'link' })
      add({ gateway: '10.2.0.2', scope: 'host' })
      add({ link: 'r0', onlink: true })
      add({ type: 'blackhole', link: 'r0' })
      add({ gateway: '10.2.0.2', source: '10.55.0.1' })
      add({ link: 'r0', scope: 'nowhere' })
      add({ type: 'local', link: 'r0', scope: 'global' })
      add({ type: 'broadcast', link: 'r0', scope: 'global' })
      add({ type: 'nat', link: 'r0' })
      add({})
      add({ nextHops: [{ gateway: '10.1.0.2' }, { gateway: '10.77.0.2' }] })
      r.list()
    },
  },
  {
    title: 'of one prefix the greater tos comes first, then the lower metric, then as it was inserted',
    act(r) {
      const destination = '10.90.0.0/16'
      const by = (host: number) => ({ destination, gateway: `10.1.0.${host}` })
      const { routes } = r.router
      routes.add({ ...by(2), metric: 5 })
      routes.add(by(3))
      routes.add({ ...by(4), tos: 4 })
      routes.append(by(5))
      routes.prepend(by(6))
      routes.append({ ...by(7), metric: 5 })
      r.attempt('append what is there', () => routes.append(by(5)))
      r.attempt('replace by what is there later', () => routes.replace(by(5)))
      r.attempt('replace by what is there first', () => routes.replace(by(6)))
      r.list()
      routes.replace(by(8))
      routes.delete({ destination })
      r.list()
      r.attempt('delete by tos', () => routes.delete({ destination, tos: 4 }))
      r.attempt('delete by gateway', () => routes.delete(by(7)))
      r.attempt('delete by scope', () => routes.delete({ destination, scope: 'link' }))
      r.list()
    },
  },
  {
    title: 'a route of several next hops is deleted by its first, or by all of them in order, whatever their weights',
    act(r) {
      const { routes } = r.router
      const [first, second] = twoWays.nextHops!
      const remove = (what: Partial<Route>) =>
        r.attempt(JSON.stringify(what), () => routes.delete({ destination: twoWays.destination, ...what }))
      routes.add(twoWays)
      remove({ gateway: '10.2.0.2' })
      remove({ nextHops: [second!, first!] })
      remove({ nextHops: [first!, { ...second!, weight: 2 }] })
      routes.add(twoWays)
      remove({ gateway: '10.1.0.2' })
      r.list()
    },
  },
]

const LOOKUPS: readonly Situation[] = [
  {
    title: 'what leaves is given an address: of the route, of the subnet of the gateway, of the device, of any',
    act(r) {
      give(r, 'r1', '10.2.5.1/24', '10.2.0.7/24')
      give(r, 'lo', '10.200.0.1/32')
      r.router.links.add({ kind: 'bridge', name: 'br9', up: true })
      r.router.routes.add({ destination: '10.90.0.0/16', gateway: '10.2.5.9' })
      for (const [i, link] of ['r1', 'lo', 'br9'].entries())
        r.router.routes.add({ destination: `10.9${i + 1}.0.0/16`, link })
      for (const network of [90, 91, 92, 93]) r.get(`10.${network}.0.1`)
      for (const destination of ['10.2.5.8', '10.2.0.8']) r.get(destination)
    },
  },
  {
    title: 'local and main are one table until there is a rule, and two from then on',
    act(r) {
      r.router.routes.add({ destination: '10.13.0.0/16', type: 'local', link: 'lo', table: 255 })
      r.router.routes.add({ destination: '10.13.5.0/24', gateway: '10.2.0.2' })
      r.get('10.13.5.5')
      r.router.rules.add({ family: 'ipv4', priority: 100, table: 1000 })
      r.get('10.13.5.5')
      r.router.rules.delete({ family: 'ipv4', priority: 100, table: 1000 })
      r.get('10.13.5.5')
    },
  },
  {
    title: 'rules are asked in their order, for what they are about',
    act(r) {
      const { routes, rules } = r.router
      for (const host of [2, 3, 4])
        routes.add({ destination: '0.0.0.0/0', gateway: `10.2.0.${host}`, table: 98 + host })
      routes.add({ destination: '10.70.0.0/16', gateway: '10.1.0.2', table: 103 })
      routes.add({ destination: '10.71.0.0/16', type: 'throw', table: 100 })
      const family = 'ipv4'
      rules.add({ family, priority: 10, mark: 1, mask: 0xff, table: 100 })
      rules.add({ family, priority: 11, source: '10.1.0.1/32', table: 101 })
      rules.add({ family, priority: 12, inputLink: 'lo', mark: 5, mask: 0xff, table: 102 })
      rules.add({ family, priority: 13, mark: 6, mask: 0xffff_ffff, action: 'prohibit' })
      rules.add({ family, priority: 14, mark: 7, mask: 0xff, action: 'unreachable' })
      rules.add({ family, priority: 15, mark: 8, mask: 0xff, action: 'blackhole' })
      rules.add({ family, priority: 16, mark: 9, mask: 0xff, action: 'goto', goto: 18 })
      rules.add({ family, priority: 17, mark: 9, mask: 0xff, table: 103 })
      rules.add({ family, priority: 18, mark: 9, mask: 0xff, table: 102 })
      rules.add({ family, priority: 19, table: 254, suppressPrefixLength: 0 })
      rules.add({ family, priority: 20, invert: true, destination: '10.80.0.0/16', table: 101 })
      rules.add({ family, priority: 21, table: 103, inputLink: 'r0' })
      for (const destination of ['8.8.8.8', '10.70.0.1', '10.71.0.1', '10.80.0.1', '10.2.0.77']) {
        for (const mark of [0, 1, 0x101, 5, 6, 0x106, 7, 8, 9]) r.get(destination, { mark })
        for (const mark of [0, 1]) {
          r.get(destination, { mark, source: '10.1.0.1' })
          r.get(destination, { mark, source: '10.1.0.7', inputLink: 'r0' })
        }
      }
    },
  },
  {
    title: 'of two next hops a packet of our own takes the one that speaks from its source, else by its hash',
    act(r) {
      r.set('fib_multipath_hash_seed', 777)
      r.router.routes.add(twoWays)
      for (let host = 1; host < 20; host++) {
        r.get(`10.92.0.${host}`)
        for (const source of ['10.1.0.1', '10.2.0.1']) r.get(`10.92.0.${host}`, { source })
      }
    },
  },
]

export const routeSituations = [...ADDRESSES, ...DEVICES, ...CHANGES, ...LOOKUPS]
