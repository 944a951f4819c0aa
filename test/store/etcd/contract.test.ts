import { afterAll, beforeAll } from 'vitest'
import { etcdStore } from '../../../src/store/etcd/etcd.ts'
import { storeContract } from '../../contract/store.ts'
import { type Etcd, startEtcd } from '../../support/etcd.ts'
import { Forwarder } from '../../support/forwarder.ts'

let etcd: Etcd
let cases = 0

beforeAll(async () => {
  etcd = await startEtcd()
})
afterAll(() => etcd.stop())

storeContract('etcd', {
  async setUp() {
    const way = new Forwarder(etcd.port)
    await way.open()
    return {
      one: etcdStore({ endpoints: [`http://127.0.0.1:${way.port}`] }),
      other: etcdStore({ endpoints: [etcd.endpoint] }),
      prefix: `/case-${++cases}/`,
      cut: () => way.cut(),
      mend: () => way.open(),
      async compact() {
        const [status] = JSON.parse(await etcd.etcdctl('endpoint', 'status', '--write-out', 'json')) as [
          { Status: { header: { revision: number } } },
        ]
        await etcd.etcdctl('compact', String(status.Status.header.revision))
      },
      loseData: () => etcd.restart('lost'),
      passTime: () => new Promise((resolve) => setTimeout(resolve, 10)),
      tearDown: () => way.cut(),
    }
  },
})
