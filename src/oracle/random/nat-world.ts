/**
 * Where connections are translated: pods behind a router, on a bridge or each on a link of its own, and two networks
 * beyond it.
 *
 *   p1 p2 p3 ── cni0 (bridge) or veth1 veth2 veth3   n1   eth0 ── w        10.0.2.0/24
 *   10.0.1.0/24                                           eth1 ── x        10.0.3.0/24
 *
 * Every host also has an address that leads to it and that it does not have: what is sent there is heard, and not answered.
 */
import type { Topology, TopologyInterface, TopologyLink, TopologyNode } from '../../lab/topology.ts'
import { addressOf, macOf, STRANGER } from './address-plan.ts'
import { NAME } from './kind.ts'

export interface NatWorld {
  readonly bridged: boolean
  readonly hairpin: boolean
  /** Whether rules see what is bridged: br_netfilter. */
  readonly callIptables: boolean
  /** Of n1's eth0. */
  readonly mtu: number
  /** A second address of n1's eth0. */
  readonly secondAddress: boolean
  readonly strictSources: boolean
  /** How often is a matter of milliseconds: not where commands come between frames. */
  readonly redirects: boolean
}

/** Who sends and is sent to. */
export interface Party {
  readonly ns: string
  readonly mac: string
  /** Of n1's device that leads there. */
  readonly gateway: string
  readonly address: string
}

const N1 = 1
export const PODS = ['p1', 'p2', 'p3'] as const
const HOSTS = ['w', 'x'] as const
const GATEWAY = { p: addressOf(1, 1), w: addressOf(2, 1), x: addressOf(3, 1) } as const

/** Of n1: towards pods, w and x. */
export const OWN = GATEWAY
export const SECOND = addressOf(2, 7)
/** Of nobody, for source NAT to a range: they are routed to n1 by w's default route. */
export const POOL = [addressOf(2, 100), addressOf(2, 101), addressOf(2, 102)] as const
export const SERVICES = ['10.96.0.1', '10.96.0.2'] as const
export const POD_NETWORK = '10.0.1.0/24'

const podMac = (i: number) => macOf(11 + i, 1)
const hostMac = (i: number) => macOf(21 + i, 1)
const BRIDGE_MAC = macOf(N1, 9)
/** Devices 1 to 3 of n1 lead to pods, 4 and 5 to hosts. */
const deviceMac = (i: number) => macOf(N1, i + 1)

/** Those of `parties` that answer: they come first. */
export const ANSWERING = PODS.length + HOSTS.length

export function partiesOf({ bridged }: Pick<NatWorld, 'bridged'>): Party[] {
  const pods = PODS.flatMap((ns, i) =>
    [11 + i, 111 + i].map((host) => ({
      ns,
      mac: podMac(i),
      gateway: bridged ? BRIDGE_MAC : deviceMac(i),
      address: addressOf(1, host),
    })),
  )
  const hosts = HOSTS.flatMap((ns, i) =>
    [2, 22].map((host) => ({ ns, mac: hostMac(i), gateway: deviceMac(3 + i), address: addressOf(2 + i, host) })),
  )
  const beyond = { ns: 'w', mac: hostMac(0), gateway: deviceMac(3), address: STRANGER.address }
  const all = [...pods, ...hosts]
  return [...all.filter((_, i) => i % 2 === 0), ...all.filter((_, i) => i % 2 === 1), beyond]
}

export function natTopology(world: NatWorld): Topology {
  const { bridged, mtu } = world
  const port = (i: number) => `veth${i + 1}`
  const links: TopologyLink[] = [
    ...PODS.map(
      (ns, i): TopologyLink => ({
        endpoints: [
          { node: 'n1', interface: port(i), mac: deviceMac(i), ...(!bridged && { addresses: [`${GATEWAY.p}/32`] }) },
          { node: ns, interface: 'eth0', mac: podMac(i), addresses: [`${addressOf(1, 11 + i)}/${bridged ? 24 : 32}`] },
        ],
      }),
    ),
    ...HOSTS.map(
      (ns, i): TopologyLink => ({
        endpoints: [
          {
            node: 'n1',
            interface: `eth${i}`,
            mac: deviceMac(3 + i),
            addresses: [`${GATEWAY[ns]}/24`, ...(i === 0 && world.secondAddress ? [`${SECOND}/24`] : [])],
          },
          { node: ns, interface: 'eth0', mac: hostMac(i), addresses: [`${addressOf(2 + i, 2)}/24`] },
        ],
        ...(i === 0 && { mtu }),
      }),
    ),
  ]
  const nodes = { n1: router(world), ...Object.fromEntries([...PODS.map(pod(bridged)), ...HOSTS.map(host)]) }
  return { name: NAME, topology: { nodes, links } }
}

function router({ bridged, hairpin, callIptables, strictSources, redirects }: NatWorld): TopologyNode {
  const ports = PODS.map((_, i) => ({ interface: `veth${i + 1}`, hairpin }))
  const bridge: TopologyInterface = { type: 'bridge', mac: BRIDGE_MAC, addresses: [`${GATEWAY.p}/24`], ports }
  const pods = PODS.flatMap((_, i) => [11 + i, 111 + i].map((n) => ({ i, ip: addressOf(1, n) })))
  const dev = (i: number) => (bridged ? 'cni0' : `veth${i + 1}`)
  return {
    sysctls: {
      'net.ipv4.ip_forward': 1,
      'net.bridge.bridge-nf-call-iptables': callIptables ? 1 : 0,
      ...(!redirects && { 'net.ipv4.conf.all.send_redirects': 0, 'net.ipv4.conf.default.send_redirects': 0 }),
      ...(strictSources && { 'net.ipv4.conf.all.rp_filter': 1 }),
    },
    ...(bridged && { interfaces: { cni0: bridge } }),
    neighbours: [
      ...pods.map(({ i, ip }) => ({ ip, mac: podMac(i), dev: dev(i) })),
      ...HOSTS.flatMap((_, i) => [2, 22].map((n) => ({ ip: addressOf(2 + i, n), mac: hostMac(i), dev: `eth${i}` }))),
    ],
    routes: [
      ...(bridged ? [] : pods.map(({ i, ip }) => ({ to: ip, dev: dev(i) }))),
      { to: 'default', via: addressOf(2, 2) },
    ],
  }
}

const pod =
  (bridged: boolean) =>
  (ns: string, i: number): readonly [string, TopologyNode] => [
    ns,
    {
      neighbours: [
        { ip: GATEWAY.p, mac: bridged ? BRIDGE_MAC : deviceMac(i), dev: 'eth0' },
        ...(bridged
          ? PODS.flatMap((_, n) =>
              n === i ? [] : [11 + n, 111 + n].map((ip) => ({ ip: addressOf(1, ip), mac: podMac(n), dev: 'eth0' })),
            )
          : []),
      ],
      routes: [...(bridged ? [] : [{ to: GATEWAY.p, dev: 'eth0' }]), { to: 'default', via: GATEWAY.p }],
    },
  ]

const host = (ns: (typeof HOSTS)[number], i: number): readonly [string, TopologyNode] => [
  ns,
  {
    neighbours: [GATEWAY[ns], ...(i === 0 ? [SECOND, ...POOL] : [])].map((ip) => ({
      ip,
      mac: deviceMac(3 + i),
      dev: 'eth0',
    })),
    routes: [{ to: 'default', via: GATEWAY[ns] }],
  },
]

/** Every tap there is. */
export function natTaps({ bridged }: NatWorld): string[] {
  const ports = [...PODS.map((_, i) => `veth${i + 1}`), 'eth0', 'eth1', ...(bridged ? ['cni0'] : [])]
  return [...ports.map((dev) => `n1:${dev}`), ...[...PODS, ...HOSTS].map((ns) => `${ns}:eth0`)]
}
