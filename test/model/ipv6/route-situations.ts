/** Calls that change the router's addresses and routes, and what is listed then. Linux's answers stand in recorded.json. */
import type { Route } from '../../../src/kernel/route.ts'
import type { Router } from './router.ts'
import type { Situation } from './situations.ts'

type Operation = 'add' | 'append' | 'prepend' | 'replace' | 'delete'

function change(r: Router, operation: Operation, route: Route): void {
  r.attempt(`${operation} ${JSON.stringify(route)}`, () => r.router.routes[operation](route))
}

const to = 'fd50::/16'

export const routeSituations: readonly Situation[] = [
  { title: 'a router with addresses has these routes', act: (r) => r.list() },
  {
    title: 'addresses are listed by how far they reach, the newest first, and bring their routes',
    async act(r) {
      const add = (prefix: string, more = {}) =>
        r.attempt(prefix, () => r.router.addresses.add({ link: 'r0', prefix, noDad: true, ...more }))
      add('fd09::1/64')
      add('fd08::1/128')
      add('fd07::1/127', { peer: 'fd07::7' })
      add('fd06::1/64', { noPrefixRoute: true })
      add('fd09::2/64')
      add('fd09::2/64')
      add('fec0::1/10')
      add('ff02::5/64')
      add('::/0')
      await r.pass(20)
      r.addresses('r0')
      r.list()
      for (const prefix of ['fd09::1/64', 'fd07::1/127', 'fd08::1/128', 'fd09::2/128', 'fd09::2/64'])
        r.attempt(`delete ${prefix}`, () => r.router.addresses.delete({ link: 'r0', prefix }))
      r.list()
    },
  },
  {
    title: 'a link that goes down takes addresses and routes with it; one that comes up begins anew',
    async act(r) {
      r.router.routes.add({ destination: to, gateway: 'fd02::2' })
      const hops = [{ gateway: 'fd01::2' }, { gateway: 'fd02::3' }]
      r.router.routes.add({ destination: 'fd51::/16', nextHops: hops.map((hop) => ({ ...hop, weight: 1 })) })
      r.router.links.set('r1', { up: false })
      r.addresses('r1')
      r.list()
      r.router.addresses.add({ link: 'r1', prefix: 'fd03::1/64', noDad: true })
      await r.pass(20)
      r.addresses('r1')
      r.list()
      r.router.links.set('r1', { up: true })
      await r.pass(100)
      r.list()
    },
  },
  {
    title: 'forwarding off takes the anycast addresses of subnets',
    act(r) {
      r.set('conf/all/forwarding', 0)
      r.list()
    },
  },
  {
    title: 'added, appended, prepended and replaced routes of one prefix',
    act(r) {
      change(r, 'add', { destination: to, gateway: 'fd02::2' })
      change(r, 'add', { destination: to, gateway: 'fd02::3' })
      change(r, 'add', { destination: to, gateway: 'fd02::3', metric: 5 })
      change(r, 'append', { destination: to, gateway: 'fd02::4' })
      change(r, 'append', { destination: to, gateway: 'fd02::4' })
      change(r, 'prepend', { destination: to, gateway: 'fd02::5' })
      change(r, 'append', { destination: to, link: 'r1' })
      r.list()
      change(r, 'replace', { destination: to, gateway: 'fd02::6' })
      r.list()
      change(r, 'replace', { destination: to, link: 'r0' })
      r.list()
      change(r, 'delete', { destination: to, metric: 77 })
      change(r, 'delete', { destination: to, gateway: 'fd02::6' })
      change(r, 'delete', { destination: to })
      change(r, 'delete', { destination: to })
      change(r, 'delete', { destination: to })
      r.list()
    },
  },
  {
    title: 'routes by several next hops: one is taken out, all are replaced, all are deleted',
    act(r) {
      const nextHops = [2, 3, 4].map((host) => ({ gateway: `fd02::${host}`, link: 'r1', weight: host }))
      change(r, 'add', { destination: to, nextHops })
      change(r, 'add', { destination: to, nextHops })
      change(r, 'append', { destination: to, nextHops: [nextHops[0]!, { gateway: 'fd01::2' }] })
      change(r, 'add', { destination: 'fd51::/16', nextHops: [nextHops[0]!, nextHops[0]!] })
      r.list()
      change(r, 'delete', { destination: to, gateway: 'fd02::3' })
      r.list()
      change(r, 'replace', { destination: to, nextHops: nextHops.slice(1) })
      r.list()
      change(r, 'replace', { destination: to, type: 'blackhole' })
      r.list()
      change(r, 'delete', { destination: to, nextHops })
      change(r, 'delete', { destination: to })
      r.list()
    },
  },
  {
    title: 'what a next hop must be',
    act(r) {
      for (const gateway of ['fd01::1', 'ff02::1', 'fd99::1', '::1', 'fe80::9', 'fd02::2', 'fd50::1', '::']) {
        change(r, 'add', { destination: to, gateway })
        change(r, 'add', { destination: 'fd51::/16', gateway, link: 'r1' })
        change(r, 'add', { destination: 'fd52::/16', gateway, link: 'r1', onlink: true })
        change(r, 'add', { destination: 'fd53::/16', gateway, onlink: true })
        for (const other of [to, 'fd51::/16', 'fd52::/16', 'fd53::/16']) change(r, 'delete', { destination: other })
      }
      change(r, 'add', { destination: to })
      change(r, 'add', { destination: to, link: 'r1', source: 'fd99::1' })
      change(r, 'add', { destination: to, link: 'r1', source: 'fd01::1' })
      change(r, 'add', { destination: 'fd54::/16', link: 'r1', table: 100 })
      change(r, 'add', { destination: 'fd55::/16', gateway: 'fd54::1', table: 100 })
      change(r, 'add', { destination: 'fd56::/16', type: 'local', link: 'r1', table: 255 })
      change(r, 'add', { destination: 'fd57::/16', type: 'unreachable', metrics: { mtu: 1400 } })
      change(r, 'add', { destination: 'fd58::/16', link: 'r1', preference: 'high', protocol: 186 })
      change(r, 'delete', { destination: 'fd59::/16', table: 77 })
      r.router.links.set('r1', { up: false })
      change(r, 'add', { destination: 'fd5a::/16', link: 'r1' })
      r.list()
    },
  },
  {
    title: 'what a packet would take',
    act(r) {
      const { router } = r
      router.routes.add({ destination: to, gateway: 'fd02::2', metrics: { mtu: 1400 } })
      router.routes.add({ destination: 'fd51::/16', type: 'prohibit' })
      router.routes.add({ destination: 'fd52::/16', gateway: 'fd02::2', source: 'fd01::1' })
      router.routes.add({ destination: 'fd53::/16', link: 'r0' })
      router.routes.add({ destination: 'fd53::/16', link: 'r1', metric: 2000 })
      for (const each of ['fd01::1', 'fd01::9', 'fd01::', '::1', 'fd50::1', 'fd51::1', 'fd52::1', 'fd53::1', 'fd99::1'])
        r.get(each)
      for (const each of ['fe80::9', 'ff02::1', 'ff05::1', 'fd53::1', 'fd50::1']) r.get(each, { outputLink: 'r1' })
      r.get('fd50::1', { source: 'fd01::1' })
      r.get('fd50::1', { source: 'fd01::7', inputLink: 'r0' })
      r.get('fd01::1', { source: 'fd01::7', inputLink: 'r0' })
      r.get('fd99::1', { source: 'fd01::7', inputLink: 'r0' })
    },
  },
]
