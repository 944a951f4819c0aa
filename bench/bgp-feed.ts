/**
 * One peer sends a hundred thousand prefixes as fast as TCP takes them, and another listens: test/interop/bgp/bench.py. Times count
 * from the first octet.
 *
 *   received        the speaker itself counts all of them (it is asked every 0.1 s)
 *   passed on       the other peer has all of them
 *   in the kernel   the last route has been notified
 *
 * Memory is what is resident above the process before the table came, a second after it was loaded.
 */
import type { Options } from './bench.ts'
import { measure, NAMES, type Peer, present, Rounds } from './bgp-programs.ts'
import type { Part, Promised, Tell } from './parts.ts'
import { median } from './statistics.ts'

const ROUTES = { usual: 100_000, quick: 10_000 }

type Mode = 'rib' | 'kernel'

/** A column of the program, and what it may be of a peer's. */
interface Figure {
  readonly mode: Mode
  readonly column: 'rib' | 'prop' | 'fib' | 'down' | 'cpu'
  readonly what: string
  readonly targets?: Readonly<Partial<Record<Peer, number>>>
}

const figures: readonly Figure[] = [
  { mode: 'rib', column: 'rib', what: 'received', targets: { gobgp4: 0.5 } },
  { mode: 'rib', column: 'prop', what: 'passed on', targets: { gobgp4: 0.5 } },
  { mode: 'rib', column: 'cpu', what: 'CPU, passed on' },
  { mode: 'kernel', column: 'fib', what: 'in the kernel', targets: { bird: 1.5 } },
  { mode: 'kernel', column: 'cpu', what: 'CPU, in the kernel' },
  { mode: 'kernel', column: 'down', what: 'out of the kernel again, when the session ends' },
]

/** Of GoBGP's. */
const MEMORY = 0.7

/** GoBGP has no kernel routes without a helper. */
const peersOf = (mode: Mode) => present(mode === 'rib' ? ['gobgp4', 'frr', 'bird', 'bird1'] : ['bird', 'bird1', 'frr'])

const routesOf = ({ quick }: Pick<Options, 'quick'>) => (quick ? ROUTES.quick : ROUTES.usual)
const titleOf = (options: Pick<Options, 'quick'>) => `${routesOf(options).toLocaleString('en')} routes`
const memoryName = (peer: Peer) => `memory for them: to ${NAMES[peer]}`
const nameOf = ({ what }: Figure, peer: Peer) => `${what}: to ${NAMES[peer]}`

export const feed: Part<Pick<Options, 'runs' | 'say' | 'quick'>> = {
  name: 'feed',
  rows: (options) => rowsOf().map((row) => ({ ...row, name: `${titleOf(options)} ${row.name}` })),
  async run(options, tell) {
    const { runs, say } = options
    const rounds = { rib: new Rounds(), kernel: new Rounds() }
    for (let round = 0; round < runs; round++) {
      for (const mode of ['rib', 'kernel'] as const) {
        say(`round ${round + 1} of ${runs}, mode ${mode}`)
        const words = ['--counts', `${routesOf(options)}`, '--modes', mode, '--runs', '1']
        rounds[mode].add(await measure('test/interop/bgp/bench.py', ['cmd', ...peersOf(mode)], words, say))
      }
    }
    tellAll(rounds, (name, ...figure) => tell(`${titleOf(options)} ${name}`, ...figure))
  },
}

function rowsOf(): Promised[] {
  return [
    ...figures.flatMap((figure) =>
      peersOf(figure.mode).map((peer): Promised => {
        const target = figure.targets?.[peer]
        return { name: nameOf(figure, peer), unit: 'ratio', ...(target !== undefined && { target }) }
      }),
    ),
    ...peersOf('rib').map((peer): Promised => {
      return { name: memoryName(peer), unit: 'ratio', ...(peer === 'gobgp4' && { target: MEMORY }) }
    }),
    { name: 'memory for them', unit: 'MB' },
    { name: 'memory with them in the kernel, all of it', unit: 'MB' },
  ]
}

function tellAll(rounds: Readonly<Record<Mode, Rounds>>, tell: Tell): void {
  for (const figure of figures) {
    for (const peer of peersOf(figure.mode)) {
      const { value, comparison } = rounds[figure.mode].against(peer, figure.column)
      tell(nameOf(figure, peer), value, comparison)
    }
  }
  const grown = (daemon: 'cmd' | Peer) => {
    const [after, before] = [rounds.rib.values(daemon, 'rss'), rounds.rib.values(daemon, 'rss0')]
    return after.map((size, i) => size - before[i]!)
  }
  const ours = grown('cmd')
  for (const peer of peersOf('rib')) tell(memoryName(peer), median(grown(peer).map((theirs, i) => ours[i]! / theirs)))
  tell('memory for them', median(ours))
  tell('memory with them in the kernel, all of it', rounds.kernel.median('cmd', 'rss'))
}
