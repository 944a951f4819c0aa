/** iproute2 is the witness: `ip -j` and `bridge -j` show what we made, and we list what they show. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { afterEach, test } from 'vitest'
import type { LinkChange, NewLink } from '../../src/kernel/link.ts'
import type { Route, Rule } from '../../src/kernel/route.ts'
import { linux } from '../../src/linux/linux.ts'

type Json = Record<string, unknown>
const json = (program: string, ...argv: string[]): Json[] =>
  JSON.parse(execFileSync(program, ['-j', '-d', ...argv], { encoding: 'utf8' }) || '[]')
const ip = (...argv: string[]) => json('ip', ...argv)
const bridge = (...argv: string[]) => json('bridge', ...argv)
const showLink = (name: string) => ip('link', 'show', 'dev', name)[0]!

/** The part of `shown` that `expected` speaks of, at every depth. */
function shows(shown: unknown, expected: unknown): void {
  assert.deepEqual(part(shown, expected), expected)
}

function part(shown: unknown, expected: unknown): unknown {
  if (Array.isArray(expected) && Array.isArray(shown)) return shown.map((each, i) => part(each, expected[i]))
  if (typeof expected !== 'object' || expected === null || typeof shown !== 'object' || shown === null) return shown
  const keys = Object.keys(expected).filter((key) => key in shown)
  return Object.fromEntries(keys.map((key) => [key, part((shown as Json)[key], (expected as Json)[key])]))
}

const container = linux.enter(linux.namespaces.add('container'))!
const inContainer = (...argv: string[]) => ip('-n', 'container', ...argv)

afterEach(() => {
  for (const { kind, name } of linux.links.list()) if (kind !== 'loopback') ignoringGone(() => linux.links.delete(name))
  for (const rule of linux.rules.list()) if (rule.priority! > 0 && rule.priority! < 32766) linux.rules.delete(rule)
  for (const route of linux.routes.list().filter(({ table }) => table !== 255)) linux.routes.delete(route)
})

function ignoringGone(call: () => void): void {
  try {
    call()
  } catch {} // the other end of a pair took it along
}

/** `l0` with addresses, up, and with it `under`. */
function addLinks(): void {
  linux.links.add({ kind: 'veth', name: 'l0', up: true, peer: { name: 'under' } })
  linux.links.set('under', { up: true })
  linux.addresses.add({ link: 'l0', prefix: '10.0.0.1/24' })
  linux.addresses.add({ link: 'l0', prefix: 'fd00::1/64', noDad: true })
}

// A link as we make it, and what ip says of it.
const links: readonly { readonly link: NewLink; readonly shown: Json }[] = [
  {
    link: { kind: 'bridge', name: 'x0', up: true, bridge: { ageingTime: 10, forwardDelay: 2, stp: true } },
    shown: { linkinfo: { info_kind: 'bridge', info_data: { ageing_time: 1000, forward_delay: 200, stp_state: 1 } } },
  },
  {
    link: { kind: 'veth', name: 'x0', mtu: 1400, mac: '02:00:00:00:00:01', peer: { name: 'x1' } },
    shown: { link: 'x1', mtu: 1400, address: '02:00:00:00:00:01', linkinfo: { info_kind: 'veth' } },
  },
  {
    link: {
      kind: 'vxlan',
      name: 'x0',
      vxlan: {
        vni: 7,
        local: '10.0.0.1',
        device: 'under',
        ttl: 9,
        learning: false,
        ageing: 60,
        port: 4789,
        udpChecksum: false,
        gbp: true,
      },
    },
    shown: {
      linkinfo: {
        info_kind: 'vxlan',
        info_data: {
          id: 7,
          local: '10.0.0.1',
          link: 'under',
          port: 4789,
          learning: false,
          ttl: 9,
          ageing: 60,
          udp_csum: false,
          gbp: true,
        },
      },
    },
  },
  {
    link: {
      kind: 'vxlan',
      name: 'x0',
      vxlan: { vni: 8, remote: 'fd00::2', local: 'fd00::1', device: 'under', port: 4789 },
    },
    shown: { linkinfo: { info_data: { id: 8, remote6: 'fd00::2', local6: 'fd00::1', learning: true } } },
  },
  {
    link: { kind: 'macvlan', name: 'x0', parent: 'under', macvlan: { mode: 'private' } },
    shown: { link: 'under', linkinfo: { info_kind: 'macvlan', info_data: { mode: 'private' } } },
  },
  { link: { kind: 'ifb', name: 'x0', txQueueLength: 77 }, shown: { txqlen: 77, linkinfo: { info_kind: 'ifb' } } },
  {
    link: { kind: 'tun', name: 'x0', mtu: 1300, up: true, tun: { mode: 'tap', owner: 5, group: 6, multiQueue: true } },
    shown: {
      mtu: 1300,
      linkinfo: {
        info_kind: 'tun',
        info_data: { type: 'tap', pi: false, multi_queue: true, persist: true, user: 'games', group: 'disk' },
      },
    },
  },
  {
    link: { kind: 'tun', name: 'x0', tun: { mode: 'tun' } },
    shown: { link_type: 'none', linkinfo: { info_kind: 'tun', info_data: { type: 'tun', persist: true } } },
  },
]

for (const { link, shown } of links) {
  test(`ip shows the link that we added: ${JSON.stringify(link)}`, () => {
    addLinks()
    linux.links.add(link)
    shows(showLink('x0'), { ifname: 'x0', ...shown })
    assert.equal((showLink('x0').flags as string[]).includes('UP'), link.up === true)
  })
}

test("ip shows a veth's peer in the other namespace", () => {
  linux.links.add({
    kind: 'veth',
    name: 'x0',
    peer: { name: 'eth0', namespace: container, mac: '02:00:00:00:00:02', mtu: 1400 },
  })
  shows(inContainer('link', 'show', 'dev', 'eth0')[0], { address: '02:00:00:00:00:02', mtu: 1400, link_netnsid: 0 })
})

// A change to the link `x0`, whose peer is `x1`, and what ip says then.
const changes: readonly { readonly change: LinkChange; readonly shown: Json }[] = [
  { change: { mac: '02:00:00:00:00:03' }, shown: { address: '02:00:00:00:00:03' } },
  { change: { mtu: 1400 }, shown: { mtu: 1400 } },
  { change: { txQueueLength: 5 }, shown: { txqlen: 5 } },
  { change: { alias: 'a link' }, shown: { ifalias: 'a link' } },
  { change: { group: 9 }, shown: { group: '9' } },
  { change: { promiscuous: true }, shown: { flags: ['BROADCAST', 'MULTICAST', 'PROMISC', 'M-DOWN'] } },
  { change: { allMulticast: true }, shown: { flags: ['BROADCAST', 'MULTICAST', 'ALLMULTI', 'M-DOWN'] } },
  { change: { master: 'br0' }, shown: { master: 'br0' } },
  {
    change: {
      master: 'br0',
      port: { hairpin: true, isolated: true, learning: false, flood: false, neighbourSuppression: true },
    },
    shown: {
      linkinfo: {
        info_slave_kind: 'bridge',
        info_slave_data: { hairpin: true, isolated: true, learning: false, flood: false, neigh_suppress: true },
      },
    },
  },
]

for (const { change, shown } of changes) {
  test(`ip shows the link that we changed: ${JSON.stringify(change)}`, () => {
    linux.links.add({ kind: 'bridge', name: 'br0' })
    linux.links.add({ kind: 'veth', name: 'x0', peer: { name: 'x1' } })
    linux.links.set('x0', change)
    shows(showLink('x0'), shown)
  })
}

test('bridge shows the port that we changed', () => {
  linux.links.add({ kind: 'bridge', name: 'br0' })
  linux.links.add({ kind: 'veth', name: 'x0', master: 'br0', peer: { name: 'x1' } })
  linux.links.set('x0', { port: { hairpin: true, isolated: true } })
  shows(bridge('link', 'show', 'dev', 'x0')[0], { master: 'br0', hairpin: true, isolated: true, learning: true })
})

test('ip shows that a link was renamed, moved and deleted', () => {
  linux.links.add({ kind: 'veth', name: 'x0', peer: { name: 'x1' } })
  linux.links.set('x1', { namespace: container, name: 'moved' })
  shows(inContainer('link', 'show', 'dev', 'moved')[0], { ifname: 'moved' })
  linux.links.set('x0', { name: 'renamed' })
  shows(showLink('renamed'), { ifname: 'renamed' })
  linux.links.delete('renamed')
  assert.deepEqual(
    ip('link').map(({ ifname }) => ifname),
    ['lo'],
  )
})

test('ip shows the addresses that we added', () => {
  addLinks()
  linux.addresses.add({ link: 'l0', prefix: '10.1.0.1/24', label: 'l0:web', scope: 'link' })
  linux.addresses.add({ link: 'l0', prefix: '10.2.0.1/32', peer: '10.9.9.9' })
  linux.addresses.add({ link: 'l0', prefix: '10.3.0.1/24', noPrefixRoute: true })
  linux.addresses.add({ link: 'l0', prefix: 'fd01::1/64', noDad: true, noPrefixRoute: true })
  const shown = ip('address', 'show', 'dev', 'l0')[0]!.addr_info as Json[]
  const of = (address: string) => shown.find(({ local }) => local === address)
  shows(of('10.0.0.1'), { prefixlen: 24, broadcast: '10.0.0.255', scope: 'global', label: 'l0' })
  shows(of('10.1.0.1'), { prefixlen: 24, scope: 'link', label: 'l0:web' })
  shows(of('10.2.0.1'), { address: '10.9.9.9', prefixlen: 32 })
  shows(of('10.3.0.1'), { noprefixroute: true })
  shows(of('fd01::1'), { prefixlen: 64, nodad: true, noprefixroute: true, scope: 'global' })
  assert.deepEqual(
    shown.map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    linux.addresses.list('l0').map(({ prefix }) => prefix),
  )
})

// A route as we add it, and what ip says of it.
const routes: readonly { readonly route: Route; readonly shown: Json }[] = [
  {
    route: { destination: '10.5.0.0/16', gateway: '10.0.0.2', protocol: 186, metric: 7, source: '10.0.0.1' },
    shown: { dst: '10.5.0.0/16', gateway: '10.0.0.2', dev: 'l0', protocol: 'bgp', metric: 7, prefsrc: '10.0.0.1' },
  },
  {
    route: { destination: '0.0.0.0/0', gateway: '10.0.0.2' },
    shown: { dst: 'default', gateway: '10.0.0.2', protocol: 'boot' },
  },
  {
    route: { destination: '10.5.0.0/16', gateway: '192.0.2.1', link: 'l0', onlink: true },
    shown: { gateway: '192.0.2.1', flags: ['onlink'] },
  },
  { route: { destination: '10.5.0.0/16', link: 'l0' }, shown: { dev: 'l0', scope: 'link' } },
  { route: { destination: '10.5.0.0/16', link: 'l0', scope: 'host' }, shown: { scope: 'host' } },
  { route: { destination: '10.5.0.0/16', link: 'l0', table: 70000 }, shown: { table: '70000' } },
  { route: { destination: '10.5.0.0/16', link: 'l0', tos: 0x10 }, shown: { tos: '0x10' } },
  {
    route: {
      destination: '10.5.0.0/16',
      gateway: '10.0.0.2',
      metrics: {
        mtu: 1400,
        advmss: 1300,
        window: 9,
        initcwnd: 20,
        initrwnd: 30,
        hoplimit: 9,
        rtoMin: 50,
        quickack: true,
      },
    },
    shown: {
      metrics: [
        { mtu: 1400, window: 9, advmss: 1300, hoplimit: 9, initcwnd: 20, rto_min: 50, initrwnd: 30, quickack: 1 },
      ],
    },
  },
  {
    route: {
      destination: '10.5.0.0/16',
      nextHops: [
        { gateway: '10.0.0.2', weight: 5 },
        { gateway: '192.0.2.2', link: 'l0', onlink: true },
      ],
    },
    shown: {
      nexthops: [
        { gateway: '10.0.0.2', dev: 'l0', weight: 5, flags: [] },
        { gateway: '192.0.2.2', dev: 'l0', weight: 1, flags: ['onlink'] },
      ],
    },
  },
  {
    route: { destination: '10.5.0.0/16', gateway: 'fd00::2', link: 'l0' },
    shown: { via: { family: 'inet6', host: 'fd00::2' } },
  },
  { route: { destination: '10.5.0.0/16', type: 'blackhole' }, shown: { type: 'blackhole' } },
  { route: { destination: '10.5.0.0/16', type: 'unreachable' }, shown: { type: 'unreachable' } },
  { route: { destination: '10.5.0.0/16', type: 'prohibit' }, shown: { type: 'prohibit' } },
  { route: { destination: '10.5.0.0/16', type: 'throw' }, shown: { type: 'throw' } },
  {
    route: { destination: '10.5.0.0/16', type: 'local', link: 'l0', table: 1000 },
    shown: { type: 'local', scope: 'host' },
  },
  {
    route: { destination: 'fd05::/48', gateway: 'fd00::2' },
    shown: { dst: 'fd05::/48', gateway: 'fd00::2', metric: 1024 },
  },
  {
    route: { destination: 'fd05::/48', nextHops: [{ gateway: 'fd00::2' }, { gateway: 'fd00::3', weight: 3 }] },
    shown: {
      nexthops: [
        { gateway: 'fd00::2', weight: 1 },
        { gateway: 'fd00::3', weight: 3 },
      ],
    },
  },
]

for (const { route, shown } of routes) {
  test(`ip shows the route that we added: ${JSON.stringify(route)}`, () => {
    addLinks()
    linux.routes.add(route)
    const family = route.destination.includes(':') ? '-6' : '-4'
    const dst = shown.dst ?? route.destination
    shows(
      ip(family, 'route', 'show', 'table', 'all').find((each) => each.dst === dst && each.protocol !== 'kernel'),
      shown,
    )
  })
}

test('ip and we look up the same route', () => {
  addLinks()
  linux.routes.add({ destination: '10.5.0.0/16', gateway: '10.0.0.2' })
  const ours = linux.routes.lookup('10.5.0.1')!
  shows(ip('route', 'get', '10.5.0.1')[0], {
    dst: '10.5.0.1',
    gateway: ours.gateway,
    dev: ours.link,
    prefsrc: ours.source,
  })
})

test('ip shows as many routes as we made by batch', () => {
  addLinks()
  const changes = Array.from({ length: 500 }, (_, i) => ({
    operation: 'add' as const,
    route: { destination: `10.9.${i >> 8}.${i & 255}/32`, gateway: '10.0.0.2', protocol: 186 },
  }))
  assert.deepEqual(linux.routes.batch(changes), [])
  assert.equal(ip('route', 'show', 'proto', '186').length, 500)
})

const rules: readonly { readonly rule: Rule; readonly shown: Json }[] = [
  {
    rule: {
      family: 'ipv4',
      priority: 100,
      source: '10.0.0.0/8',
      destination: '10.1.0.0/16',
      inputLink: 'a',
      outputLink: 'b',
      mark: 0x1000,
      mask: 0xf000,
      table: 1000,
    },
    shown: {
      src: '10.0.0.0',
      srclen: 8,
      dst: '10.1.0.0',
      dstlen: 16,
      iif: 'a',
      oif: 'b',
      fwmark: '0x1000',
      fwmask: '0xf000',
      table: '1000',
    },
  },
  {
    rule: { family: 'ipv4', priority: 100, source: '10.0.0.1/32', invert: true, table: 5 },
    shown: { not: null, src: '10.0.0.1', table: '5' },
  },
  { rule: { family: 'ipv4', priority: 100, action: 'goto', goto: 32766 }, shown: { goto: 32766 } },
  { rule: { family: 'ipv4', priority: 100, action: 'prohibit' }, shown: { action: 'prohibit' } },
  {
    rule: { family: 'ipv4', priority: 100, table: 254, suppressPrefixLength: 0 },
    shown: { table: 'main', suppress_prefixlen: 0 },
  },
  {
    rule: { family: 'ipv6', priority: 100, source: 'fd00::/8', table: 1000, protocol: 186 },
    shown: { src: 'fd00::', srclen: 8, protocol: 'bgp' },
  },
]

for (const { rule, shown } of rules) {
  test(`ip shows the rule that we added: ${JSON.stringify(rule)}`, () => {
    linux.rules.add(rule)
    const family = rule.family === 'ipv6' ? '-6' : '-4'
    shows(
      ip(family, 'rule').find(({ priority }) => priority === 100),
      shown,
    )
    linux.rules.delete(rule)
    assert.equal(
      ip(family, 'rule').find(({ priority }) => priority === 100),
      undefined,
    )
  })
}

test('ip shows the neighbours that we added', () => {
  addLinks()
  linux.neighbours.add({ link: 'l0', address: '10.0.0.9', mac: '02:00:00:00:00:09' })
  linux.neighbours.add({ link: 'l0', address: 'fd00::9', mac: '02:00:00:00:00:09', state: 'stale', router: true })
  linux.neighbours.add({ link: 'l0', address: '10.0.0.8', proxy: true })
  const shown = ip('neigh', 'show', 'dev', 'l0')
  shows(
    shown.find(({ dst }) => dst === '10.0.0.9'),
    { lladdr: '02:00:00:00:00:09', state: ['PERMANENT'] },
  )
  shows(
    shown.find(({ dst }) => dst === 'fd00::9'),
    { router: null, state: ['STALE'] },
  )
  shows(ip('neigh', 'show', 'proxy')[0], { dst: '10.0.0.8', dev: 'l0', proxy: null })
  linux.neighbours.delete({ link: 'l0', address: '10.0.0.9' })
  assert.ok(!ip('neigh', 'show', 'dev', 'l0').some(({ dst }) => dst === '10.0.0.9'))
})

test('bridge shows the forwarding entries that we made', () => {
  linux.links.add({ kind: 'bridge', name: 'br0', up: true })
  linux.links.add({ kind: 'veth', name: 'x0', master: 'br0', peer: { name: 'x1' } })
  linux.links.add({ kind: 'vxlan', name: 'vx0', vxlan: { vni: 7, port: 4789 } })
  linux.fdb.add({ link: 'x0', mac: '02:00:00:00:00:09', owner: 'master', state: 'static' })
  linux.fdb.add({ link: 'vx0', mac: '02:00:00:00:00:0a', owner: 'self', destination: '10.0.0.2', port: 8472, vni: 99 })
  for (const destination of ['10.0.0.2', '10.0.0.3']) {
    linux.fdb.append({ link: 'vx0', mac: '00:00:00:00:00:00', owner: 'self', destination })
  }
  const shown = bridge('fdb')
  const of = (address: string) => shown.filter(({ mac }) => mac === address)
  shows(of('02:00:00:00:00:09'), [{ ifname: 'x0', master: 'br0', state: 'static' }])
  shows(of('02:00:00:00:00:0a'), [{ ifname: 'vx0', dst: '10.0.0.2', port: 8472, vni: 99, state: 'permanent' }])
  assert.deepEqual(
    of('00:00:00:00:00:00')
      .map(({ dst }) => dst)
      .sort(),
    ['10.0.0.2', '10.0.0.3'],
  )
  assert.equal(linux.fdb.list().length, shown.length, 'we list as many as bridge does')
})

test('where a MAC came from is what sysfs says', () => {
  linux.links.add({ kind: 'bridge', name: 'br0' })
  assert.equal(linux.links.get('br0')?.macOrigin, 'random')
  linux.links.set('br0', { mac: '02:00:00:00:00:01' })
  assert.equal(linux.links.get('br0')?.macOrigin, 'set')
  container.links.add({ kind: 'bridge', name: 'br0' })
  assert.equal(container.links.get('br0')?.macOrigin, undefined, 'this sysfs is not of that namespace')
})
