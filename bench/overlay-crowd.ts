/**
 * A network of 5,000 nodes on one etcd: what it is for one more to begin. And 5,000 nodes that all ask for their leases at once, in
 * one process (crowd.ts), where each chooses for itself.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { Crowd } from './crowd.ts'
import { ghosts, LeaseNetwork, vxlan } from './lease-network.ts'
import { memoryAtRest, withStore } from './overlay-leases.ts'
import { attempt, type Part } from './parts.ts'

const NODES = 5000
const AT_ONCE = 5000
/** Seconds for each of the two. */
const PATIENCE = 120

const rows = {
  start: { name: '5,000 nodes: start of another, all there', unit: 'ms', target: 10_000 },
  memory: { name: '5,000 nodes: memory of its daemon', unit: 'MB', target: 200 },
  acquire: { name: '5,000 nodes at once: until the last has its lease', unit: 'ms', target: 10_000 },
  together: { name: '5,000 nodes at once: memory of the process that has them all', unit: 'MB' },
} as const

export const crowd: Part<{ say(line: string): void }> = {
  name: 'crowd',
  rows: () => Object.values(rows),
  run({ say }, tell) {
    return withStore('etcd', async (store) => {
      await attempt('the start of another', PATIENCE, say, async () => {
        await using network = await LeaseNetwork.make(store, vxlan)
        const all = ghosts(NODES)
        await network.put(all)
        tell(rows.start.name, await network.start())
        network.verify(all)
        tell(rows.memory.name, await memoryAtRest(network))
      })
      await attempt('nodes at once', PATIENCE, say, async () => {
        const { milliseconds, subnets, memory } = await acquire(store.etcd!.endpoint)
        if (subnets !== AT_ONCE) throw new Error(`Cannot give ${AT_ONCE} nodes a subnet each: there are ${subnets}`)
        tell(rows.acquire.name, milliseconds)
        tell(rows.together.name, memory)
      })
    })
  },
}

async function acquire(endpoint: string): Promise<Crowd> {
  const argv = [join(import.meta.dirname, 'crowd.ts'), endpoint, '/overlab/crowd', `${AT_ONCE}`]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  return JSON.parse(await text(child.stdout)) as Crowd
}
