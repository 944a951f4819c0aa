/** The scenarios on the goldens' rig of which there is no golden. */
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import { TcpFlag } from '../../../src/wire/tcp.ts'
import { echo, tcp, udp } from './frames.ts'
import { from, macs, onRig, run, ways } from './rig.ts'

const { syn, ack } = TcpFlag
const toP3 = { ...ways.p1, destination: '10.244.1.2' }
const service =
  'iptables -t nat -A PREROUTING -d 10.96.0.11/32 -p tcp --dport 80 -j DNAT --to-destination 10.244.0.3:8080'
const large = 'T2-1500.ovl.yml'

export const rows: readonly FixedScenario[] = [
  onRig('S05', 'an answer that comes by another link than the question left by, and rp_filter is strict there', [
    run('n1', 'sysctl -qw net.ipv4.conf.flannel/1.rp_filter=1'),
    from('p1', echo({ ...ways.p1, destination: '192.168.56.12', id: 5 })),
  ]),
  onRig('S10', 'two nodes that route a network to each other', [
    run('n1', 'ip route add 10.244.9.0/24 via 10.244.1.0 dev flannel.1 onlink'),
    run('n2', 'ip route add 10.244.9.0/24 via 10.244.0.0 dev flannel.1 onlink'),
    from('p1', udp({ ...ways.p1, destination: '10.244.9.9', ttl: 6, id: 10 })),
  ]),
  onRig(
    'S13',
    'a packet too long for the tunnel that may be fragmented',
    [from('p1', udp({ ...toP3, id: 13 }, 1500))],
    {
      rig: large,
    },
  ),
  onRig('S18', 'the node knows that the way to the other one has a small MTU', [
    run('n1', 'ip route add 192.168.56.12/32 dev eth0 mtu 1400'),
    from('p1', udp({ ...toP3, id: 18 }, 1450)),
  ]),
  onRig(
    'S20',
    "nobody knows the MAC of the other node's tunnel",
    [run('n1', 'ip neigh del 10.244.1.0 dev flannel.1'), from('p1', udp({ ...toP3, id: 20 }))],
    { tail: 4_500 },
  ),
  onRig(
    'S27',
    'a service on the same node, and netfilter does not see what the bridge forwards',
    [
      run('n1', service),
      run('n1', 'sysctl -qw net.bridge.bridge-nf-call-iptables=0'),
      from(
        'p1',
        tcp({ ...ways.p1, destination: '10.96.0.11', id: 27 }, { ports: [40_000, 80], flags: syn, sequence: 100 }),
      ),
      from(
        'p2',
        tcp(
          { from: macs.p2, to: macs.p1, source: '10.244.0.3', destination: '10.244.0.2', id: 28 },
          { ports: [8080, 40_000], flags: syn | ack, sequence: 500, acknowledgment: 101 },
        ),
      ),
    ],
    { silent: ['p2'] },
  ),
  onRig(
    'S29',
    'a pod that reaches itself through a service, masqueraded',
    [
      run('n1', service),
      run('n1', 'iptables -t nat -A POSTROUTING -s 10.244.0.3 -d 10.244.0.3 -j MASQUERADE'),
      from(
        'p2',
        tcp({ ...ways.p2, destination: '10.96.0.11', id: 29 }, { ports: [40_000, 80], flags: syn, sequence: 100 }),
      ),
      from(
        'p2',
        tcp(
          { ...ways.p2, destination: '10.244.0.1', id: 30 },
          { ports: [8080, 40_000], flags: syn | ack, sequence: 500, acknowledgment: 101 },
        ),
      ),
    ],
    { silent: ['p2'] },
  ),
  onRig('S33', 'an answer without a question, and what is INVALID is dropped', [
    run('n2', 'iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP'),
    from(
      'p1',
      tcp({ ...toP3, id: 33 }, { ports: [8080, 40_000], flags: syn | ack, sequence: 500, acknowledgment: 101 }),
    ),
  ]),
  onRig('S37', "a pod's packet that comes by the wire and not through the tunnel, and rp_filter is strict there", [
    run('n1', 'sysctl -qw net.ipv4.conf.eth0.rp_filter=1'),
    from('n2', udp({ from: macs.n2, to: macs.n1, source: '10.244.1.2', destination: '10.244.0.2', id: 37 })),
  ]),
]
