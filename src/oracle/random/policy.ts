/**
 * Policy rules: a router between three hosts, with rules that choose among tables by address, mark, device and type of
 * service, that jump, suppress or refuse, and tables with routes of every type and with several next hops.
 *
 *   a eth0 ── ra r rb ── eth0 b          networks 1, 2 and 3
 *   a eth1 ── rd   rc ── eth0 c          network 4: a second way to a, where there is one
 *
 * b and c both answer for all of 10.0.50.0/24 and 10.0.51.0/24: which of them a packet came to tells the way it took.
 */
import fc from 'fast-check'
import type { TopologyLink, TopologyNode, TopologyRoute } from '../../lab/topology.ts'
import { addressOf, macOf, prefixOf } from './address-plan.ts'
import { mostly, often, rarely } from './frame.ts'
import type { Kind } from './kind.ts'
import { markRules, policyEdits, ruleWords } from './policy-edit.ts'
import { policyFrames } from './policy-frame.ts'
import { FAR, HOST, HOSTS, ROUTER, ROUTER_NODE, routerDevice } from './policy-plan.ts'
import { type Deed, scenarioOf, type World } from './world.ts'

interface Shape {
  readonly twice: boolean
  readonly mtus: readonly number[]
  readonly rpFilter: number
  readonly policy: number
  readonly seed: number
  readonly settings: readonly string[]
  readonly routes: readonly TopologyRoute[]
  /** Commands. */
  readonly rules: readonly string[]
  readonly marks: readonly string[]
  /** A mark of which a rule looks at one bit. */
  readonly masked: boolean
}

/** Of the router, each on its own. */
const SETTINGS = [
  'net.ipv4.conf.all.src_valid_mark',
  'net.ipv4.conf.all.accept_local',
  'net.ipv4.icmp_errors_use_inbound_ifaddr',
  'net.ipv4.fib_multipath_use_neigh',
  'net.ipv4.fwmark_reflect',
  'net.ipv4.conf.all.route_localnet',
  'net.ipv4.ip_forward_use_pmtu',
] as const

const shapes: fc.Arbitrary<Shape> = fc.record({
  twice: rarely(3),
  mtus: fc.tuple(...HOSTS.map(() => mostly([1500, 1400, 1000], 4))),
  rpFilter: mostly([0, 1, 2]),
  policy: mostly([0, 1, 2], 1),
  seed: fc.constantFrom(1, 77, 0x7fff_ffff),
  settings: fc.subarray([...SETTINGS], { maxLength: 2 }),
  routes: fc.array(farRoutes(), { maxLength: 2 }),
  rules: fc.array(ruleWords, { maxLength: 4 }),
  marks: fc.array(markRules, { maxLength: 2 }),
  masked: rarely(9),
})

/** Ways in the main table to what b and c both have. */
function farRoutes(): fc.Arbitrary<TopologyRoute> {
  const [b, c] = [
    { via: addressOf(2, HOST), weight: 1 },
    { via: addressOf(3, HOST), weight: 2 },
  ]
  return fc
    .record({
      to: fc.constantFrom(...FAR.map(prefixOf), `${addressOf(FAR[0], 7)}/32`, '10.0.48.0/20', 'default'),
      way: fc.constantFrom<Partial<TopologyRoute>[]>(
        { via: b.via },
        { via: c.via },
        { nexthops: [b, c] },
        { nexthops: [b, { ...c, weight: 1 }] },
        { via: c.via, mtu: 1000 },
        { type: 'unreachable' },
        { type: 'prohibit' },
        { type: 'blackhole' },
        { type: 'throw' },
      ),
    })
    .map(({ to, way }) => ({ to, ...way }))
}

function worldOf({ twice, mtus, rpFilter, policy, seed, settings, routes }: Shape): World {
  const all = [...routes, ...FAR.map((far, i) => ({ to: prefixOf(far), via: addressOf(2 + i, HOST) }))]
  const distinct = all.filter(({ to }, i) => all.findIndex((other) => other.to === to) === i)
  const router: TopologyNode = {
    sysctls: {
      'net.ipv4.ip_forward': 1,
      'net.ipv4.conf.all.rp_filter': rpFilter,
      'net.ipv4.fib_multipath_hash_policy': policy,
      'net.ipv4.fib_multipath_hash_seed': seed,
      ...Object.fromEntries(settings.map((name) => [name, 1])),
    },
    routes: distinct,
  }
  const nodes: Record<string, TopologyNode> = { r: router }
  for (const [i, host] of HOSTS.entries()) nodes[host] = hostOf(i + 1, host)
  const links: TopologyLink[] = HOSTS.map((host, i) => link(i + 1, host, 'eth0', mtus[i]!))
  if (twice) links.push(link(4, 'a', 'eth1', 1500))
  return { nodes, links }
}

/** They come before the first frame; what the kernel refuses is left out. */
function setUp({ rules, marks, masked }: Shape): Deed {
  const allMarks = masked
    ? [...marks, `nft add rule ip marks prerouting iifname ${routerDevice(1)} meta mark set 0x12`]
    : marks
  const ofMask = masked ? ['ip rule add fwmark 0x2/0x2 prohibit'] : []
  const lines = [...(allMarks.length > 0 ? MARK_TABLE : []), ...allMarks, ...ofMask, ...rules]
  return lines.map((run) => ({ ns: 'r', run }))
}

/** What marks packets stands here: `nft add rule ip marks prerouting …`. */
const MARK_TABLE = [
  'nft add table ip marks',
  `nft 'add chain ip marks prerouting { type filter hook prerouting priority -150 ; }'`,
]

function hostOf(network: number, host: string): TopologyNode {
  const far = host === 'a' ? [] : FAR.map((each) => ({ to: prefixOf(each), type: 'local' as const, dev: 'lo' }))
  return { routes: [{ to: 'default', via: addressOf(network, ROUTER) }, ...far] }
}

function link(network: number, host: string, device: string, mtu: number): TopologyLink {
  return {
    endpoints: [
      { node: host, interface: device, mac: macOf(network, 0), addresses: [`${addressOf(network, HOST)}/24`] },
      {
        node: 'r',
        interface: routerDevice(network),
        mac: macOf(ROUTER_NODE, network),
        addresses: [`${addressOf(network, ROUTER)}/24`],
      },
    ],
    mtu,
  }
}

const sent: fc.Arbitrary<Deed> = policyFrames.map((step) => [step])

export const policy: Kind = {
  name: 'policy',
  scenarios: fc
    .tuple(shapes, fc.array(often(sent, policyEdits, 3), { minLength: 1, maxLength: 9, size: 'max' }))
    .map(([shape, deeds]) => scenarioOf(worldOf(shape), [setUp(shape), ...deeds])),
}
