import assert from 'node:assert/strict'
import { test } from 'vitest'
import { type MeshSettings, meshOf, type Router } from '../../src/pool/mesh.ts'
import type { Node } from '../../src/pool/nodes.ts'

const node = (n: number, more: Partial<Node> = {}): Node => ({
  name: `n${n}`,
  ipv4: `192.168.77.${n}/24`,
  ipv6: undefined,
  as: 64512,
  routeReflectorClusterId: undefined,
  vtep: undefined,
  labels: {},
  ...more,
})
const mesh: MeshSettings = { nodeToNodeMesh: true, routers: [] }
const names = (self: Node, nodes: readonly Node[], settings = mesh) =>
  meshOf(self, nodes, settings).map(({ name, isClient }) => `${name}${isClient ? ' (client)' : ''}`)

test('every node speaks with every other, by the addresses that they tell', () => {
  const nodes = [node(1), node(2), node(3)]
  assert.deepEqual(names(nodes[0]!, nodes), ['n2', 'n3'])
  assert.deepEqual(meshOf(nodes[1]!, nodes, mesh)[0], {
    kind: 'node',
    name: 'n1',
    address: '192.168.77.1',
    remoteAs: 64512,
    localAddress: '192.168.77.2',
    families: ['ipv4'],
    isClient: false,
    clusterId: undefined,
  })
})

test('with the mesh switched off they speak with nobody', () => {
  const nodes = [node(1), node(2)]
  assert.deepEqual(names(nodes[0]!, nodes, { ...mesh, nodeToNodeMesh: false }), [])
})

test('where some reflect, the others speak with them alone, and they with everybody', () => {
  const nodes = [
    node(1, { routeReflectorClusterId: '244.0.0.1' }),
    node(2, { routeReflectorClusterId: '244.0.0.1' }),
    node(3),
    node(4),
  ]
  assert.deepEqual(names(nodes[2]!, nodes), ['n1', 'n2'])
  assert.deepEqual(names(nodes[0]!, nodes), ['n2', 'n3 (client)', 'n4 (client)'])
  const [, client] = meshOf(nodes[0]!, nodes, { ...mesh, nodeToNodeMesh: false })
  assert.equal(client!.clusterId, '244.0.0.1')
})

test('both ends of every pair work out the same', () => {
  const reflectors = { routeReflectorClusterId: '244.0.0.1' }
  const nodes = [
    node(1, reflectors),
    node(2),
    node(3, { ipv6: 'fd00::3/64' }),
    node(4, { as: 64513 }),
    node(5, reflectors),
  ]
  for (const one of nodes) {
    for (const other of nodes) {
      const has = (from: Node, to: Node) => meshOf(from, nodes, mesh).find(({ name }) => name === to.name)
      assert.equal(has(one, other) === undefined, has(other, one) === undefined, `${one.name} and ${other.name}`)
      assert.deepEqual(has(one, other)?.families, has(other, one)?.families)
    }
  }
})

test('nodes of both families have one session for both, those of IPv6 alone have one by IPv6', () => {
  const dual = [node(1, { ipv6: 'fd00::1/64' }), node(2, { ipv6: 'fd00::2/64' })]
  assert.deepEqual(meshOf(dual[0]!, dual, mesh)[0]!.families, ['ipv4', 'ipv6'])
  const six = [node(1, { ipv6: 'fd00::1/64' }), node(2, { ipv4: undefined, ipv6: 'fd00::2/64' })]
  const [neighbour] = meshOf(six[0]!, six, mesh)
  assert.deepEqual([neighbour!.address, neighbour!.localAddress, neighbour!.families], ['fd00::2', 'fd00::1', ['ipv6']])
  const none = [node(1), node(2, { ipv4: undefined, ipv6: 'fd00::2/64' })]
  assert.deepEqual(meshOf(none[0]!, none, mesh), [])
})

test('towards a node of another AS nothing is reflected', () => {
  const nodes = [node(1, { routeReflectorClusterId: '244.0.0.1' }), node(2, { as: 64513 })]
  assert.deepEqual(names(nodes[0]!, nodes), ['n2'])
  assert.equal(meshOf(nodes[0]!, nodes, mesh)[0]!.remoteAs, 64513)
})

test('routers are for the nodes that are named, or selected by their labels', () => {
  const router = (n: number, more: Partial<Router>): Router => ({
    name: `tor${n}`,
    address: `10.0.0.${n}`,
    as: 65000 + n,
    nodes: undefined,
    nodeSelector: 'all()',
    ...more,
  })
  const routers = [
    router(1, { nodeSelector: "rack == 'r1'" }),
    router(2, { nodeSelector: "rack == 'r2'" }),
    router(3, { nodes: ['n7'] }),
    router(4, {}),
  ]
  const self = node(7, { labels: { rack: 'r1' } })
  const settings = { nodeToNodeMesh: false, routers }
  assert.deepEqual(names(self, [self], settings), ['tor1', 'tor3', 'tor4'])
  assert.equal(meshOf(self, [self], settings)[0]!.localAddress, undefined)
})
