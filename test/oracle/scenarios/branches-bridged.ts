/** What bridges and br_netfilter refuse: what no other scenario makes the model decide. */
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import type { ScenarioStep } from '../../../src/oracle/scenario.ts'
import { toHex } from '../../../src/trace/hex.ts'
import { type Frame, frame, MAC } from '../../model/ipv4/frames.ts'
import { fragments as fragments6, frame as frame6, udp as udp6 } from '../../model/ipv6/frames.ts'
import { udp } from './frames.ts'
import { from, macs, onRig, run, ways } from './rig.ts'
import { arp } from './router.ts'

/** Milliseconds: until a bridge has heard that a port's carrier is gone. */
const LINKWATCH = 1_500

const toPod = (id: number) => from('p1', udp({ ...ways.p1, to: macs.p2, destination: '10.244.0.3', id }))
/** From p1 to a group that nobody here is in. */
const toGroup = (frames: readonly Frame[]) =>
  frames.map((each, i) => {
    const group = { to: '01:00:5e:05:05:05', source: '10.244.0.2', destination: '224.5.5.5' }
    return from('p1', toHex(frame({ ...group, identification: 0x900 + i, ...each })))
  })
const group6 = { to: '33:33:00:00:00:05', source: 'fd01::2', destination: 'ff02::5' }
/** Cut off behind its header. */
const shortToGroup6 = from('p1', toHex(frame6(group6).subarray(0, 50)))
const physdev = (chain: string, match: string) => run('n1', `iptables ${chain} -m physdev ${match}`)
const redirect = (to: string) =>
  run('n1', `iptables -t nat -A PREROUTING -s 10.244.0.2 -p udp -j DNAT --to-destination ${to}`)

/** Sent to an address that the bridge must ask for; before anybody answers, the port that it came in by is another's. */
const redirectedFrom = (id: string, title: string, ...lost: readonly ScenarioStep[]): FixedScenario =>
  onRig(
    id,
    `bridged DNAT, and ${title} before the new neighbour is known`,
    [
      redirect('10.244.0.9'),
      toPod(1),
      ...lost,
      from(
        'p2',
        arp({ to: macs.bridge1, from: macs.p2, operation: 2, sender: [10, 244, 0, 9], target: [10, 244, 0, 1] }),
      ),
    ],
    { tail: 100, show: ['10.244.0.9'] },
  )

/** a and b are ports of one bridge, which has an address of its own. */
function switched6(
  id: string,
  title: string,
  steps: readonly ScenarioStep[],
  options: Pick<FixedScenario, 'comparesEndings'> = {},
): FixedScenario {
  const scenario = {
    id,
    topology: {
      name: id,
      topology: {
        nodes: {
          a: { ipv6: true },
          s: {
            ipv6: true,
            sysctls: { 'net.ipv6.conf.all.forwarding': 1 },
            interfaces: {
              br0: {
                type: 'bridge',
                mac: MAC.r0,
                addresses: ['fd01::1/64'],
                ports: [{ interface: 'p1' }, { interface: 'p2' }],
              },
            },
          },
          b: { ipv6: true },
        },
        links: [
          {
            endpoints: [
              { node: 'a', interface: 'eth0', mac: MAC.a0, addresses: ['fd01::2/64'] },
              { node: 's', interface: 'p1', mac: MAC.r1 },
            ],
          },
          {
            endpoints: [
              { node: 'b', interface: 'eth0', mac: MAC.b0, addresses: ['fd01::3/64'] },
              { node: 's', interface: 'p2', mac: '02:00:00:00:01:02' },
            ],
          },
        ],
      },
    },
    warm: [['a', 'fd01::3']],
    steps,
    watch: ['a:eth0', 's:p1', 's:p2', 's:br0', 'b:eth0'],
    show: [],
  } as const
  return { title, scenario, ...options }
}

const between = { to: MAC.b0, source: 'fd01::2', destination: 'fd01::3' }
const redirect6 = run('s', 'ip6tables -t nat -A PREROUTING -p udp --dport 4001 -j DNAT --to-destination fd09::9')

export const bridged: readonly FixedScenario[] = [
  onRig('B30', 'a bridge that is down', [run('n1', 'ip link set cni0 down'), toPod(1)]),
  redirectedFrom('B31', "the sender's link goes down", run('p1', 'ip link set eth0 down'), { wait: LINKWATCH }),
  redirectedFrom('B32', 'the port leaves the bridge', run('n1', 'ip link set veth1 nomaster')),
  redirectedFrom('B33', 'the port is deleted', { wait: 100 }, run('n1', 'ip link del veth1')),
  onRig('B34', 'bridged ARP that is no ARP', [
    from('p1', `ffffffffffff${macs.p1.replaceAll(':', '')}0806000108000604`),
  ]),
  onRig('B35', 'bridged DNAT to where nothing from outside may go', [redirect('127.0.0.1'), toPod(1)]),
  switched6('B36', 'bridged DNAT of IPv6 to where no route leads', [redirect6, from('a', toHex(frame6(between)))]),
  switched6(
    'B37',
    'bridged IPv6 in fragments that do not fit the bridge',
    [
      run('s', 'ip6tables -t nat -A PREROUTING -p udp --dport 9 -j DNAT --to-destination fd09::9'),
      run('s', 'ip link set p2 mtu 1300'),
      run('b', 'ip link set eth0 mtu 1300'),
      ...fragments6(between, udp6(4000, 4001, 1592), 1400, 200).map((bytes) => from('a', toHex(bytes))),
    ],
    { comparesEndings: false },
  ),
  onRig(
    'B38',
    'what is for a group, and is no sound IP: br_netfilter sees it first, without it the bridge that snoops',
    [
      ...toGroup([{ version: 5 }]),
      run('n1', 'sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0'),
      ...toGroup([{ identification: 1 }, { version: 5 }, { length: 400 }, { length: 16 }, { wrongChecksum: true }]),
      shortToGroup6,
    ],
  ),
  onRig('B39', 'a bridged packet that may not be cut, and is too long for its port', [
    run('n1', 'ip link set veth2 mtu 1300'),
    from('p1', udp({ ...ways.p1, to: macs.p2, destination: '10.244.0.3', id: 1, dontFragment: true }, 1400)),
    from('p1', udp({ ...ways.p1, to: macs.p2, destination: '10.244.0.3', id: 2, dontFragment: true }, 1300)),
  ]),
  onRig('B60', 'rules that ask by which ports a packet is bridged', [
    physdev('-t raw -A PREROUTING', '--physdev-in veth1'),
    physdev('-t raw -A PREROUTING', '! --physdev-in veth1'),
    physdev('-A FORWARD', '--physdev-is-bridged'),
    physdev('-A FORWARD', '! --physdev-is-bridged'),
    physdev('-A FORWARD', '--physdev-is-in --physdev-is-out'),
    physdev('-A FORWARD', '! --physdev-is-in'),
    physdev('-A FORWARD', '! --physdev-is-out'),
    physdev('-A FORWARD', '--physdev-in veth1 --physdev-out veth2'),
    physdev('-A FORWARD', '--physdev-in veth+ ! --physdev-out veth2'),
    physdev('-t mangle -A POSTROUTING', '--physdev-is-bridged --physdev-out veth+'),
    physdev('-A FORWARD', '--physdev-in veth2 -j DROP'),
    toPod(1),
    from('p2', udp({ ...ways.p2, to: macs.p1, destination: '10.244.0.2', id: 2 })),
    from('p1', udp({ ...ways.p1, destination: '10.244.1.2', id: 3 })),
  ]),
  onRig('B61', 'bridged IPv6 that is cut off, where br_netfilter sees it first', [shortToGroup6]),
]
