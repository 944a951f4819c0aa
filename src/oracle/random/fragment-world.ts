/**
 * Where packets are cut and put together: a bridge, a router with a narrow link, and a tunnel to a second node.
 *
 *   p1 p2 ── cni0  n1  eth0 ──────── eth0  n2  cni0 ── p3        10.0.2.0/24
 *   10.0.1.0/24    │   flannel.1 ─ flannel.1    10.0.4.0/24
 *                  eth1 ── x                                     10.0.3.0/24
 */
import type { Topology, TopologyInterface, TopologyNode } from '../../lab/topology.ts'
import { addressOf, macOf } from './address-plan.ts'
import { NAME } from './kind.ts'

export interface FragmentWorld {
  /** Of the links of p1 and p3, and of cni0. */
  readonly podMtu: number
  /** Of p2's link. */
  readonly secondMtu: number
  /** Of the link between n1 and x. */
  readonly farMtu: number
  readonly tunnelMtu: number
  /** Whether rules see what is bridged: br_netfilter. */
  readonly callIptables: boolean
  readonly hairpin: boolean
}

/** Who sends and is sent to. */
export interface Host {
  readonly ns: 'p1' | 'p2' | 'p3' | 'x'
  readonly mac: string
  /** Of the router's device. */
  readonly gateway: string
  readonly address: string
}

const CNI = [macOf(1, 9), macOf(2, 9)] as const
const VTEP = [macOf(1, 7), macOf(2, 7)] as const
const UNDERLAY = [macOf(1, 4), macOf(2, 4)] as const
const FAR = macOf(1, 5)
const MAC = { p1: macOf(11, 1), p2: macOf(12, 1), p3: macOf(13, 1), x: macOf(22, 1) } as const

/** Of n1: towards pods, and x. */
export const OWN = { p: addressOf(1, 1), x: addressOf(3, 1) } as const
/** Translated to p3, where a rule says so. */
export const SERVICE = '10.96.0.1'
/** They lead to p2, p3 and x, which have them not. */
export const SILENT = [addressOf(1, 112), addressOf(4, 113), addressOf(3, 22)] as const

export const HOSTS: readonly Host[] = [
  { ns: 'p1', mac: MAC.p1, gateway: CNI[0], address: addressOf(1, 11) },
  { ns: 'p2', mac: MAC.p2, gateway: CNI[0], address: addressOf(1, 12) },
  { ns: 'p3', mac: MAC.p3, gateway: CNI[1], address: addressOf(4, 13) },
  { ns: 'x', mac: MAC.x, gateway: FAR, address: addressOf(3, 2) },
]

export function mtuOf({ podMtu, secondMtu, farMtu }: FragmentWorld, ns: Host['ns']): number {
  return ns === 'x' ? farMtu : ns === 'p2' ? secondMtu : podMtu
}

export const FRAGMENT_TAPS: readonly string[] = [
  ...['veth1', 'veth2', 'cni0', 'flannel.1', 'eth0', 'eth1'].map((dev) => `n1:${dev}`),
  ...['eth0', 'flannel.1', 'cni0', 'veth3'].map((dev) => `n2:${dev}`),
  ...HOSTS.map(({ ns }) => `${ns}:eth0`),
]

export function fragmentTopology(world: FragmentWorld): Topology {
  const { podMtu, secondMtu, farMtu } = world
  const podLink = (node: string, i: 1 | 2 | 3, mtu: number) => ({
    endpoints: [
      { node, interface: `veth${i}`, mac: macOf(node === 'n1' ? 1 : 2, i) },
      { node: `p${i}`, interface: 'eth0', mac: MAC[`p${i}`], addresses: [`${HOSTS[i - 1]!.address}/24`] },
    ] as const,
    mtu,
  })
  return {
    name: NAME,
    topology: {
      nodes: {
        n1: nodeOf(world, 0),
        n2: nodeOf(world, 1),
        p1: pod(OWN.p, CNI[0], { [HOSTS[1]!.address]: MAC.p2, [SILENT[0]]: MAC.p2 }),
        p2: pod(OWN.p, CNI[0], { [HOSTS[0]!.address]: MAC.p1 }),
        p3: pod(addressOf(4, 1), CNI[1], {}),
        x: pod(OWN.x, FAR, {}),
      },
      links: [
        podLink('n1', 1, podMtu),
        podLink('n1', 2, secondMtu),
        podLink('n2', 3, podMtu),
        {
          endpoints: [
            { node: 'n1', interface: 'eth0', mac: UNDERLAY[0], addresses: [`${addressOf(2, 1)}/24`] },
            { node: 'n2', interface: 'eth0', mac: UNDERLAY[1], addresses: [`${addressOf(2, 2)}/24`] },
          ],
        },
        {
          endpoints: [
            { node: 'n1', interface: 'eth1', mac: FAR, addresses: [`${OWN.x}/24`] },
            { node: 'x', interface: 'eth0', mac: MAC.x, addresses: [`${addressOf(3, 2)}/24`] },
          ],
          mtu: farMtu,
        },
      ],
    },
  }
}

function nodeOf({ podMtu, tunnelMtu, callIptables, hairpin }: FragmentWorld, i: 0 | 1): TopologyNode {
  const other = i === 0 ? 1 : 0
  const vtep = (n: number) => addressOf(n === 0 ? 1 : 4, 0)
  const ports = (i === 0 ? ['veth1', 'veth2'] : ['veth3']).map((port) => ({ interface: port, hairpin }))
  const bridge: TopologyInterface = {
    type: 'bridge',
    mac: CNI[i],
    mtu: podMtu,
    addresses: [`${i === 0 ? OWN.p : addressOf(4, 1)}/24`],
    ports,
  }
  const tunnel: TopologyInterface = {
    type: 'vxlan',
    id: 1,
    dev: 'eth0',
    local: addressOf(2, i + 1),
    learning: false,
    mac: VTEP[i],
    mtu: tunnelMtu,
    addresses: [`${vtep(i)}/32`],
  }
  const there = addressOf(2, other + 1)
  const neighbours =
    i === 0
      ? [
          { ip: HOSTS[0]!.address, mac: MAC.p1, dev: 'cni0' },
          { ip: HOSTS[1]!.address, mac: MAC.p2, dev: 'cni0' },
          { ip: SILENT[0], mac: MAC.p2, dev: 'cni0' },
          { ip: HOSTS[3]!.address, mac: MAC.x, dev: 'eth1' },
          { ip: SILENT[2], mac: MAC.x, dev: 'eth1' },
        ]
      : [
          { ip: HOSTS[2]!.address, mac: MAC.p3, dev: 'cni0' },
          { ip: SILENT[1], mac: MAC.p3, dev: 'cni0' },
        ]
  return {
    sysctls: { 'net.ipv4.ip_forward': 1, 'net.bridge.bridge-nf-call-iptables': callIptables ? 1 : 0 },
    interfaces: { cni0: bridge, 'flannel.1': tunnel },
    neighbours: [
      ...neighbours,
      { ip: there, mac: UNDERLAY[other], dev: 'eth0' },
      { ip: vtep(other), mac: VTEP[other], dev: 'flannel.1' },
    ],
    fdb: [{ mac: VTEP[other], dev: 'flannel.1', dst: there }],
    routes: [
      { to: `${vtep(other)}/24`, via: vtep(other), dev: 'flannel.1', onlink: true },
      ...(i === 0 ? [] : [{ to: addressOf(3, 0).concat('/24'), via: vtep(other), dev: 'flannel.1', onlink: true }]),
    ],
  }
}

/** It has a way out, and knows these. */
function pod(gateway: string, mac: string, known: Readonly<Record<string, string>>): TopologyNode {
  return {
    neighbours: Object.entries({ [gateway]: mac, ...known }).map(([ip, each]) => ({ ip, mac: each, dev: 'eth0' })),
    routes: [{ to: 'default', via: gateway }],
  }
}
