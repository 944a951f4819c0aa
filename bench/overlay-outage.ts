/** What happens to packets of the backend udp meanwhile: a route changes under a flood, the daemon's process begins anew. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { LiveKernel } from '../src/kernel/live.ts'
import { liveLinux } from '../src/linux/live.ts'
import { type Node, type StoreUnderTest, startNetwork } from '../test/lab/daemon/network.ts'
import { BENCH, daemonOptions, ghost, LeaseNetwork, udp, untilReady } from './lease-network.ts'
import { withStore } from './overlay-leases.ts'
import { attempt, type Part } from './parts.ts'
import { median } from './statistics.ts'

const CHANGES = 10
const RESTARTS = 5
/** Milliseconds. */
const PAUSE = 200
const STEP = 5
const SECOND = 1000
/** Seconds for each of the two. */
const PATIENCE = 60

const rows = {
  route: { name: 'udp: a lease is in effect under a flood', unit: 'ms', target: 100 },
  start: { name: 'udp: start of its daemon', unit: 'ms' },
  silence: {
    name: 'udp: silence when its daemon is killed and begun again, beside that start',
    unit: 'ms',
    target: 100,
  },
} as const

export const outage: Part<{ say(line: string): void }> = {
  name: 'outage',
  rows: () => Object.values(rows),
  run({ say }, tell) {
    return withStore('etcd', async (store) => {
      await attempt('a flood', PATIENCE, say, async () => tell(rows.route.name, await changeUnderFlood(store)))
      await attempt('a restart', PATIENCE, say, async () => {
        const restarts = await restart(store)
        tell(rows.start.name, median(restarts.map(({ start }) => start)))
        tell(rows.silence.name, median(restarts.map(({ start, silence }) => Math.max(0, silence - start))))
      })
    })
  },
}

/** Small packets to a node as fast as they go, and meanwhile leases of others: the milliseconds until one is in effect, median. */
async function changeUnderFlood(store: StoreUnderTest): Promise<number> {
  await using network = await LeaseNetwork.make(store, udp)
  await network.start()
  const target = ghost(1)
  // It is not there, and nobody is to search for it.
  network.node.ip(`neighbour replace ${target.publicIp} lladdr ${target.mac} dev eth0`)
  await network.put([target])
  const address = target.subnet.replace('0/24', '9')
  const words = ['udp-source', address, '9', `${CHANGES}`, '64']
  const argv = ['netns', 'exec', network.node.name, process.execPath, join(import.meta.dirname, 'load.ts'), ...words]
  const flood = spawn('ip', argv, { stdio: 'ignore' })
  const ended = once(flood, 'exit')
  await setTimeout(SECOND)
  const times: number[] = []
  for (let i = 0; i < CHANGES; i++) {
    times.push(await network.add([ghost(2 + i, BENCH)]))
    await setTimeout(PAUSE)
  }
  if (flood.exitCode !== null) throw new Error('Cannot measure under a flood: it has ended')
  flood.kill()
  await ended
  return median(times)
}

interface Restart {
  /** Milliseconds from the start of the process until it is ready. */
  readonly start: number
  /** Milliseconds for which no packet came through. */
  readonly silence: number
}

async function restart(store: StoreUnderTest): Promise<Restart[]> {
  const config = { Network: '10.5.0.0/16', Backend: udp.configuration }
  await using network = await startNetwork({ store, config, nodes: 2, idle: true })
  const [one, two] = network.nodes
  for (const node of network.nodes) node.start([], daemonOptions)
  for (const node of network.nodes) await untilReady(node)
  for (const node of network.nodes) node.addPod()
  await network.settled()
  const pod = liveLinux().enter(`/run/netns/${two!.podName}`)!
  try {
    const restarts: Restart[] = []
    for (let i = 0; i < RESTARTS; i++) {
      const pings = pingOn(pod, one!)
      await setTimeout(PAUSE)
      await one!.stop('SIGKILL')
      one!.start([], daemonOptions)
      const start = await untilReady(one!)
      await setTimeout(SECOND)
      restarts.push({ start, silence: await pings.stop() })
    }
    return restarts
  } finally {
    pod.close()
  }
}

/** A ping every few milliseconds. `stop` answers the longest time between two that were answered. */
function pingOn(pod: LiveKernel, { gateway }: Node): { stop(): Promise<number> } {
  const answered: number[] = []
  let waiting = 0
  const timer = setInterval(() => {
    const sent = performance.now()
    waiting++
    pod.sendPing(gateway.replace(/0$/, '2'), { timeout: SECOND }, ({ outcome }) => {
      waiting--
      if (outcome === 'reply') answered.push(sent)
    })
  }, STEP)
  return {
    async stop() {
      clearInterval(timer)
      while (waiting > 0) await setTimeout(STEP)
      answered.sort((a, b) => a - b)
      return Math.max(...answered.slice(1).map((sent, i) => sent - answered[i]!)) - STEP
    },
  }
}
