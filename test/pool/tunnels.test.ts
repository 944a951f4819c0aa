import assert from 'node:assert/strict'
import { test } from 'vitest'
import { backendOf } from '../../src/overlay/backend/backend.ts'
import { parseConfig } from '../../src/overlay/config.ts'
import type { Node } from '../../src/pool/nodes.ts'
import { poolOf, type VxlanMode } from '../../src/pool/pool.ts'
import { tunnelsFrom } from '../../src/pool/tunnels.ts'

const node = (name: string, ipv4: string, mac?: string): Node => ({
  name,
  ipv4,
  ipv6: undefined,
  as: 64512,
  routeReflectorClusterId: undefined,
  vtep: mac === undefined ? undefined : { mac, vni: 4096 },
  labels: {},
})
const self = node('n1', '192.168.1.1/24', '02:00:00:00:00:01')
const near = node('n2', '192.168.1.2/24', '02:00:00:00:00:02')
const far = node('n3', '192.168.2.3/24', '02:00:00:00:00:03')
const held = [
  { node: 'n1', prefix: '10.244.1.0/26' },
  { node: 'n2', prefix: '10.244.2.0/26' },
  { node: 'n3', prefix: '10.244.3.0/26' },
]
const pools = (vxlanMode: VxlanMode) => [poolOf({ cidr: '10.244.0.0/16', vxlanMode })]
const subnets = (mode: VxlanMode, nodes = [self, near, far]) =>
  tunnelsFrom(self, pools(mode), nodes, held).tunnels.map(({ subnet }) => subnet)

test('Never: none; Always: all of the others; CrossSubnet: those in another subnet', () => {
  assert.deepEqual(subnets('Never'), [])
  assert.deepEqual(subnets('Always'), ['10.244.2.0/26', '10.244.3.0/26'])
  assert.deepEqual(subnets('CrossSubnet'), ['10.244.3.0/26'])
})

test('what cannot be reached is told with the reason', () => {
  const reasons = (nodes: readonly Node[]) =>
    tunnelsFrom(self, pools('CrossSubnet'), nodes, held).leftOut.map(({ prefix, reason }) => `${prefix}: ${reason}`)
  assert.deepEqual(reasons([self, near]), ['10.244.3.0/26: node "n3" is not there'])
  assert.deepEqual(reasons([self, near, node('n3', '192.168.2.3/24')]), [
    '10.244.3.0/26: node "n3" has no VXLAN device',
  ])
  assert.deepEqual(reasons([self, near, { ...far, ipv4: undefined, ipv6: 'fd00::3/64' }]), [
    '10.244.3.0/26: node "n3" has no address of its family',
  ])
})

test("the overlay's VXLAN backend plans a route, a neighbour and an FDB entry for each tunnel", () => {
  const { tunnels } = tunnelsFrom(self, pools('CrossSubnet'), [self, near, far], held)
  const config = parseConfig(
    JSON.stringify({ Network: '10.244.0.0/16', SubnetLen: 26, Backend: { Type: 'vxlan', VNI: 4096, Port: 4789 } }),
  )
  const { links, routes, neighbours, fdb } = backendOf(config).plan({
    uplink: { link: 'eth0', mtu: 1500, ipv4: { address: self.ipv4!, publicIp: '192.168.1.1' } },
    // The device's own address is one that was given out to it.
    lease: { backend: 'vxlan', ipv4: { subnet: '10.244.1.7/32', publicIp: '192.168.1.1', vtep: self.vtep! } },
    peers: tunnels.map(({ subnet, publicIp, vtep }) => ({ backend: 'vxlan', ipv4: { subnet, publicIp, vtep } })),
    config: config as Parameters<ReturnType<typeof backendOf>['plan']>[0]['config'],
  })
  assert.deepEqual(
    links!.map(({ name, mac }) => `${name} ${mac}`),
    ['flannel.4096 02:00:00:00:00:01'],
  )
  assert.deepEqual(
    routes!.map(({ destination, gateway, link, onlink }) => [destination, gateway, link, onlink]),
    [['10.244.3.0/26', '10.244.3.0', 'flannel.4096', true]],
  )
  assert.deepEqual(
    neighbours!.map(({ address, mac }) => [address, mac]),
    [['10.244.3.0', '02:00:00:00:00:03']],
  )
  assert.deepEqual(
    fdb!.map(({ mac, destination }) => [mac, destination]),
    [['02:00:00:00:00:03', '192.168.2.3']],
  )
})
