/** Machines of a cluster whose store is etcd, which is killed: nothing changes until it is back. */
import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { eventually } from '../../contract/kernel/case.ts'
import { type Machine, Machines, reaches, routesOf } from '../../linux/cluster-machines.ts'
import { overlab } from '../../support/command.ts'
import { startEtcd } from '../../support/etcd.ts'

test('pods of two machines reach each other; etcd’s end changes nothing, and afterwards a third machine is heard of', async () => {
  const cluster = new Machines(3)
  await using etcd = await startEtcd({ address: '10.37.0.100' })
  try {
    const [n1, n2, n3] = cluster.all as [Machine, Machine, Machine]
    const store = { etcd: { endpoints: [etcd.endpoint] } }
    const start = async (machine: Machine) => {
      cluster.start(machine, store)
      const socket = join(machine.directory, 'pool.sock')
      await eventually(() => statSync(socket, { throwIfNoEntry: false }) !== undefined, `${socket} is there`)
    }
    overlab('pool', 'create', '10.244.0.0/16', '--store', 'etcd', '--etcd-endpoints', etcd.endpoint)
    await Promise.all([n1, n2].map(start))
    for (const machine of [n1, n2]) cluster.addPod(machine)
    await eventually(() => [n1, n2].every((machine) => routesOf(machine).length === 2), 'they know each other')
    assert.ok(reaches(n1, n2))

    await etcd.kill()
    const status = () => overlab('bgp', 'status', '--socket', join(n1.directory, 'bgp.sock'))
    await eventually(() => status().includes(etcd.endpoint), 'it says that the store is away')
    assert.ok(reaches(n1, n2))
    assert.equal(routesOf(n1).length, 2)

    await cluster.end(n2, 'SIGKILL')
    await start(n2)
    // A speaker that begins again is believed when it has said all that it knows: routes are there before packets pass.
    await eventually(() => routesOf(n1).length === 2 && routesOf(n2).length === 2, 'n2 goes by what it knew')
    await eventually(() => reaches(n1, n2), 'pods of n2 are reached again')

    await etcd.restart()
    await start(n3)
    cluster.addPod(n3)
    await eventually(() => cluster.all.every((machine) => routesOf(machine).length === 3), 'the third is there')
    assert.ok(reaches(n3, n1))
    await eventually(() => !status().includes(etcd.endpoint), 'all is well again')
  } finally {
    await cluster.close()
  }
})
