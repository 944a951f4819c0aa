/** What the backends make of leases. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { backends, type Uplink } from '../../../src/overlay/backend/backend.ts'
import type { Lease } from '../../../src/overlay/lease.ts'

const n1: Lease = {
  node: 'n1',
  backend: 'vxlan',
  ipv4: { subnet: '10.244.0.0/24', publicIp: '192.168.56.11', vtep: { vni: 1, mac: '02:f1:00:00:01:01' } },
}
const n2: Lease = {
  node: 'n2',
  backend: 'vxlan',
  ipv4: { subnet: '10.244.1.0/24', publicIp: '192.168.56.12', vtep: { vni: 1, mac: '02:f1:00:00:02:01' } },
}
const uplink: Uplink = { lease: n1, link: 'eth0', mtu: 1500, prefix: '192.168.56.11/24' }
const options = { vni: 1, port: 8472, mtu: undefined }

test('vxlan: one device, and a route, a neighbour and an FDB entry for every peer', () => {
  const { links, addresses, neighbours, fdb, routes } = backends.vxlan.plan(uplink, [n2], options)
  const device = { vni: 1, port: 8472, local: '192.168.56.11', device: 'eth0', learning: false }
  const birth = { kind: 'vxlan', name: 'flannel.1', mtu: 1450, vxlan: device, mac: '02:f1:00:00:01:01' }
  assert.deepEqual(links, [
    { name: 'flannel.1', kind: 'vxlan', mtu: 1450, mac: '02:f1:00:00:01:01', vxlan: device, birth },
  ])
  assert.deepEqual(addresses, [{ link: 'flannel.1', prefix: '10.244.0.0/32' }])
  assert.deepEqual(neighbours, [
    { link: 'flannel.1', address: '10.244.1.0', mac: '02:f1:00:00:02:01', state: 'permanent' },
  ])
  assert.deepEqual(fdb, [
    {
      link: 'flannel.1',
      mac: '02:f1:00:00:02:01',
      owner: 'self',
      state: 'permanent',
      destination: '192.168.56.12',
    },
  ])
  assert.deepEqual(routes, [
    { destination: '10.244.1.0/24', gateway: '10.244.1.0', link: 'flannel.1', onlink: true, protocol: 4 },
  ])
})

test('vxlan takes its 50 bytes from the smaller of the link and what is asked for', () => {
  assert.equal(backends.vxlan.mtu(uplink, options), 1450)
  assert.equal(backends.vxlan.mtu(uplink, { ...options, mtu: 1400 }), 1350)
  assert.equal(backends.vxlan.mtu({ ...uplink, mtu: 1300 }, { ...options, mtu: 1400 }), 1250)
})

test('vxlan refuses a peer without VTEP', () => {
  const without: Lease = { ...n2, ipv4: { subnet: '10.244.1.0/24', publicIp: '192.168.56.12' } }
  assert.throws(() => backends.vxlan.plan(uplink, [without], options), { name: 'RangeError', message: /"n2".*VTEP/ })
})

test('host-gw: a route for every peer, by its own address, and the whole MTU', () => {
  assert.deepEqual(backends['host-gw'].plan(uplink, [n2], options), {
    routes: [{ destination: '10.244.1.0/24', gateway: '192.168.56.12', link: 'eth0', protocol: 4 }],
  })
  assert.equal(backends['host-gw'].mtu(uplink, options), 1500)
})

test('host-gw refuses a peer in another segment, by its name and address', () => {
  const far = { ...n2, ipv4: { ...n2.ipv4!, publicIp: '192.168.57.13' } }
  assert.throws(() => backends['host-gw'].plan(uplink, [far], options), {
    name: 'RangeError',
    message: /"n2".*192\.168\.57\.13 is not on the link eth0 \(192\.168\.56\.11\/24\)/,
  })
})
