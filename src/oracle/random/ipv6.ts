/**
 * IPv6 forwarding: what a router with routes of all types does to frames of all kinds; policy rules, several ways, proxied
 * neighbours, rules of ip6tables; and what it tells the sender.
 */
import fc from 'fast-check'
import type { Scenario, ScenarioStep } from '../scenario.ts'
import { mostly, often, rarely } from './frame.ts'
import { type Ipv6Frame, ipv6Frames, ipv6Step } from './ipv6-frame.ts'
import { ipv6Pieces } from './ipv6-pieces.ts'
import { hostOn, IPV6_TAPS, type Ipv6World, ipv6Topology, ROUTER_PREFIXES } from './ipv6-world.ts'
import { type Kind, NAME } from './kind.ts'

const worlds: fc.Arbitrary<Ipv6World> = fc.record({
  mtus: fc.tuple(mostly([1500, 1400, 1280], 1), mostly([1500, 1300, 1280], 1)),
  forwarding: often(fc.constant(true), fc.constant(false), 9),
  unlimited: fc.boolean(),
  hashPolicy: fc.constantFrom(0, 1),
  proxy: fc.boolean(),
})

/** Of the router. */
const COMMANDS = [
  `ip -6 rule add from ${hostOn(0, 3)} unreachable`,
  `ip -6 rule add from ${hostOn(0, 3)} prohibit`,
  `ip -6 rule add to ${ROUTER_PREFIXES[2]} blackhole`,
  'ip -6 rule add iif r0 lookup 100',
  'ip -6 rule add tos 0x10 lookup 100',
  'ip -6 rule add fwmark 7 lookup 100',
  'ip -6 rule add pref 100 lookup main suppress_prefixlength 0',
  `ip -6 route add default via ${hostOn(1, 2)} table 100`,
  `ip -6 route add ${ROUTER_PREFIXES[1]} via ${hostOn(2, 2)} table 100`,
  'ip -6 route add prohibit default table 100',
  `ip -6 route add default via ${hostOn(1, 2)}`,
  `ip -6 route add fd63::/32 via ${hostOn(1, 2)}`,
  'ip -6 route add local fd66::/64 dev lo',
  'ip -6 route add unreachable fd00::/8 metric 2000',
  'ip6tables -A FORWARD -p udp -j REJECT',
  'ip6tables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset',
  'ip6tables -A FORWARD -p icmpv6 -j REJECT --reject-with icmp6-adm-prohibited',
  'ip6tables -A FORWARD -m conntrack --ctstate INVALID -j DROP',
  'ip6tables -A INPUT -p icmpv6 --icmpv6-type echo-request -j DROP',
  'ip6tables -t mangle -A PREROUTING -p tcp -j MARK --set-mark 7',
  `ip6tables -t nat -A PREROUTING -d fd64::1 -j DNAT --to-destination ${hostOn(2, 2)}`,
  'ip6tables -t nat -A POSTROUTING -o r2 -j MASQUERADE',
  'ip6tables -t raw -A PREROUTING -m rpfilter --invert -j DROP',
  'sysctl -qw net.ipv6.conf.r0.forwarding=0',
  'sysctl -qw net.ipv6.conf.r0.force_forwarding=1',
  'sysctl -qw net.ipv6.conf.all.accept_source_route=1',
  'sysctl -qw net.ipv6.icmp.echo_ignore_multicast=1',
  'sysctl -qw net.ipv6.icmp.echo_ignore_anycast=1',
  'sysctl -qw net.ipv6.conf.r0.hop_limit=3',
  'sysctl -qw net.ipv6.bindv6only=1',
  'sysctl -qw net.ipv6.flowlabel_reflect=6',
  'sysctl -qw net.ipv6.auto_flowlabels=0',
  'sysctl -qw net.ipv6.max_dst_opts_number=-3',
  'sysctl -qw net.ipv6.max_hbh_opts_number=0',
  'ip link set r1 mtu 1280',
] as const

interface Case {
  readonly world: Ipv6World
  readonly commands: readonly string[]
  readonly frames: readonly Ipv6Frame[]
  /** Until dead neighbours are told of. */
  readonly patient: boolean
}

const cases: fc.Arbitrary<Case> = worlds.chain((world) =>
  fc.record({
    world: fc.constant(world),
    commands: often<readonly string[]>(
      fc.uniqueArray(fc.constantFrom(...COMMANDS), { maxLength: 3 }),
      fc.constant([]),
      2,
    ),
    frames: fc
      .array(
        often(
          ipv6Frames(world).map((frame) => [frame]),
          ipv6Pieces,
          6,
        ),
        { minLength: 1, maxLength: 12 },
      )
      .map((trains) => trains.flat()),
    patient: rarely(20),
  }),
)

/** Milliseconds in which a neighbour is asked for three times: NUD's mcast_solicit and retrans_time, and a moment. */
const PATIENCE = 3300

/**
 * Where packets meet rules, next hops are not chosen by ports: while anybody on the machine listens to nft's trace, Linux
 * computes their hash before that with a key of its own (nft_trace_init), and chooses by it (rt6_multipath_hash).
 */
const withSureNextHops = (world: Ipv6World, commands: readonly string[]): Ipv6World =>
  commands.some((command) => command.startsWith('ip6tables')) ? { ...world, hashPolicy: 0 } : world

function toScenario({ world: drawn, commands, frames, patient }: Case): Scenario {
  const world = withSureNextHops(drawn, commands)
  const steps: ScenarioStep[] = [
    ...commands.map((run) => ({ ns: 'r', run })),
    ...frames.flatMap((frame) => ipv6Step(frame, world.mtus)),
    ...(patient ? [{ wait: PATIENCE }] : []),
  ]
  return { id: NAME, topology: ipv6Topology(world), warm: [], steps, watch: IPV6_TAPS, show: ['fd'] }
}

export const ipv6: Kind = { name: 'ipv6', scenarios: cases.map(toScenario) }
