/**
 * An iBGP mesh of twenty nodes with 64 blocks each: test/interop/bgp/mesh_bench.py. All daemons are started one after the other.
 *
 *   all have all     from the start of the last until every kernel has all blocks of all others
 *   a new block      announced on one node, until it is in the kernels of all others; and withdrawn
 *   a node's death   its daemon is killed, until no kernel has a block of its; and begun again, until all have all
 */
import type { Options } from './bench.ts'
import { measure, NAMES, type Peer, present, Rounds } from './bgp-programs.ts'
import type { Part, Promised } from './parts.ts'

const NODES = { usual: 20, quick: 5 }
const BLOCKS = 64

interface Figure {
  readonly column: 'after' | 'new' | 'gone' | 'crash' | 'back'
  readonly what: string
  /** Of BIRD 2.0's. */
  readonly ratio?: number
  /** Milliseconds. */
  readonly most?: number
}

const figures: readonly Figure[] = [
  { column: 'after', what: 'all have all', ratio: 1.5 },
  { column: 'new', what: 'a new block', most: 100 },
  { column: 'gone', what: 'a block that goes' },
  { column: 'crash', what: 'a daemon that is killed is missed' },
  { column: 'back', what: 'begun again, all have all' },
]

const peers = () => present(['bird', 'bird1', 'frr'])
const nodesOf = ({ quick }: Pick<Options, 'quick'>) => (quick ? NODES.quick : NODES.usual)
const titleOf = (options: Pick<Options, 'quick'>) => `mesh of ${nodesOf(options)} × ${BLOCKS} blocks`

export const mesh: Part<Pick<Options, 'runs' | 'say' | 'quick'>> = {
  name: 'mesh',
  rows: (options) => [
    ...figures.map(({ what, most }): Promised => {
      return { name: `${titleOf(options)}, ${what}`, unit: 'ms', ...(most !== undefined && { target: most }) }
    }),
    ...figures.flatMap(({ what, ratio }) =>
      peers().map((peer): Promised => {
        const isAim = peer === 'bird' && ratio !== undefined
        return {
          name: `${titleOf(options)}, ${what}: to ${NAMES[peer]}`,
          unit: 'ratio',
          ...(isAim && { target: ratio }),
        }
      }),
    ),
    { name: `${titleOf(options)}, memory of a daemon`, unit: 'MB' },
  ],
  async run(options, tell) {
    const { runs, say } = options
    const rounds = new Rounds()
    for (let round = 0; round < runs; round++) {
      say(`round ${round + 1} of ${runs}`)
      const words = ['--nodes', `${nodesOf(options)}`, '--blocks', `${BLOCKS}`, '--runs', '1']
      rounds.add(await measure('test/interop/bgp/mesh_bench.py', ['cmd', ...peers()], words, say))
    }
    for (const { column, what } of figures) {
      tell(`${titleOf(options)}, ${what}`, 1000 * rounds.median('cmd', column))
      for (const peer of peers()) {
        const { value, comparison } = rounds.against(peer as Peer, column)
        tell(`${titleOf(options)}, ${what}: to ${NAMES[peer]}`, value, comparison)
      }
    }
    tell(`${titleOf(options)}, memory of a daemon`, rounds.median('cmd', 'rss_node'))
  },
}
