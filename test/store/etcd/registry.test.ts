/** Leases of an overlay in etcd: what an operator sees with etcdctl. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, test } from 'vitest'
import { etcdStore } from '../../../src/store/etcd/etcd.ts'
import { systemClock } from '../../../src/store/system-clock.ts'
import { registryOnStore } from '../../overlay/registry-on-store.ts'
import { attributesOf, Node, valueFor, vxlan } from '../../overlay/registry-world.ts'
import { type Etcd, startEtcd } from '../../support/etcd.ts'

let etcd: Etcd

beforeAll(async () => {
  etcd = await startEtcd()
})
afterAll(() => etcd.stop())

const open = () => etcdStore({ endpoints: [etcd.endpoint] })

test('etcdctl shows flannel’s key and value, bound to a lease of a day; configuration and peers put by etcdctl are seen', async () => {
  const store = open()
  const node = new Node(store, systemClock, { prefix: '/coreos.com/network', leaseSeconds: 86_400 })
  await etcd.etcdctl('put', '/coreos.com/network/config', '{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan"}}')
  await node.until(() => node.configs.length === 1)
  assert.deepEqual(node.configs, [vxlan])
  node.registry.announce({ config: vxlan, attributes: attributesOf(1) })
  await node.until(() => node.lease !== undefined)
  const key = '/coreos.com/network/subnets/10.5.1.0-24'
  assert.equal(await etcd.etcdctl('get', '--prefix', '/coreos.com/network/subnets'), `${key}\n${valueFor(1)}\n`)
  const leases = (await etcd.etcdctl('lease', 'list')).trim().split('\n').slice(1)
  assert.equal(leases.length, 1, 'no lease is left over')
  const time = await etcd.etcdctl('lease', 'timetolive', leases[0]!, '--keys')
  assert.match(time, /granted with TTL\(86400s\)/)
  assert.ok(time.includes(key))

  await etcd.etcdctl('put', '/coreos.com/network/subnets/10.5.9.0-24', valueFor(9))
  await node.until(() => node.reached.length === 1)
  assert.deepEqual(node.reached, ['10.5.9.0/24'])
  node.registry.close()
  store.close()
})

registryOnStore('etcd', open)
