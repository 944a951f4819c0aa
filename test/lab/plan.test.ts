import assert from 'node:assert/strict'
import { test } from 'vitest'
import { isNamespaceOf, namespaceOf, planLab } from '../../src/lab/plan.ts'
import { type Cluster, podNames, type Topology, type TopologyLink, twoNodes } from '../../src/lab/topology.ts'

const description = { kind: 'k8s-node', sysctls: {} }

test('two nodes: everything that will be made, under its final name', () => {
  assert.deepEqual(planLab(withCluster({ cni: { plugin: 'bridge', network: '10.244.0.0/16' } })), {
    name: 'two-nodes',
    nodes: [
      {
        name: 'n1',
        namespace: 'ovl-n1@two-nodes',
        description,
        podNetwork: { subnet: '10.244.1.0/24', hairpin: false },
      },
      {
        name: 'n2',
        namespace: 'ovl-n2@two-nodes',
        description,
        podNetwork: { subnet: '10.244.2.0/24', hairpin: false },
      },
    ],
    pods: [
      { name: 'web-0', namespace: 'ovl-web-0@two-nodes', node: 'n1', labels: {}, listen: [] },
      { name: 'web-1', namespace: 'ovl-web-1@two-nodes', node: 'n1', labels: {}, listen: [] },
      { name: 'api-0', namespace: 'ovl-api-0@two-nodes', node: 'n2', labels: {}, listen: [] },
      { name: 'api-1', namespace: 'ovl-api-1@two-nodes', node: 'n2', labels: {}, listen: [] },
    ],
    links: [
      {
        ends: [
          { node: 'n1', ifName: 'eth0', addresses: ['192.168.56.11/24'] },
          { node: 'n2', ifName: 'eth0', addresses: ['192.168.56.12/24'] },
        ],
        mtu: 1500,
      },
    ],
    routes: [
      { node: 'n1', destination: '10.244.2.0/24', gateway: '192.168.56.12' },
      { node: 'n2', destination: '10.244.1.0/24', gateway: '192.168.56.11' },
    ],
    services: [],
    podNetwork: '10.244.0.0/16',
  })
})

test('a pod without replicas is one', () => {
  assert.deepEqual(podNames({ db: { node: 'n1' }, web: { node: 'n1', replicas: 2 } }), ['db-0', 'web-0', 'web-1'])
})

test('one lab’s namespaces are not another’s, whatever the names have in common', () => {
  assert.ok(isNamespaceOf(namespaceOf('n1', 'a'), 'a'))
  assert.ok(!isNamespaceOf(namespaceOf('n1', 'b-a'), 'a'))
  assert.ok(!isNamespaceOf(namespaceOf('a', 'b'), 'a'))
  assert.ok(!isNamespaceOf('n1@a', 'a'))
})

const withCluster = (change: Partial<Cluster>): Topology => ({
  ...twoNodes,
  cluster: { ...twoNodes.cluster, ...change },
})
const withLink = (change: Partial<TopologyLink>): Topology => ({
  ...twoNodes,
  topology: { ...twoNodes.topology, links: [{ ...twoNodes.topology.links![0]!, ...change }] },
})
const unusable: { name: string; topology: Topology; says: RegExp }[] = [
  { name: 'a name that is a path', topology: { ...twoNodes, name: '../x' }, says: /name "\.\.\/x"/ },
  {
    name: 'a pod on a node that is not there',
    topology: withCluster({ pods: { web: { node: 'n3' } } }),
    says: /cluster\.pods\.web\.node "n3" is not among the nodes of kind k8s-node \(n1, n2\)/,
  },
  { name: 'no replicas', topology: withCluster({ pods: { web: { node: 'n1', replicas: 0 } } }), says: /replicas is 0/ },
  {
    name: 'a network without room for two nodes',
    topology: withCluster({ cni: { plugin: 'bridge', network: '10.244.0.0/23' } }),
    says: /no IPv4 network with a \/24 for each of 2 nodes/,
  },
  {
    name: 'a network of IPv6',
    topology: withCluster({ cni: { plugin: 'bridge', network: 'fd00::/48' } }),
    says: /"fd00::\/48" is no IPv4 network/,
  },
  {
    name: 'a link to nowhere',
    topology: withLink({ endpoints: ['n1:eth0', 'n9:eth0'] }),
    says: /links\[0\] ends at "n9"/,
  },
  {
    name: 'an end without interface',
    topology: withLink({ endpoints: ['n1', 'n2:eth0'] }),
    says: /names no interface/,
  },
  {
    name: 'two links on one interface',
    topology: withLink({ endpoints: ['n1:eth0', 'n1:eth0'] }),
    says: /another link/,
  },
  { name: 'an MTU too small', topology: withLink({ mtu: 60 }), says: /links\[0\]\.mtu is 60, allowed 68…65535/ },
  {
    name: 'an address without length',
    topology: withLink({ ipv4: ['10.0.0.1', '10.0.0.2/24'] }),
    says: /"10\.0\.0\.1"/,
  },
  {
    name: 'a pod called as a node',
    topology: {
      ...twoNodes,
      topology: { links: [], nodes: { 'web-0': { kind: 'k8s-node' } } },
      cluster: { ...twoNodes.cluster, pods: { web: { node: 'web-0' } } },
    },
    says: /"web-0" is a node's and a pod's/,
  },
]
for (const { name, topology, says } of unusable) {
  test(`a topology is refused: ${name}`, () => {
    assert.throws(() => planLab(topology), { name: 'RangeError', message: says })
  })
}

const withDaemons = (cni: Partial<NonNullable<Cluster['cni']>> = {}) =>
  withCluster({ cni: { plugin: 'flannel', backend: 'vxlan', daemons: true, ...cni } })

test('nodes with daemons have no subnet yet, and a configuration in common', () => {
  const { networkConfig, nodes } = planLab(withDaemons({ vni: 7, directRouting: true }))
  assert.deepEqual(JSON.parse(networkConfig!), {
    Network: '10.244.0.0/16',
    Backend: { Type: 'vxlan', VNI: 7, DirectRouting: true },
  })
  assert.deepEqual(
    nodes.map(({ daemon, overlay, podNetwork }) => ({ daemon, overlay, podNetwork })),
    Array(2).fill({ daemon: { backend: 'vxlan', link: 'eth0' }, overlay: undefined, podNetwork: { hairpin: true } }),
  )
})

test('host-gw is refused between nodes that are no neighbours, with and without daemons', () => {
  const apart: readonly string[] = ['192.168.56.11/24', '192.168.57.12/24']
  for (const daemons of [true, false]) {
    const topology = {
      ...withDaemons({ backend: 'host-gw', daemons }),
      topology: withLink({ ipv4: apart }).topology,
    }
    assert.throws(() => planLab(topology), {
      name: 'RangeError',
      message:
        'Cannot reach node "n2" from "n1" by host-gw: 192.168.57.12 is not on the link eth0 (192.168.56.11/24); use vxlan',
    })
  }
})

test('udp needs daemons: there is nothing else that would carry packets', () => {
  assert.throws(() => planLab(withDaemons({ backend: 'udp', daemons: false })), {
    name: 'UnsupportedError',
    message: 'unsupported: cluster.cni.backend: udp without daemons',
  })
})

test('a daemon needs a link by which others know its node', () => {
  const topology = { ...withDaemons(), topology: withLink({ ipv4: ['192.168.56.11/24'] }).topology }
  assert.throws(() => planLab(topology), {
    name: 'RangeError',
    message: 'Cannot run a daemon on node "n2": no link of it has an IPv4 address',
  })
})

test('what daemons could not use is refused before anything is made', () => {
  assert.throws(() => planLab(withDaemons({ mtu: 100 })), { name: 'RangeError', message: /^Cannot make an overlay/ })
})
