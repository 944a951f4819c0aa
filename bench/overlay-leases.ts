/**
 * A daemon and the leases of 1,000 other nodes, which there are not: from the first put until everything that they need is in
 * the kernel, one lease more, and the daemon's next start. The daemon is the built one, as it is installed.
 */
import { setTimeout } from 'node:timers/promises'
import { type StoreUnderTest, SWITCH, startStore } from '../test/lab/daemon/network.ts'
import { run } from '../test/support/command.ts'
import { type Backend, BENCH, direct, ghosts, hostGw, LeaseNetwork, udp, vxlan } from './lease-network.ts'
import { attempt, type Part, type Promised } from './parts.ts'
import { memoryOf } from './process.ts'
import { median } from './statistics.ts'

const LEASES = 1000
/** Leases that come one by one, so many milliseconds after the one before: the daemon is at rest again. */
const CHANGES = 25
const PAUSE = 150
/** … and has nothing left to do. */
const REST = 3000
/** Seconds in which a case must have been measured. */
const PATIENCE = 120

interface Case {
  readonly backend: Backend
  readonly store: 'etcd' | 'file'
}

const cases: readonly Case[] = [
  ...[vxlan, direct, hostGw, udp].map((backend) => ({ backend, store: 'etcd' as const })),
  { backend: vxlan, store: 'file' },
]

const figures = {
  sync: { name: '1,000 leases at once', unit: 'ms', target: 2000 },
  change: { name: 'one lease more', unit: 'ms', target: 20 },
  restart: { name: 'start with 1,000 leases, all there', unit: 'ms', target: 2000 },
  memory: { name: 'memory with 1,000 leases', unit: 'MB', target: 100 },
} as const satisfies Readonly<Record<string, Promised>>

const rowName = ({ backend, store }: Case, figure: keyof typeof figures) =>
  `${backend.name}, ${store}: ${figures[figure].name}`

export const leases: Part<{ say(line: string): void }> = {
  name: 'leases',
  rows: () =>
    cases.flatMap((one) =>
      Object.entries(figures).map(([figure, row]) => ({ ...row, name: rowName(one, figure as keyof typeof figures) })),
    ),
  async run({ say }, tell) {
    for (const kind of ['etcd', 'file'] as const) {
      await withStore(kind, async (store) => {
        for (const one of cases.filter((each) => each.store === kind)) {
          await attempt(`${one.backend.name}, ${kind}`, PATIENCE, say, () =>
            measure(store, one.backend, (figure, value) => tell(rowName(one, figure), value)),
          )
        }
      })
    }
  },
}

/** The store and the switch that it is on, for as long as `use` takes. */
export async function withStore(kind: 'etcd' | 'file', use: (store: StoreUnderTest) => Promise<void>): Promise<void> {
  try {
    await using store = await startStore(kind)
    await use(store)
  } finally {
    run('ip', 'netns', 'delete', SWITCH)
  }
}

async function measure(
  store: StoreUnderTest,
  backend: Backend,
  tell: (figure: keyof typeof figures, value: number) => void,
): Promise<void> {
  await using network = await LeaseNetwork.make(store, backend)
  await network.start()
  const publicIp = backend === udp ? BENCH : undefined
  const all = ghosts(LEASES, 1, publicIp)
  tell('sync', await network.add(all))
  await setTimeout(PAUSE)
  network.verify(all)

  const times: number[] = []
  for (const one of ghosts(CHANGES, LEASES + 1, publicIp)) {
    times.push(await network.add([one]))
    all.push(one)
    await setTimeout(PAUSE)
  }
  network.verify(all)
  tell('change', median(times))

  const before = await memoryAtRest(network)
  await network.node.stop()
  tell('restart', await network.start())
  network.verify(all)
  tell('memory', Math.max(before, await memoryAtRest(network)))
}

/** MB of the daemon when it has nothing to do. */
export async function memoryAtRest({ node }: LeaseNetwork): Promise<number> {
  await setTimeout(REST)
  return memoryOf(node.pid)
}
