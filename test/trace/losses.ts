/**
 * What a trace must say of a network in which something is wrong: the same rows for the model and for the real kernel. The
 * scenarios are those of test/golden, and of examples/topologies.
 */
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const rig = (name: string) => join(root, 'test/golden', `${name}.ovl.yml`)
const example = (name: string) => join(root, 'examples/topologies', `${name}.ovl.yml`)

export interface LossCase {
  readonly title: string
  readonly file: string
  readonly from: string
  readonly to: string
  readonly protocol: 'icmp' | 'tcp' | 'udp'
  readonly port?: number
  /** Commands that break it, each with its place; beside the faults that the file names. */
  readonly run?: readonly (readonly [place: string, line: string])[]
  readonly faults?: readonly string[]
  readonly reason: string
  /** `n1/flannel.1`. */
  readonly at: string
  /** Cause, object and value. */
  readonly why: readonly RegExp[]
  /** What is still wrong when the fix has been run. */
  readonly andThen?: string
  /** Why the real kernel of a lab says something else. */
  readonly modelOnly?: string
}

const services: LossCase['run'] = [
  ['n1', 'iptables -t nat -A PREROUTING -d 10.96.0.10/32 -p tcp --dport 80 -j DNAT --to-destination 10.244.1.2:8080'],
  ['n1', 'iptables -t nat -A PREROUTING -d 10.96.0.11/32 -p tcp --dport 80 -j DNAT --to-destination 10.244.0.3:8080'],
]

export const losses: readonly LossCase[] = [
  {
    title: 'S05: an answer that strict rp_filter refuses',
    file: rig('T2'),
    from: 'p1',
    to: 'n2',
    protocol: 'icmp',
    run: [['n1', 'sysctl -qw net.ipv4.conf.flannel/1.rp_filter=1']],
    reason: 'IP_RPFILTER',
    at: 'n1/flannel.1',
    why: [/192\.168\.56\.12 would be answered by eth0, not flannel\.1/, /rp_filter=1/],
  },
  {
    title: 'S08: a node that does not forward',
    file: rig('T2'),
    from: 'p1',
    to: 'p3',
    protocol: 'icmp',
    run: [['n1', 'sysctl -qw net.ipv4.ip_forward=0']],
    reason: 'IP_INADDRERRORS',
    at: 'n1/cni0',
    why: [/n1 does not forward/, /net\.ipv4\.conf\.cni0\.forwarding=0/],
  },
  {
    title: 'S11: a route that is a black hole',
    file: rig('T2'),
    from: 'p1',
    to: '10.244.200.1',
    protocol: 'icmp',
    run: [['n1', 'ip route add blackhole 10.244.128.0/17']],
    reason: 'OVL_ROUTE_BLACKHOLE',
    at: 'n1/cni0',
    why: [/blackhole 10\.244\.128\.0\/17/],
    andThen: 'IP_INNOROUTES',
  },
  {
    title: 'S15: the message that a packet is too big is filtered',
    file: rig('T2-1500'),
    from: 'p1',
    to: 'p3',
    protocol: 'tcp',
    port: 8080,
    run: [['p1', 'iptables -A INPUT -p icmp --icmp-type fragmentation-needed -j DROP']],
    reason: 'NETFILTER_DROP',
    at: 'p1/eth0',
    why: [/with DF do not fit 1450 at n1/, /3\/4 is dropped by rule 1 of chain INPUT/, /hangs for ever/],
  },
  {
    title: 'S17: the wire below carries less than believed',
    file: rig('T2'),
    from: 'p1',
    to: 'p3',
    protocol: 'tcp',
    port: 8080,
    run: [['n2', 'ip link set eth0 mtu 1400']],
    reason: 'OVL_VETH_MTU',
    at: 'n1/eth0',
    why: [/1514 B leave n1\/eth0 and never arrive/, /carries 1400 \(n2\/eth0\)/, /believes 1500/],
    modelOnly: 'veth passes on what its own segmentation offload has not cut up, however large',
  },
  {
    title: 'S19: an FDB entry is lost',
    file: rig('T2'),
    from: 'p1',
    to: 'p3',
    protocol: 'udp',
    port: 4001,
    run: [['n1', 'bridge fdb del 02:f1:00:00:02:01 dev flannel.1 dst 192.168.56.12 self']],
    reason: 'NO_TX_TARGET',
    at: 'n1/flannel.1',
    why: [/no FDB entry for 02:f1:00:00:02:01/, /192\.168\.56\.12/, /T2\.ovl\.yml:\d+/],
  },
  {
    title: 'S20: a permanent neighbour is lost',
    file: rig('T2'),
    from: 'p1',
    to: 'p3',
    protocol: 'udp',
    port: 4001,
    run: [['n1', 'ip neigh del 10.244.1.0 dev flannel.1']],
    reason: 'NEIGH_FAILED',
    at: 'n1/flannel.1',
    why: [/cannot resolve 10\.244\.1\.0: no permanent neighbour/, /never crosses a VXLAN/, /3\.06 s/],
  },
  {
    title: 'S21: a node has the MAC of a VTEP that is no more',
    file: rig('T2'),
    from: 'p1',
    to: 'p3',
    protocol: 'udp',
    port: 4001,
    run: [
      ['n1', 'ip neigh replace 10.244.1.0 lladdr 02:f1:00:00:99:99 dev flannel.1 nud permanent'],
      ['n1', 'bridge fdb add 02:f1:00:00:99:99 dev flannel.1 dst 192.168.56.12 self permanent'],
    ],
    reason: 'OTHERHOST',
    at: 'n2/flannel.1',
    why: [/inner MAC 02:f1:00:00:99:99 is not n2's/, /02:f1:00:00:02:01/, /n1 has 10\.244\.1\.0 at the old/],
  },
  {
    title: 'S22: a firewall takes the tunnel’s packets',
    file: rig('T2'),
    from: 'p1',
    to: 'p3',
    protocol: 'icmp',
    run: [['n2', 'iptables -A INPUT -p udp --dport 8472 -j DROP']],
    reason: 'NETFILTER_DROP',
    at: 'n2/eth0',
    why: [/rule 1 of chain INPUT \(table ip filter/, /port 8472, before decapsulation/],
  },
  {
    title: 'S24: the tunnel is down',
    file: rig('T2'),
    from: 'p1',
    to: 'p3',
    protocol: 'icmp',
    run: [['n2', 'ip link set flannel.1 down']],
    reason: 'NO_SOCKET',
    at: 'n2/eth0',
    why: [/flannel\.1 of n2 is down, so nothing listens at UDP port 8472/],
    andThen: 'IP_INNOROUTES', // the route went with the link
  },
  {
    title: 'S27: a service on the same node, without br_netfilter',
    file: rig('T2'),
    from: 'p1',
    to: '10.96.0.11',
    protocol: 'tcp',
    port: 80,
    run: [...services, ['n1', 'sysctl -qw net.bridge.bridge-nf-call-iptables=0']],
    reason: 'NO_SOCKET',
    at: 'p1/eth0',
    why: [
      /10\.244\.0\.3 → 10\.244\.0\.2 goes through the bridge/,
      /bridge-nf-call-iptables=0/,
      /SYN-ACK from a stranger/,
    ],
  },
  {
    title: 'S28: a pod calls its own service, and sees its own address',
    file: rig('T2'),
    from: 'p2',
    to: '10.96.0.11',
    protocol: 'tcp',
    port: 80,
    run: services,
    reason: 'IP_LOCAL_SOURCE',
    at: 'p2/eth0',
    why: [/from 10\.244\.0\.3, which is p2's own address/, /needs masquerade/],
  },
  {
    title: 'S30: a pod calls its own service, and hairpin is off',
    file: rig('T2'),
    from: 'p2',
    to: '10.96.0.11',
    protocol: 'tcp',
    port: 80,
    run: [
      ...services,
      ['n1', 'iptables -t nat -A POSTROUTING -s 10.244.0.3 -d 10.244.0.3 -j MASQUERADE'],
      ['n1', 'bridge link set dev veth2 hairpin off'],
    ],
    reason: 'OVL_BRIDGE_HAIRPIN_OFF',
    at: 'n1/veth2',
    why: [/does not send a frame back out of the port it came from/, /veth2 has hairpin_mode 0/],
  },
  {
    title: 'S32: a policy that lets in another pod only',
    file: rig('T2'),
    from: 'p2',
    to: 'p3',
    protocol: 'tcp',
    port: 8080,
    run: [
      ['n2', 'iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT'],
      ['n2', 'iptables -A FORWARD -d 10.244.1.2 -s 10.244.0.2 -p tcp --dport 8080 -j ACCEPT'],
      ['n2', 'iptables -A FORWARD -d 10.244.1.2 -j DROP'],
    ],
    reason: 'NETFILTER_DROP',
    at: 'n2/flannel.1',
    why: [/rule 3 of chain FORWARD/, /10\.244\.0\.3 → 10\.244\.1\.2 port 8080/],
  },
  ...exampleCases(),
]

function exampleCases(): LossCase[] {
  const overlay = { file: example('s02-overlay'), from: 'web-0', to: 'api-0', protocol: 'icmp' } as const
  return [
    {
      ...overlay,
      title: 'example s02, forwarding-off',
      faults: ['forwarding-off'],
      reason: 'IP_INADDRERRORS',
      at: 'n2/flannel.1',
      why: [/n2 does not forward/],
    },
    {
      ...overlay,
      title: 'example s02, lost-fdb: it was made for a lease',
      faults: ['lost-fdb'],
      reason: 'NO_TX_TARGET',
      at: 'n1/flannel.1',
      why: [/flannel lease n2/],
    },
    {
      ...overlay,
      title: 'example s02, lost-route',
      faults: ['lost-route'],
      reason: 'IP_INNOROUTES',
      at: 'n1/cni0',
      why: [/n1 has no route to 10\.244\.1\.2/, /n2 has 10\.244\.1\.0\/24, behind 10\.244\.1\.0/],
    },
    {
      title: 'example s15, no-messages',
      file: example('s15-mtu-black-hole'),
      from: 'web-0',
      to: 'api-0',
      protocol: 'tcp',
      port: 8080,
      faults: ['no-messages'],
      reason: 'NETFILTER_DROP',
      at: 'web-0/eth0',
      why: [/hangs for ever/],
    },
    {
      ...overlay,
      title: 'example s21, stale-vtep',
      file: example('s21-stale-vtep'),
      faults: ['stale-vtep'],
      reason: 'OTHERHOST',
      at: 'n2/flannel.1',
      why: [/flannel lease n2/],
    },
    {
      title: 'example s25, refused',
      file: example('s25-service'),
      from: 'web-0',
      to: 'svc/api',
      protocol: 'tcp',
      port: 80,
      faults: ['refused'],
      reason: 'NETFILTER_DROP',
      at: 'n2/flannel.1',
      why: [/rule 1 of chain FORWARD/],
    },
    {
      title: 'example s27, bridge-nf-off',
      file: example('s27-service-same-node'),
      from: 'web-0',
      to: 'svc/api',
      protocol: 'tcp',
      port: 80,
      faults: ['bridge-nf-off'],
      reason: 'NO_SOCKET',
      at: 'web-0/eth0',
      why: [/SYN-ACK from a stranger/],
    },
    {
      title: 'example s30, hairpin-off: the port is of a CNI ADD',
      file: example('s30-hairpin'),
      from: 'api-0',
      to: 'svc/api',
      protocol: 'tcp',
      port: 80,
      faults: ['hairpin-off'],
      reason: 'OVL_BRIDGE_HAIRPIN_OFF',
      at: 'n1/vethkf1dvpfgf3f',
      why: [/hairpin_mode 0 \(CNI ADD of api-0\)/],
    },
    {
      title: 'example s30, no-masquerade',
      file: example('s30-hairpin'),
      from: 'api-0',
      to: 'svc/api',
      protocol: 'tcp',
      port: 80,
      faults: ['no-masquerade'],
      reason: 'IP_LOCAL_SOURCE',
      at: 'api-0/eth0',
      why: [/needs masquerade/],
    },
  ]
}
