/** Changes to a golden walk, by chance: most of them are differences, some are what may differ. */
import type { Row, Walk } from '../../src/oracle/walk.ts'

/** mulberry32. */
export function chance(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

type Draw = (below: number) => number
type Mutation = (walk: Walk, watch: readonly string[], draw: Draw) => Walk

const mutations: readonly Mutation[] = [
  (walk) => walk,
  (walk, _, draw) => changeRow(walk, draw, (row) => ({ ...row, hex: flipped(row.hex, draw) })),
  (walk, _, draw) => changeRow(walk, draw, (row) => ({ ...row, hex: row.hex.slice(0, -2) })),
  (walk, _, draw) => changeRow(walk, draw, (row) => ({ ...row, dir: row.dir === 'in' ? 'out' : 'in' })),
  (walk, watch, draw) => changeRow(walk, draw, (row) => ({ ...row, at: watch[draw(watch.length)]! })),
  (walk, _, draw) => ({ ...walk, obs: walk.obs.toSpliced(draw(walk.obs.length), 1) }),
  (walk, _, draw) => {
    const i = draw(walk.obs.length)
    return { ...walk, obs: walk.obs.toSpliced(i, 0, walk.obs[i]!) }
  },
  swapped,
  (walk, _, draw) => delayed(walk, draw, 60),
  (walk, _, draw) => delayed(walk, draw, 140),
  ({ expect: _, ...walk }) => walk,
  (walk) => ({ ...walk, result: 'CLIENT ok 11' }),
]

export function mutate(walk: Walk, watch: readonly string[], draw: Draw): Walk {
  return mutations[draw(mutations.length)]!(walk, watch, draw)
}

function changeRow(walk: Walk, draw: Draw, change: (row: Row) => Row): Walk {
  const i = draw(walk.obs.length)
  return { ...walk, obs: walk.obs.with(i, change(walk.obs[i]!)) }
}

function flipped(hex: string, draw: Draw): string {
  const bytes = Buffer.from(hex, 'hex')
  const at = draw(bytes.length)
  bytes[at] = bytes[at]! ^ (1 << draw(8))
  return bytes.toString('hex')
}

/** Two rows change places; each keeps the other's time. */
function swapped(walk: Walk, _: readonly string[], draw: Draw): Walk {
  const i = draw(walk.obs.length)
  const j = draw(walk.obs.length)
  const [a, b] = [walk.obs[i]!, walk.obs[j]!]
  return { ...walk, obs: walk.obs.with(i, { ...b, t: a.t }).with(j, { ...a, t: b.t }) }
}

function delayed(walk: Walk, draw: Draw, by: number): Walk {
  const first = draw(walk.obs.length)
  return { ...walk, obs: walk.obs.map((row, i) => (i < first ? row : { ...row, t: row.t + by })) }
}
