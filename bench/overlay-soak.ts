/**
 * Whether memory stays flat: of a daemon over 10,000 changes of leases, and of the data path of udp over minutes of floods and
 * streams.
 */
import { buildNetwork, closeHandles, podAddress, removeNetwork } from '../test/linux/udp/network.ts'
import { type Ghost, ghost, ghosts, LeaseNetwork, vxlan } from './lease-network.ts'
import { memoryAtRest, withStore } from './overlay-leases.ts'
import { load } from './overlay-load.ts'
import { engine } from './overlay-variants.ts'
import { attempt, type Part } from './parts.ts'

const CHANGES = 10_000
/** Memory is looked at then, and at the end. */
const FIRST = 1000
/** Nodes that there are; they come, get another address and go, so many at the same time. */
const NODES = 100
const TOGETHER = 20
const MINUTE = 60_000
/** Seconds for the changes, and for the loads beside their time. */
const PATIENCE = 180
/** Seconds of one load. */
const LOAD = 2

const rows = {
  daemon: { name: 'daemon: memory at 10,000 changes of leases above that at 1,000', unit: 'MB', target: 10 },
  changes: { name: 'daemon: memory at 10,000 changes of leases', unit: 'MB', target: 100 },
  engine: {
    name: 'data path of udp: memory at the end of floods and streams above that at a tenth',
    unit: 'MB',
    target: 5,
  },
} as const

export const soak: Part<{ readonly minutes: number; say(line: string): void }> = {
  name: 'soak',
  rows: () => Object.values(rows),
  async run({ minutes, say }, tell) {
    await attempt('changes of leases', PATIENCE, say, () =>
      withStore('etcd', async (store) => {
        await using network = await LeaseNetwork.make(store, vxlan)
        await network.start()
        const [early, late] = await changeLeases(network)
        tell(rows.daemon.name, late - early)
        tell(rows.changes.name, late)
      }),
    )
    await attempt('floods and streams', PATIENCE + 60 * minutes, say, async () => {
      const [early, late] = await carry(minutes * MINUTE)
      tell(rows.engine.name, late - early)
    })
  },
}

/** MB at the first and at the last look. */
async function changeLeases(network: LeaseNetwork): Promise<[number, number]> {
  const all = ghosts(NODES)
  await network.put(all)
  let [changes, early] = [NODES, Number.NaN]
  for (let turn = 0; changes < CHANGES; turn++) {
    const at = (turn * TOGETHER) % NODES
    const some = all.slice(at, at + TOGETHER)
    await network.delete(some)
    const others = some.map(
      (_, i): Ghost => ({ ...some[i]!, publicIp: ghost(NODES + 1 + ((turn + i) % 10_000)).publicIp }),
    )
    await network.put(others)
    all.splice(at, TOGETHER, ...others)
    changes += 2 * TOGETHER
    if (changes >= FIRST && Number.isNaN(early)) {
      early = await memoryAtRest(network)
    }
  }
  const late = await memoryAtRest(network)
  network.verify(all)
  return [early, late]
}

/** MB of both ends together at a tenth of the time, and at its end. */
async function carry(milliseconds: number): Promise<[number, number]> {
  buildNetwork()
  try {
    const running = await engine.start()
    try {
      const way = { from: 'pod-a', to: 'pod-b', address: podAddress('b') }
      const began = performance.now()
      let early = Number.NaN
      while (performance.now() < began + milliseconds) {
        await load(way, 'tcp', LOAD)
        await load(way, 'udp', LOAD)
        if (Number.isNaN(early) && performance.now() > began + milliseconds / 10) early = running.memory()
      }
      return [early, running.memory()]
    } finally {
      await running.stop()
    }
  } finally {
    closeHandles()
    removeNetwork()
  }
}
