/** Pools in etcd. */
import { afterAll, beforeAll } from 'vitest'
import { etcdStore } from '../../../src/store/etcd/etcd.ts'
import { poolsOnStore } from '../../pool/pools-on-store.ts'
import { type Etcd, startEtcd } from '../../support/etcd.ts'

let etcd: Etcd

beforeAll(async () => {
  etcd = await startEtcd()
})
afterAll(() => etcd.stop())

poolsOnStore('etcd', () => etcdStore({ endpoints: [etcd.endpoint] }))
