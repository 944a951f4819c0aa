/** Who speaks BGP with whom, of a topology; and what is wrong with one. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { birdFiles } from '../../src/lab/bgp/bird.ts'
import { frrFiles } from '../../src/lab/bgp/frr.ts'
import { faultsOf } from '../../src/lab/check-topology.ts'
import { planLab } from '../../src/lab/plan.ts'
import type { Topology, TopologyBgp, TopologyNode } from '../../src/lab/topology.ts'
import { parseTopology, TopologyError } from '../../src/lab/topology-file.ts'

/** Nodes on one switch, the first at 192.168.56.1. */
function onOneSwitch(nodes: Readonly<Record<string, TopologyNode>>, bgp?: TopologyBgp): Topology {
  return {
    name: 'lan',
    topology: {
      nodes: { ...nodes, sw: { kind: 'bridge' } },
      links: Object.keys(nodes).map((name, i) => ({
        endpoints: [`${name}:eth0`, `sw:${name}`],
        ipv4: [`192.168.56.${i + 1}/24`],
      })),
    },
    cluster: { cni: { plugin: 'calico', backend: 'bgp' }, ...(bgp && { bgp }) },
  }
}

const node: TopologyNode = { kind: 'k8s-node' }
const router: TopologyNode = { kind: 'linux' }

const speakersOf = (topology: Topology) =>
  new Map(planLab(topology).nodes.flatMap(({ name, speaker }) => (speaker ? [[name, speaker.config]] : [])))

/** `n1 – n2`: who has whom as a neighbour; every session is there from both sides. */
function sessionsOf(topology: Topology): string[] {
  return [...speakersOf(topology).values()].flatMap(({ name, neighbors }) =>
    neighbors.map((each) => `${name} ${each.name}`),
  )
}

const neighbour = (topology: Topology, name: string, other: string) =>
  speakersOf(topology)
    .get(name)!
    .neighbors.find((each) => each.name === other)!

test('where nothing else is said every node speaks with every other, and announces its block', () => {
  const topology = onOneSwitch({ n1: node, n2: node, n3: node })
  assert.deepEqual(sessionsOf(topology), ['n1 n2', 'n1 n3', 'n2 n1', 'n2 n3', 'n3 n1', 'n3 n2'])
  const { routerId, as, networks, neighbors } = speakersOf(topology).get('n2')!
  assert.deepEqual(
    { routerId, as, networks },
    { routerId: '192.168.56.2', as: 64_512, networks: [{ prefix: '10.244.2.0/26', blackhole: true }] },
  )
  assert.deepEqual(neighbors[0], {
    name: 'n1',
    address: '192.168.56.1',
    remoteAs: 64_512,
    localAddress: '192.168.56.2',
    holdTime: 9,
    connectRetry: 2,
    rrClient: false,
    nextHopSelf: false,
    exportAll: false,
    allowAsIn: 0,
    gracefulRestart: { time: 120 },
  })
})

test('with a reflector nodes speak with it alone, and are its clients', () => {
  const topology = onOneSwitch({ n1: node, n2: node, rr: { ...router, bgp: { reflector: true } } })
  assert.deepEqual(sessionsOf(topology), ['n1 rr', 'n2 rr', 'rr n1', 'rr n2'])
  assert.equal(neighbour(topology, 'rr', 'n1').rrClient, true)
  assert.equal(neighbour(topology, 'n1', 'rr').rrClient, false)
  assert.deepEqual(speakersOf(topology).get('rr')!.networks, [])
})

test('several reflectors speak with each other as peers; a node that carries pods can be one', () => {
  const topology = onOneSwitch({
    n1: { ...node, bgp: { reflector: true } },
    n2: { ...node, bgp: { reflector: true } },
    n3: node,
  })
  assert.deepEqual(sessionsOf(topology), ['n1 n2', 'n1 n3', 'n2 n1', 'n2 n3', 'n3 n1', 'n3 n2'])
  assert.equal(neighbour(topology, 'n1', 'n2').rrClient, false)
  assert.equal(neighbour(topology, 'n1', 'n3').rrClient, true)
})

test('in a rack of one AS the router reflects, and is the next hop itself', () => {
  const topology = onOneSwitch(
    { n1: node, n2: node, tor: router },
    { racks: { a: { as: 65_001, nodes: ['n1', 'n2'], routers: ['tor'] } } },
  )
  assert.deepEqual(sessionsOf(topology), ['n1 tor', 'n2 tor', 'tor n1', 'tor n2'])
  const { remoteAs, rrClient, nextHopSelf } = neighbour(topology, 'tor', 'n1')
  assert.deepEqual({ remoteAs, rrClient, nextHopSelf }, { remoteAs: 65_001, rrClient: true, nextHopSelf: true })
  assert.deepEqual(speakersOf(topology).get('tor')!.networks, [{ prefix: '192.168.56.0/24', blackhole: false }])
})

test('a router can be in several racks', () => {
  const racks = { a: { nodes: ['n1'], routers: ['tor'] }, b: { nodes: ['n2'], routers: ['tor'] } }
  assert.deepEqual(sessionsOf(onOneSwitch({ n1: node, n2: node, tor: router }, { racks })), [
    'n1 tor',
    'n2 tor',
    'tor n1',
    'tor n2',
  ])
})

test('nodes of one AS behind a router of another take routes in which their own AS stands', () => {
  const bgp = { racks: { a: { nodes: ['n1', 'n2'], routers: ['tor'] } } }
  const ofOne = onOneSwitch({ n1: node, n2: node, tor: { ...router, bgp: { as: 65_000 } } }, bgp)
  assert.equal(neighbour(ofOne, 'n1', 'tor').allowAsIn, 1)
  assert.equal(neighbour(ofOne, 'tor', 'n1').allowAsIn, 0)
  const ofTheirOwn = onOneSwitch(
    { n1: { ...node, bgp: { as: 65_001 } }, n2: node, tor: { ...router, bgp: { as: 65_000 } } },
    bgp,
  )
  assert.equal(neighbour(ofTheirOwn, 'n1', 'tor').allowAsIn, 0)
})

test('mesh and gracefulRestart are as the file says', () => {
  assert.deepEqual(sessionsOf(onOneSwitch({ n1: node, n2: node }, { mesh: false })), [])
  const { gracefulRestart, holdTime } = neighbour(
    onOneSwitch({ n1: node, n2: node }, { gracefulRestart: false, holdTime: 30 }),
    'n1',
    'n2',
  )
  assert.deepEqual([gracefulRestart, holdTime], [undefined, 30])
})

const wrong: readonly { readonly title: string; readonly topology: Topology; readonly says: string }[] = [
  {
    title: 'a rack of a node that is not there',
    topology: onOneSwitch({ n1: node, tor: router }, { racks: { a: { nodes: ['n9'], routers: ['tor'] } } }),
    says: 'cluster.bgp.racks.a.nodes[0] "n9" is not among the nodes (n1, tor, sw)',
  },
  {
    title: 'a node as a router',
    topology: onOneSwitch({ n1: node, n2: node }, { racks: { a: { nodes: ['n1'], routers: ['n2'] } } }),
    says: 'cluster.bgp.racks.a.routers[0] "n2" is a k8s-node, and no router',
  },
  {
    title: 'a node in two racks',
    topology: onOneSwitch(
      { n1: node, t1: router, t2: router },
      { racks: { a: { nodes: ['n1'], routers: ['t1'] }, b: { nodes: ['n1'], routers: ['t2'] } } },
    ),
    says: 'cluster.bgp.racks.b.nodes[0] "n1" is in rack "a", too',
  },
  {
    title: 'a router of two racks that are different AS',
    topology: onOneSwitch(
      { n1: node, n2: node, tor: router },
      {
        racks: {
          a: { as: 65_001, nodes: ['n1'], routers: ['tor'] },
          b: { as: 65_002, nodes: ['n2'], routers: ['tor'] },
        },
      },
    ),
    says: 'cluster.bgp.racks.b.routers[0] "tor" is in racks of different AS: say its own, topology.nodes.tor.bgp.as',
  },
  {
    title: 'a reflector of another AS',
    topology: onOneSwitch({ n1: node, rr: { ...router, bgp: { as: 65_000, reflector: true } } }),
    says: 'topology.nodes.rr.bgp.reflector: AS 65000 is not that of "n1", 64512',
  },
  {
    title: 'a program for our own speaker',
    topology: onOneSwitch({ n1: node, tor: { ...router, bgp: { router: 'overlab', programs: '/usr/sbin' } } }),
    says: 'topology.nodes.tor.bgp.programs: only bird and frr are programs of others',
  },
  {
    title: 'BGP between flannel’s nodes',
    topology: { ...onOneSwitch({ n1: node }), cluster: { cni: { plugin: 'flannel', backend: 'bgp' } } },
    says: 'cluster.cni.backend "bgp" goes with plugin calico, not flannel',
  },
]
for (const { title, topology, says } of wrong) {
  test(`${title} is refused`, () => {
    assert.deepEqual(
      faultsOf(topology).map(({ message }) => message),
      [says],
    )
  })
}

test('a router without a link to its nodes is refused', () => {
  const { topology, ...rest } = onOneSwitch(
    { n1: node, tor: router },
    { racks: { a: { nodes: ['n1'], routers: ['tor'] } } },
  )
  const apart = { ...rest, topology: { ...topology, links: topology.links!.slice(0, 1) } }
  assert.deepEqual(
    faultsOf(apart).map(({ message }) => message),
    ['cluster.bgp.racks.a.nodes[0] "n1" shares no IPv4 network with router "tor"'],
  )
})

test('the shape of it is checked with line and column', () => {
  const text = `name: lab
topology:
  nodes:
    n1: { kind: k8s-node, bgp: { as: 0 } }
    t1: { bgp: { router: quagga } }
cluster:
  cni: { plugin: calico, backend: bgp }
  bgp: { racks: { a: { nodes: [n1] } } }
`
  assert.throws(
    () => parseTopology(text, 'lab.ovl.yml'),
    (error) => {
      assert.ok(error instanceof TopologyError)
      assert.deepEqual(error.message.split('\n').sort(), [
        'lab.ovl.yml:4:34: topology.nodes.n1.bgp.as is 0: must be >= 1',
        'lab.ovl.yml:5:18: topology.nodes.t1.bgp.router is "quagga", allowed: overlab, bird, frr',
        'lab.ovl.yml:8:19: cluster.bgp.racks.a lacks "routers"',
      ])
      return true
    },
  )
})

test('BIRD and FRR are told the same in their own words', () => {
  const topology = onOneSwitch(
    { n1: node, tor: router },
    { racks: { a: { as: 65_001, nodes: ['n1'], routers: ['tor'] } }, gracefulRestart: false },
  )
  const config = speakersOf(topology).get('tor')!
  const bird = birdFiles(config)['bird.conf']!
  assert.match(bird, /^ {2}local 192\.168\.56\.2 as 65001;\n {2}neighbor 192\.168\.56\.1 as 65001;$/m)
  assert.match(bird, /^ {2}rr client;$/m)
  assert.match(bird, /^ {4}next hop self;$/m)
  const frr = frrFiles(config)['bgpd.conf']!
  assert.match(frr, /^ neighbor 192\.168\.56\.1 remote-as 65001$/m)
  assert.match(frr, /^ {2}network 192\.168\.56\.0\/24$/m)
  assert.match(
    frr,
    /^ {2}neighbor 192\.168\.56\.1 next-hop-self force\n {2}neighbor 192\.168\.56\.1 route-reflector-client$/m,
  )
})
