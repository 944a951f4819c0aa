/** Situations beside the rig's own: proxy ARP, IPv6, rate limits, drawn ports, fragments behind a bridge, marks. */
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import type { Scenario, ScenarioStep } from '../../../src/oracle/scenario.ts'
import { arpRequest, udp, udp6, udpInTwo } from './frames.ts'
import { from, onRig, run, ways } from './rig.ts'

const A = '02:00:00:00:0a:01'
const R = '02:00:00:00:0a:02'

/** A pod as Calico attaches it: its gateway 169.254.1.1 is nowhere, and the node answers for it. */
function calico(
  id: string,
  title: string,
  steps: readonly ScenarioStep[],
  { routed }: { routed: boolean },
): FixedScenario {
  const scenario: Scenario = {
    id,
    topology: {
      name: id,
      topology: {
        nodes: {
          n1: {
            sysctls: { 'net.ipv4.ip_forward': 1 },
            routes: [
              { to: '10.65.0.2/32', dev: 'cali0', scope: 'link' },
              ...(routed ? [{ to: 'default', via: '192.168.56.12' }] : []),
            ],
          },
          n2: {},
          pod: { routes: [{ to: '169.254.1.1/32', dev: 'eth0', scope: 'link' }] },
        },
        links: [
          {
            endpoints: [
              { node: 'n1', interface: 'eth0', mac: '02:00:00:00:01:01', addresses: ['192.168.56.11/24'] },
              { node: 'n2', interface: 'eth0', mac: '02:00:00:00:02:01', addresses: ['192.168.56.12/24'] },
            ],
          },
          {
            endpoints: [
              { node: 'pod', interface: 'eth0', mac: A, addresses: ['10.65.0.2/32'] },
              { node: 'n1', interface: 'cali0', mac: R },
            ],
          },
        ],
      },
    },
    warm: [],
    steps: [
      run('n1', 'sysctl -qw net.ipv4.conf.cali0.proxy_arp=1'),
      ...steps,
      from('pod', arpRequest({ from: A, source: '10.65.0.2', destination: '169.254.1.1' })),
    ],
    watch: ['pod:eth0', 'n1:cali0', 'n1:eth0'],
    show: ['10.65.', '169.254.'],
  }
  return { title, scenario, tail: 1_000, tolerance: 900 }
}

/** a – r – b, the second link with an MTU of 1400. */
function routed(id: string, title: string, steps: readonly ScenarioStep[]): FixedScenario {
  const scenario: Scenario = {
    id,
    topology: {
      name: id,
      topology: {
        nodes: {
          a: {
            ipv6: true,
            routes: [
              { to: 'default', via: '10.1.0.1' },
              { to: 'default', via: '2001:db8:1::1' },
            ],
          },
          r: { ipv6: true, sysctls: { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 } },
          b: {
            ipv6: true,
            routes: [
              { to: 'default', via: '10.2.0.1' },
              { to: 'default', via: '2001:db8:2::1' },
            ],
          },
        },
        links: [
          {
            endpoints: [
              { node: 'a', interface: 'eth0', mac: A },
              { node: 'r', interface: 'left', mac: R },
            ],
            ipv4: ['10.1.0.2/24', '10.1.0.1/24'],
            ipv6: ['2001:db8:1::2/64', '2001:db8:1::1/64'],
          },
          {
            endpoints: [
              { node: 'b', interface: 'eth0', mac: '02:00:00:00:0a:04' },
              { node: 'r', interface: 'right', mac: '02:00:00:00:0a:03' },
            ],
            ipv4: ['10.2.0.2/24', '10.2.0.1/24'],
            ipv6: ['2001:db8:2::2/64', '2001:db8:2::1/64'],
            mtu: 1400,
          },
        ],
      },
    },
    warm: [
      ['a', '10.2.0.2'],
      // One behind the other: without a link-local address nobody looks for a neighbour on behalf of a third.
      ['a', '2001:db8:1::1'],
      ['r', '2001:db8:2::2'],
    ],
    steps,
    watch: ['a:eth0', 'r:left', 'r:right', 'b:eth0'],
    show: [],
  }
  return { title, scenario }
}

const overIpv6 = { from: A, to: R, source: '2001:db8:1::2', destination: '2001:db8:2::2' }
const probes = (destination: string, ttl: number): ScenarioStep[] =>
  Array.from({ length: 30 }, (_, i) =>
    from('a', udp({ from: A, to: R, source: '10.1.0.2', destination, ttl, id: 1 + i })),
  )

export const others: readonly FixedScenario[] = [
  calico('X1a', 'proxy ARP without a route to what is asked for: no answer', [], { routed: false }),
  calico('X1b', 'proxy ARP with a route: an answer, which Linux delays by up to 0.8 s', [], { routed: true }),
  calico('X1c', 'proxy ARP without a delay', [run('n1', 'sysctl -qw net.ipv4.neigh.cali0.proxy_delay=0')], {
    routed: true,
  }),
  routed('X3', 'IPv6: a packet too big for the way on', [from('a', udp6(overIpv6, 1500))]),
  routed('X4a', '30 packets whose time is up, at once: how many errors', probes('10.2.0.2', 1)),
  routed('X4b', '30 packets to nowhere, at once: how many errors', probes('203.0.113.1', 64)),
  onRig('X5', 'two pods with one source port are masqueraded', [
    run('n1', 'iptables -t nat -A POSTROUTING -s 10.244.0.0/16 -o eth0 -j MASQUERADE'),
    from('p1', udp({ ...ways.p1, destination: '192.168.56.12', id: 1 }, 29, [40_000, 4001])),
    from('p2', udp({ ...ways.p2, destination: '192.168.56.12', id: 2 }, 29, [40_000, 4001])),
    from('p1', udp({ ...ways.p1, destination: '192.168.56.12', id: 3 }, 29, [40_000, 4001])),
  ]),
  onRig('X6', 'fragments that a bridge puts together for conntrack', [
    run('n1', 'iptables -t nat -A POSTROUTING -s 10.99.0.0/16 -j MASQUERADE'),
    ...udpInTwo({ ...ways.p1, destination: '10.244.1.2', id: 6 }, 1828, 1000).map((hex) => from('p1', hex)),
  ]),
  onRig('X7', 'a mark that is not taken off again is that of the tunnel packet, too', [
    run('n1', 'iptables -t nat -A PREROUTING -s 10.244.0.2 -j MARK --set-xmark 0x4000/0x4000'),
    run('n1', 'iptables -t mangle -A POSTROUTING -o eth0 -m mark --mark 0x4000/0x4000 -j DROP'),
    run('n1', 'iptables -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE'),
    from('p1', udp({ ...ways.p1, destination: '10.244.1.2', id: 7 })),
    from('p2', udp({ ...ways.p2, destination: '10.244.1.2', id: 8 })),
  ]),
]
