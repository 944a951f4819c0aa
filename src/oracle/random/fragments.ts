/**
 * Packets in pieces, cut by hosts, routers and a tunnel, and put together where connections are tracked: over a bridge, into
 * links with smaller MTUs, through VXLAN; with defragmentation and without.
 */
import fc from 'fast-check'
import type { Scenario, ScenarioStep } from '../scenario.ts'
import { packetsOf, type Train, trains } from './fragment-train.ts'
import {
  FRAGMENT_TAPS,
  type FragmentWorld,
  fragmentTopology,
  HOSTS,
  type Host,
  mtuOf,
  OWN,
  SERVICE,
  SILENT,
} from './fragment-world.ts'
import { type FrameStep, fits, frameStep, mostly, often, rarely } from './frame.ts'
import { type Kind, NAME } from './kind.ts'

const PORTS = [4001, 80] as const

const worlds: fc.Arbitrary<FragmentWorld> = fc.record({
  podMtu: mostly([1500, 1450, 1400], 1),
  secondMtu: mostly([1500, 1450, 1000], 2),
  farMtu: mostly([1500, 1280, 1000, 576, 400], 1),
  tunnelMtu: mostly([1450, 1300, 1000], 2),
  callIptables: often(fc.constant(true), fc.constant(false), 2),
  hairpin: fc.boolean(),
})

/** Rules that have connections tracked, and with it packets put together. */
const TRACKING = [
  'iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP',
  'iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT',
  'iptables -t nat -A POSTROUTING -s 10.0.1.0/24 -o eth1 -j MASQUERADE',
  `iptables -t nat -A PREROUTING -d ${SERVICE} -j DNAT --to-destination ${HOSTS[2]!.address}`,
  `iptables -t nat -A PREROUTING -d ${SERVICE} -j DNAT --to-destination ${HOSTS[1]!.address}`,
  'iptables -t nat -A POSTROUTING -s 10.0.1.0/24 -d 10.0.1.0/24 -j MASQUERADE',
] as const

/** Rules for which nothing is put together: they see pieces, unless others have that done. */
const OTHERS = [
  'iptables -A FORWARD -p udp --dport 4001 -j DROP',
  'iptables -A FORWARD -p udp --dport 80 -j REJECT',
  'iptables -A FORWARD -f -j DROP',
  'iptables -A FORWARD -p icmp --icmp-type echo-request -j REJECT --reject-with icmp-host-prohibited',
  'iptables -A INPUT -p icmp -j DROP',
  'iptables -t raw -A PREROUTING -p udp -j CT --notrack',
  'iptables -t raw -A PREROUTING -f -j DROP',
  'iptables -t mangle -A POSTROUTING -f -j DROP',
] as const

/** On both of the nodes, or n1 alone. */
const CHANGES: readonly (readonly { readonly ns: string; readonly run: string }[])[] = [
  ['n1', 'n2'].map((ns) => ({ ns, run: 'ip link set eth0 mtu 1300' })),
  [{ ns: 'n1', run: 'ip link set eth0 mtu 1400' }],
  [{ ns: 'n1', run: 'ip route replace 10.0.3.0/24 dev eth1 mtu 600' }],
  [{ ns: 'n1', run: 'ip route replace 10.0.3.0/24 dev eth1 mtu lock 700' }],
  [{ ns: 'n1', run: 'sysctl -qw net.ipv4.conf.all.send_redirects=0' }],
  [{ ns: 'n1', run: 'ip link set veth2 mtu 1200' }],
  [{ ns: 'n1', run: 'sysctl -qw net.ipv4.ip_forward_use_pmtu=1' }],
]

interface Journey {
  readonly from: number
  readonly to: string
  readonly train: Train
  /** Its frames come between those of the train before it. */
  readonly between: boolean
  /** Of the train before it, whoever that is from. */
  readonly sameId: boolean
}

interface Case {
  readonly world: FragmentWorld
  readonly tracking: readonly string[]
  readonly others: readonly string[]
  readonly onSecond: boolean
  readonly changes: readonly (typeof CHANGES)[number][]
  readonly journeys: readonly Journey[]
  /** p1 and p2 have spoken: the bridge knows where they are. */
  readonly isLearned: boolean
  /** Seconds after which pieces are given up: where it is told, that is waited for. */
  readonly patience: number | undefined
}

const destinations = [...HOSTS.map(({ address }) => address), OWN.p, OWN.x, SERVICE, ...SILENT]

const cases: fc.Arbitrary<Case> = worlds.chain((world) =>
  fc.record({
    world: fc.constant(world),
    tracking: often<readonly string[]>(
      fc.uniqueArray(fc.constantFrom(...TRACKING), { minLength: 1, maxLength: 3 }),
      fc.constant([]),
      2,
    ),
    others: often<readonly string[]>(
      fc.constant([]),
      fc.uniqueArray(fc.constantFrom(...OTHERS), { minLength: 1, maxLength: 2 }),
      3,
    ),
    onSecond: fc.boolean(),
    changes: often<Case['changes']>(
      fc.constant([]),
      fc.constantFrom(...CHANGES).map((change) => [change]),
      2,
    ),
    journeys: fc.array(
      fc.record({
        from: fc.nat(HOSTS.length - 1),
        to: often(fc.constantFrom(...HOSTS.map(({ address }) => address)), fc.constantFrom(...destinations), 4),
        train: trains([world.podMtu, world.secondMtu, world.farMtu, world.tunnelMtu], PORTS),
        between: rarely(4),
        sameId: rarely(6),
      }),
      { minLength: 1, maxLength: 4 },
    ),
    isLearned: often(fc.constant(true), fc.constant(false), 4),
    patience: often(fc.constant(undefined), fc.constant(1), 9),
  }),
)

function toScenario({ world, tracking, others, onSecond, changes, journeys, isLearned, patience }: Case): Scenario {
  const rules = [...tracking, ...others].map((run) => ({ ns: 'n1', run }))
  const warm = isLearned ? [[HOSTS[0]!.ns, HOSTS[1]!.address] as const] : []
  const nodes = [...HOSTS.map(({ ns }) => ns), 'n1', 'n2']
  const steps: ScenarioStep[] = [
    ...rules,
    ...(onSecond ? [{ ns: 'n2', run: TRACKING[0] }] : []),
    ...changes.flat(),
    ...(patience ? nodes.map((ns) => ({ ns, run: `sysctl -qw net.ipv4.ipfrag_time=${patience}` })) : []),
    ...framesOf(world, journeys),
    ...(patience ? [{ wait: patience * 1000 + 300 }] : []),
  ]
  return { id: NAME, topology: fragmentTopology(world), warm, steps, watch: FRAGMENT_TAPS, show: [] }
}

function framesOf(world: FragmentWorld, journeys: readonly Journey[]): FrameStep[] {
  let frames: FrameStep[] = []
  let before: FrameStep[] = []
  let identification = 0x1000
  for (const { from, to: drawn, train, between, sameId } of journeys) {
    const to = drawn === HOSTS[from]!.address ? HOSTS[(from + 1) % HOSTS.length]!.address : drawn
    if (!sameId) identification++
    const own = framesOfTrain(HOSTS[from]!, to, train, identification).filter((step) =>
      fits(step, mtuOf(world, HOSTS[from]!.ns)),
    )
    if (between) frames = [...frames.slice(0, frames.length - before.length), ...zipped(before, own)]
    else frames = [...frames, ...own]
    before = between ? zipped(before, own) : own
  }
  return frames
}

function zipped<T>(one: readonly T[], other: readonly T[]): T[] {
  const longer = Math.max(one.length, other.length)
  return Array.from({ length: longer }, (_, i) => [...one.slice(i, i + 1), ...other.slice(i, i + 1)]).flat()
}

function framesOfTrain({ ns, mac, gateway, address }: Host, to: string, train: Train, id: number): FrameStep[] {
  const neighbour = HOSTS.find((host) => host.address === to && host.gateway === gateway && host.ns !== ns)
  const header = { source: mac, destination: neighbour?.mac ?? gateway }
  return packetsOf(train, { source: address, destination: to }, id).map((packet) =>
    frameStep({ ns, dev: 'eth0' }, header, packet),
  )
}

export const fragments: Kind = { name: 'fragments', scenarios: cases.map(toScenario) }
