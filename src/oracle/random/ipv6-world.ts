/**
 * A router of IPv6 with three links, and hosts that answer.
 *
 *   a fd00:1::2 ── r0  r  r1 ── b fd00:2::2, fd00:2::5
 *                      r2 ── c fd00:3::2
 *
 * The router knows neighbours 2 to 4 of every link, of which the host has the first alone; it has to ask for fd00:2::5,
 * which answers, and for others, which do not. Host 1 of a link is the router, also as a link-local address.
 */
import type { Topology, TopologyNode } from '../../lab/topology.ts'
import { address6Of, macOf, prefix6Of } from './address-plan.ts'
import { NAME } from './kind.ts'

export interface Ipv6World {
  /** Of the links of b and c. */
  readonly mtus: readonly [number, number]
  readonly forwarding: boolean
  /** Whether errors are told as often as they come. */
  readonly unlimited: boolean
  readonly hashPolicy: number
  readonly proxy: boolean
}

export const SENDERS = ['a', 'b', 'c'] as const
export type Sender = (typeof SENDERS)[number]

const R = 1
export const routerMac = (link: number) => macOf(R, link)
export const hostMac = (link: number) => macOf(0x10 + link, 1)
export const linkOf = (sender: Sender) => SENDERS.indexOf(sender)
/** Network of a link, counted from 0. */
const networkOf = (link: number) => link + 1
export const hostOn = (link: number, host: number) => address6Of(networkOf(link), host)
export const linkLocal = (host: number) => `fe80::${host.toString(16)}`

/** An address that b has and that the router does not know. */
export const UNKNOWN = hostOn(1, 5)
/** Nobody's. */
export const DEAD = hostOn(1, 0xdead)
/** The router answers for it on a's link where it is a proxy. */
export const PROXIED = hostOn(0, 0x99)

/** Where each leads: blackhole, unreachable, prohibit, throw, several ways, a smaller MTU, back, not beyond the link. */
export const SPECIAL = ['fd60::1', 'fd61::1', 'fd62::1', 'fd63::1', 'fd64::1', 'fd64::2', 'fd65::1', 'fd66::1'] as const

export function ipv6Topology(world: Ipv6World): Topology {
  const { mtus, forwarding, unlimited, hashPolicy, proxy } = world
  const router: TopologyNode = {
    ipv6: true,
    sysctls: {
      'net.ipv6.conf.all.forwarding': forwarding ? 1 : 0,
      'net.ipv6.conf.default.forwarding': forwarding ? 1 : 0,
      'net.ipv6.fib_multipath_hash_policy': hashPolicy,
      'net.ipv4.fib_multipath_hash_seed': 99,
      ...(unlimited && { 'net.ipv6.icmp.ratelimit': 0 }),
      ...(proxy && { 'net.ipv6.conf.all.proxy_ndp': 1, 'net.ipv6.conf.default.proxy_ndp': 1 }),
    },
    neighbours: SENDERS.flatMap((_, link) =>
      [...[2, 3, 4].map((host) => hostOn(link, host)), linkLocal(2)].map((ip) => ({
        ip,
        mac: hostMac(link),
        dev: `r${link}`,
      })),
    ),
    routes: [
      { to: 'fd60::/16', type: 'blackhole' },
      { to: 'fd61::/16', type: 'unreachable' },
      { to: 'fd62::/16', type: 'prohibit' },
      { to: 'fd63::/16', type: 'throw' },
      { to: 'fd64::/16', nexthops: [{ via: hostOn(1, 2) }, { via: hostOn(2, 2), weight: 2 }] },
      { to: 'fd65::/16', via: hostOn(1, 2), mtu: 1300 },
      { to: 'fd66::/16', via: hostOn(0, 3) },
    ],
    ...(proxy && { exec: [`ip -6 neigh add proxy ${PROXIED} dev r0`] }),
  }
  const host = (link: number): TopologyNode => ({
    ipv6: true,
    neighbours: [hostOn(link, 1), linkLocal(1)].map((ip) => ({ ip, mac: routerMac(link), dev: 'eth0' })),
    routes: [{ to: 'default', via: hostOn(link, 1) }],
  })
  const nodes = { r: router, a: host(0), b: host(1), c: host(2) }
  const links = SENDERS.map((node, link) => ({
    endpoints: [
      {
        node: 'r',
        interface: `r${link}`,
        mac: routerMac(link),
        addresses: [`${hostOn(link, 1)}/64`, `${linkLocal(1)}/64`],
      },
      {
        node,
        interface: 'eth0',
        mac: hostMac(link),
        addresses: [`${hostOn(link, 2)}/64`, `${linkLocal(2)}/64`, ...(link === 1 ? [`${UNKNOWN}/64`] : [])],
      },
    ] as const,
    mtu: link === 0 ? 1500 : mtus[link - 1]!,
  }))
  return { name: NAME, topology: { nodes, links } }
}

export const ROUTER_PREFIXES = SENDERS.map((_, link) => prefix6Of(networkOf(link)))

export const IPV6_TAPS: readonly string[] = [
  ...SENDERS.map((_, link) => `r:r${link}`),
  ...SENDERS.map((node) => `${node}:eth0`),
]
