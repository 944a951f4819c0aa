import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { createModel, type ModelKernel } from '../../src/model/create.ts'
import { Vxlan } from '../../src/model/device/vxlan.ts'

const PEERS = 40
const mac = (peer: number) => `02:f1:00:00:00:${(peer + 1).toString(16).padStart(2, '0')}`

/** A node of a cluster that knows many others, of which it has spoken with none. */
function node(): { kernel: ModelKernel; vxlan: Vxlan } {
  const kernel = createModel()
  kernel.links.add({ kind: 'dummy', name: 'eth0', up: true })
  kernel.addresses.add({ link: 'eth0', prefix: '192.168.0.1/24' })
  kernel.links.add({
    kind: 'vxlan',
    name: 'flannel.1',
    up: true,
    vxlan: { vni: 1, local: '192.168.0.1', port: 8472, learning: false },
  })
  kernel.addresses.add({ link: 'flannel.1', prefix: '10.244.255.0/32' })
  for (let peer = 0; peer < PEERS; peer++) {
    const gateway = `10.244.${peer}.0`
    kernel.neighbours.add({ link: 'flannel.1', address: gateway, mac: mac(peer), state: 'permanent' })
    kernel.fdb.add({ link: 'flannel.1', owner: 'self', mac: mac(peer), destination: `192.168.0.${peer + 2}` })
    kernel.routes.add({ destination: `${gateway}/24`, link: 'flannel.1', gateway, onlink: true, metric: peer })
  }
  const vxlan = kernel.namespace.devices.get('flannel.1')
  assert.ok(vxlan instanceof Vxlan)
  return { kernel, vxlan }
}

describe('what nobody has asked for', () => {
  test('is listed as it was set', () => {
    const { kernel } = node()
    const routes = kernel.routes.list({ link: 'flannel.1' }).filter(({ onlink }) => onlink)
    assert.deepEqual(
      routes.map(({ destination, gateway, metric }) => [destination, gateway, metric ?? 0]).sort(),
      Array.from({ length: PEERS }, (_, peer) => [`10.244.${peer}.0/24`, `10.244.${peer}.0`, peer]).sort(),
    )
    assert.deepEqual(
      kernel.neighbours
        .list({ link: 'flannel.1' })
        .map((each) => `${each.address} ${each.mac} ${each.state}`)
        .sort(),
      Array.from({ length: PEERS }, (_, peer) => `10.244.${peer}.0 ${mac(peer)} permanent`).sort(),
    )
    assert.deepEqual(
      kernel.fdb
        .list({ link: 'flannel.1' })
        .map((each) => `${each.mac} ${each.destination} ${each.state}`)
        .sort(),
      Array.from({ length: PEERS }, (_, peer) => `${mac(peer)} 192.168.0.${peer + 2} permanent`).sort(),
    )
  })

  test('is there already, when somebody adds it again', () => {
    const { kernel } = node()
    const exists = { name: 'KernelError', errno: 'EEXIST' }
    assert.throws(
      () => kernel.neighbours.add({ link: 'flannel.1', address: '10.244.30.0', mac: mac(1), state: 'permanent' }),
      exists,
    )
    assert.throws(
      () => kernel.fdb.add({ link: 'flannel.1', owner: 'self', mac: mac(30), destination: '192.168.0.99' }),
      exists,
    )
    const route = { destination: '10.244.30.0/24', link: 'flannel.1', gateway: '10.244.30.0', onlink: true, metric: 30 }
    assert.throws(() => kernel.routes.add(route), exists)
  })

  test('goes when it is deleted, and nothing else with it', () => {
    const { kernel } = node()
    kernel.neighbours.delete({ link: 'flannel.1', address: '10.244.30.0' })
    kernel.fdb.delete({ link: 'flannel.1', owner: 'self', mac: mac(30) })
    kernel.routes.delete({ destination: '10.244.30.0/24', metric: 30 })
    assert.equal(kernel.neighbours.list({ link: 'flannel.1' }).length, PEERS - 1)
    assert.equal(kernel.fdb.list({ link: 'flannel.1' }).length, PEERS - 1)
    assert.equal(kernel.routes.list({ link: 'flannel.1' }).filter(({ onlink }) => onlink).length, PEERS - 1)
  })

  test('goes with its link', () => {
    const { kernel } = node()
    kernel.links.set('flannel.1', { up: false })
    assert.deepEqual(
      kernel.routes.list({ link: 'flannel.1' }).filter(({ onlink }) => onlink),
      [],
    )
    assert.deepEqual(kernel.neighbours.list({ link: 'flannel.1' }), [])
  })

  test('becomes something else, when it is replaced', () => {
    const { kernel, vxlan } = node()
    kernel.neighbours.replace({ link: 'flannel.1', address: '10.244.30.0', mac: mac(1), state: 'permanent' })
    kernel.fdb.replace({ link: 'flannel.1', owner: 'self', mac: mac(30), destination: '192.168.0.99' })
    const [neighbour] = kernel.neighbours.list({ link: 'flannel.1' }).filter(({ address }) => address === '10.244.30.0')
    assert.equal(neighbour?.mac, mac(1))
    assert.equal(kernel.fdb.list().find((each) => each.mac === mac(30))?.destination, '192.168.0.99')
    assert.equal(vxlan.fdb.list().length, PEERS)
  })
})

test('a setting that is written is so in its namespace alone, and shared ones stay as they are', () => {
  const kernel = createModel()
  const [one, other] = ['one', 'other'].map((name) => kernel.enter(kernel.namespaces.add(name))!)
  one!.sysctl.set('net/ipv4/conf/default/rp_filter', '2')
  one!.sysctl.set('net/ipv4/ip_default_ttl', '33')
  one!.sysctl.set('net/ipv4/ip_local_port_range', '40000 50000')
  one!.links.add({ kind: 'dummy', name: 'd0' })
  other!.links.add({ kind: 'dummy', name: 'd0' })
  const read = (which: ModelKernel, key: string) => which.sysctl.get(`net/ipv4/${key}`)
  assert.deepEqual(
    ['conf/d0/rp_filter', 'conf/lo/rp_filter', 'ip_default_ttl', 'ip_local_port_range'].map((key) => read(one!, key)),
    // `default` goes for devices, too, that have not been told otherwise: devinet_conf_proc.
    ['2', '2', '33', '40000\t50000'],
  )
  assert.deepEqual([read(other!, 'conf/d0/rp_filter'), read(kernel, 'conf/lo/rp_filter')], ['0', '0'])
  assert.equal(read(other!, 'ip_default_ttl'), '64')
  assert.deepEqual(one!.sysctl.list(), other!.sysctl.list())
})
