/**
 * A network of 5,000 nodes on one etcd: the start of one more, and all of them at once asking for their leases. A node's
 * part in that is overlay/own-lease.ts; 5,000 of them are in one process, with one connection and one table of leases
 * (crowd.ts), since 5,000 daemons are no machine's.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Crowd } from './crowd.ts'
import { ghosts, LeaseNetwork, vxlan } from './lease-network.ts'
import { memoryAtRest, withStore } from './overlay-leases.ts'
import type { Part } from './parts.ts'

const NODES = 5000

const rows = {
  start: { name: '5,000 nodes: start of another, all there', unit: 'ms', target: 10_000 },
  memory: { name: '5,000 nodes: memory of its daemon', unit: 'MB', target: 200 },
  acquire: { name: '5,000 nodes at once: until the last has its lease', unit: 'ms', target: 10_000 },
  crowd: { name: '5,000 nodes at once: memory of all', unit: 'MB', target: 200 },
} as const

export const crowd: Part<object> = {
  name: 'crowd',
  rows: Object.values(rows),
  async run(_, tell) {
    await withStore('etcd', async (store) => {
      {
        await using network = await LeaseNetwork.make(store, vxlan)
        const all = ghosts(NODES)
        await network.put(all)
        tell(rows.start.name, await network.start())
        network.verify(all)
        tell(rows.memory.name, await memoryAtRest(network))
      }
      const { milliseconds, memory, subnets } = await acquire(store.etcd!.endpoint)
      if (subnets !== NODES) throw new Error(`Cannot give ${NODES} nodes a subnet each: there are ${subnets}`)
      tell(rows.acquire.name, milliseconds)
      tell(rows.crowd.name, memory)
    })
  },
}

async function acquire(endpoint: string): Promise<Crowd> {
  const argv = [join(import.meta.dirname, 'crowd.ts'), endpoint, '/overlab/crowd', `${NODES}`]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  return JSON.parse(await text(child.stdout)) as Crowd
}
