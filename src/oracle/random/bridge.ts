/**
 * Bridges: ports with hairpin and isolation, flooding and learning on and off, FDB entries by hand, MTUs that differ; one
 * switch or two in a row, a bridge that is a router between two networks.
 *
 *   h1 ── p1 ┐                ┌ p3 ── h3, of network 1 or, behind the router, of network 2
 *   h2 ── p2 ┴ br0 of s, t0 ──┴ br0 of t, where there is a second switch; else p3 is a port of s
 *
 * With a second switch there is no h2. There is no circle, and only one end of the wire between the switches may be a
 * hairpin: a frame would go round for ever.
 */
import fc from 'fast-check'
import type { TopologyInterface, TopologyLink, TopologyNode } from '../../lab/topology.ts'
import { addressOf, broadcastOf, macOf, STRANGER } from './address-plan.ts'
import { arpFrames, countedBytes, frameStep, frames, type Ground, headers, mostly, often, rarely } from './frame.ts'
import type { Kind } from './kind.ts'
import { among, type Deed, line, onOff, scenarioOf, settled, type World } from './world.ts'

const SWITCH = 9
const ROUTER = 1
const NETWORKS = [1, 2] as const

const HOSTS = [1, 2, 3] as const
type HostNumber = (typeof HOSTS)[number]

interface Port {
  readonly hairpin: boolean
  readonly isolated: boolean
  readonly mtu: number
}

interface Shape {
  readonly ports: readonly Port[]
  /** There is a second switch, and h3 is on it. */
  readonly chained: boolean
  /** Of network 2, and behind a bridge of its own, is h3. */
  readonly routed: boolean
  readonly hasAddress: boolean
  readonly forwarding: boolean
  readonly callsIptables: boolean
  readonly bridgeMtu: number | undefined
  readonly trunkHairpin: boolean
}

const shapes: fc.Arbitrary<Shape> = fc.record({
  ports: fc.tuple(...HOSTS.map(() => ports())),
  chained: rarely(3),
  routed: rarely(3),
  hasAddress: mostly([true, false], 2),
  forwarding: mostly([true, false]),
  callsIptables: fc.boolean(),
  bridgeMtu: mostly([undefined, 1400, 1000]),
  trunkHairpin: rarely(5),
})

function ports(): fc.Arbitrary<Port> {
  return fc.record({ hairpin: rarely(3), isolated: rarely(4), mtu: mostly([1500, 1400, 1000]) })
}

const hostMac = (host: number) => macOf(host, 0)
const bridgeMac = (bridge: number) => macOf(SWITCH, bridge)

function worldOf(shape: Shape): World {
  const { chained, routed, ports: options, hasAddress } = shape
  const portOf = (host: HostNumber) => ({ interface: `p${host}`, ...portFlags(options[host - 1]!) })
  const bridge = (index: number, own: TopologyPort[], network: number): TopologyInterface => ({
    type: 'bridge',
    mac: bridgeMac(index),
    ...(shape.bridgeMtu !== undefined && { mtu: shape.bridgeMtu }),
    ...(hasAddress && { addresses: [`${addressOf(network, ROUTER)}/24`] }),
    ports: own,
  })
  const [p1, p2, p3] = [portOf(1), portOf(2), portOf(3)]
  const trunk = chained ? [{ interface: 't0', ...(shape.trunkHairpin && { hairpin: true }) }] : []
  const separate = routed && !chained
  const interfaces = {
    br0: bridge(0, [p1, ...(chained ? trunk : [p2]), ...(chained || separate ? [] : [p3])], NETWORKS[0]),
    ...(separate && { br1: bridge(1, [p3], NETWORKS[1]) }),
  }
  const sysctls = {
    'net.ipv4.ip_forward': shape.forwarding ? 1 : 0,
    'net.bridge.bridge-nf-call-iptables': shape.callsIptables ? 1 : 0,
  }
  const nodes: Record<string, TopologyNode> = { s: { sysctls, interfaces } }
  if (chained)
    nodes.t = { sysctls, interfaces: { br0: { type: 'bridge', mac: bridgeMac(2), ports: [{ interface: 't0' }, p3] } } }
  const hosts = HOSTS.filter((host) => !chained || host !== 2)
  for (const host of hosts)
    nodes[`h${host}`] = { routes: [{ to: 'default', via: addressOf(networkOf(host, separate), ROUTER) }] }
  const links: TopologyLink[] = hosts.map((host) => ({
    endpoints: [
      { node: `h${host}`, interface: 'eth0', mac: hostMac(host), addresses: [`${hostAddress(host, separate)}/24`] },
      { node: chained && host === 3 ? 't' : 's', interface: `p${host}`, mac: macOf(SWITCH, 0x10 + host) },
    ],
    mtu: options[host - 1]!.mtu,
  }))
  if (chained) {
    // Ahead of p3's: the two have different indices, so each finds out at once that the other is down (`settled`).
    links.splice(1, 0, {
      endpoints: [
        { node: 's', interface: 't0', mac: macOf(SWITCH, 0x20) },
        { node: 't', interface: 't0', mac: macOf(SWITCH, 0x21) },
      ],
    })
  }
  return { nodes, links }
}

type TopologyPort = NonNullable<Extract<TopologyInterface, { type: 'bridge' }>['ports']>[number]

const portFlags = ({ hairpin, isolated }: Port) => ({ ...(hairpin && { hairpin }), ...(isolated && { isolated }) })

const networkOf = (host: number, separate: boolean) => (separate && host === 3 ? NETWORKS[1] : NETWORKS[0])

const hostAddress = (host: number, separate: boolean) => addressOf(networkOf(host, separate), 10 + host)

/** Groups of a bridge's own, of which some are never passed on (IEEE 802.1D table 7-10), and of hosts. */
const GROUPS = ['01:80:c2:00:00:00', '01:80:c2:00:00:01', '01:80:c2:00:00:0e', '01:00:5e:00:00:01', '01:00:5e:01:02:03']

function ground(host: HostNumber): Ground {
  const others = HOSTS.filter((other) => other !== host)
  return {
    ns: `h${host}`,
    dev: 'eth0',
    from: [hostMac(host), ...others.map(hostMac), GROUPS[3]!, bridgeMac(0), '00:00:00:00:00:00'],
    to: [
      hostMac(others[0]!),
      hostMac(others[1]!),
      bridgeMac(0),
      hostMac(host),
      'ff:ff:ff:ff:ff:ff',
      STRANGER.mac,
      ...GROUPS,
    ],
    sources: [addressOf(NETWORKS[0], 10 + host), addressOf(NETWORKS[0], 10 + others[0]!), addressOf(NETWORKS[1], 13)],
    destinations: [
      addressOf(NETWORKS[0], 10 + others[0]!),
      addressOf(NETWORKS[0], 10 + others[1]!),
      addressOf(NETWORKS[0], ROUTER),
      addressOf(NETWORKS[1], 13),
      addressOf(NETWORKS[1], ROUTER),
      addressOf(NETWORKS[1], 77),
      addressOf(NETWORKS[0], 10 + host),
      broadcastOf(NETWORKS[0]),
      '224.0.0.1',
      '255.255.255.255',
      STRANGER.address,
    ],
    mtus: [1500, 1400, 1000],
    sound: 2,
  }
}

/** A protocol that no stack has: only the bridge deals with it. IEEE 802's "Local Experimental EtherType 1". */
const EXPERIMENTAL = 0x88b5

const strange = (own: Ground) =>
  fc
    .tuple(headers(own), fc.constantFrom(46, 0, 1, 986, 987, 1386, 1486))
    .map(([header, size]) => frameStep(own, header, countedBytes(size), EXPERIMENTAL))

const sent: fc.Arbitrary<Deed> = fc
  .oneof(
    ...HOSTS.map((host) => {
      const own = ground(host)
      return fc.oneof(
        { weight: 8, arbitrary: frames(own) },
        { weight: 2, arbitrary: arpFrames(own) },
        { weight: 1, arbitrary: strange(own) },
      )
    }),
  )
  .map((step) => [step])

const port = among('p1', 'p2', 'p3', 't0')
const anyMac = among(...HOSTS.map(hostMac), STRANGER.mac, bridgeMac(0), GROUPS[4]!)
const mtu = among('1500', '1400', '1000', '1200')

const edits = fc.oneof(
  line('s', 'bridge link set dev', among('p1', 'p2', 'p3'), among('hairpin', 'isolated'), onOff),
  line('s', 'bridge link set dev', port, among('learning', 'flood', 'mcast_flood', 'bcast_flood', 'isolated'), onOff),
  line(
    's',
    'bridge fdb',
    among('add', 'replace', 'append'),
    anyMac,
    'dev',
    port,
    'master',
    among('static', 'permanent', 'dynamic', 'temp', ''),
  ),
  line('s', 'bridge fdb del', anyMac, 'dev', port, 'master'),
  line('s', 'ip link set', among('p1', 'p2', 'p3', 't0', 'br0'), 'mtu', mtu),
  line('s', 'ip link set', port, among('nomaster', 'master br0')),
  line('s', 'ip link set br0 type bridge', among('ageing_time 0', 'ageing_time 30000', 'stp_state 0')),
  line('s', 'ip link set br0 address', among(bridgeMac(0), bridgeMac(5))),
  line(
    's',
    'ip address',
    among('add', 'del'),
    among(`${addressOf(1, 1)}/24`, `${addressOf(2, 1)}/24`, `${addressOf(1, 2)}/24`),
    'dev br0',
  ),
  line(
    's',
    'sysctl -qw',
    among(
      'net.ipv4.ip_forward=0',
      'net.ipv4.ip_forward=1',
      'net.bridge.bridge-nf-call-iptables=0',
      'net.bridge.bridge-nf-call-iptables=1',
      'net.ipv4.conf.br0.proxy_arp=1',
      'net.ipv4.conf.br0.rp_filter=1',
    ),
  ),
  settled(line('s', 'ip link set', among('p2', 't0', 'br0'), among('down', 'up'))),
  settled(line('h2', 'ip link set eth0', among('down', 'up'))),
  line('t', 'bridge link set dev p3', among('hairpin', 'isolated', 'flood', 'learning'), onOff),
)

export const bridge: Kind = {
  name: 'bridge',
  scenarios: fc
    .tuple(shapes, fc.array(often(sent, edits, 3), { minLength: 1, maxLength: 9, size: 'max' }))
    .map(([shape, deeds]) => scenarioOf(worldOf(shape), deeds)),
}
