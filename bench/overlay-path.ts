/**
 * The UDP backend's data path against a loop as flannel's proxy is one, with the kernel's VXLAN and plain routing
 * beside them, all between the same two namespaces and in turns.
 *
 *   node, pod                   between the nodes themselves; between pods behind a bridge
 *   with, without offloads      a veth pair as it is; one that takes whole frames only, as a plain network card
 *
 * What a busy machine does to one of a round it does to the others: ratios are of one round, and the median round counts.
 */
import { buildNetwork, closeHandles, podAddress, removeNetwork, withoutOffloads } from '../test/linux/udp/network.ts'
import type { Options } from './bench.ts'
import { type Figures, measure, noFigures, type Way } from './overlay-load.ts'
import { engine, external, naive, plain, type Variant, vxlan } from './overlay-variants.ts'
import { attempt, type Part, type Promised } from './parts.ts'
import { median } from './statistics.ts'

/** Of each load. */
const SECONDS = 1.5
/** … in which a variant must have been measured. */
const PATIENCE = 120

const wires = ['with offloads', 'without offloads'] as const
const shapes = ['node', 'pod'] as const
type Wire = (typeof wires)[number]
type Shape = (typeof shapes)[number]

/** Figures of one variant in one shape over one wire, by round. */
type Rounds = Map<string, Figures[]>
const keyOf = (variant: string, shape: Shape, wire: Wire) => `${variant}, ${shape}, ${wire}`

/** A figure of ours that is held against another variant's. */
interface Compared {
  readonly what: string
  readonly field: keyof Figures
  readonly shape: Shape
  readonly wire?: Wire
}

/** What must be: at least, or at most, so much of what the plain loop has, and of what is measured beside it. */
const targets: readonly (Compared & Pick<Promised, 'least' | 'target'>)[] = [
  { what: 'TCP, 1 stream', field: 'tcp1', shape: 'node', least: 5 },
  { what: 'TCP, 4 streams', field: 'tcp4', shape: 'node', least: 4.5 },
  { what: 'TCP, 1 stream', field: 'tcp1', shape: 'pod', least: 6 },
  { what: 'TCP, 4 streams', field: 'tcp4', shape: 'pod', least: 6 },
  { what: 'TCP, 1 stream', field: 'tcp1', shape: 'node', wire: 'without offloads', least: 4 },
  { what: 'TCP, 1 stream', field: 'tcp1', shape: 'pod', wire: 'without offloads', least: 4 },
  { what: 'small packets that arrive', field: 'flood', shape: 'node', least: 1.3 },
  { what: 'small packets, highest rate', field: 'rate', shape: 'node', least: 1 },
  { what: 'ping', field: 'ping', shape: 'node', target: 1.5 },
  { what: 'CPU for a GB of TCP', field: 'cpuPerGigabyte', shape: 'node', target: 0.17 },
  { what: 'CPU for a small packet', field: 'cpuPerPacket', shape: 'node', target: 0.6 },
]

const kernel: readonly Compared[] = wires.flatMap((wire) =>
  shapes.map((shape): Compared => ({ what: 'TCP, 1 stream', field: 'tcp1', shape, wire })),
)

const nameOf = ({ what, shape, wire = 'with offloads' }: Compared, other: Variant) =>
  `${what}, ${shape}, ${wire}: to ${other.name}'s`

export const dataPath: Part<Pick<Options, 'runs' | 'beside' | 'say'>> = {
  name: 'path',
  rows: ({ beside }) => [
    ...targetRows(naive),
    ...(beside === undefined ? [] : targetRows(external(beside))),
    ...kernel.map((one): Promised => ({ name: nameOf(one, vxlan), unit: 'ratio' })),
  ],
  async run({ runs, say, beside }, tell) {
    const others = beside === undefined ? [] : [external(beside)]
    const variants = [engine, naive, vxlan, plain, ...others]
    const rounds: Rounds = new Map()
    for (let round = 0; round < runs; round++) {
      for (const wire of wires) {
        say(`round ${round + 1} of ${runs}, ${wire}`)
        await runRound(variants, wire, rounds, say)
      }
    }
    for (const line of absolutes(variants, rounds)) say(line)
    for (const other of [naive, ...others]) {
      for (const one of targets) tell(nameOf(one, other), ratio(rounds, other, one))
    }
    for (const one of kernel) tell(nameOf(one, vxlan), ratio(rounds, vxlan, one))
  },
}

function targetRows(other: Variant): Promised[] {
  return targets.map(({ least, target, ...one }) => ({
    name: nameOf(one, other),
    unit: 'ratio',
    ...(least !== undefined && { least }),
    ...(target !== undefined && { target }),
  }))
}

async function runRound(
  variants: readonly Variant[],
  wire: Wire,
  rounds: Rounds,
  say: (line: string) => void,
): Promise<void> {
  buildNetwork()
  try {
    if (wire === 'without offloads') withoutOffloads()
    for (const variant of variants) {
      const figures: Partial<Record<Shape, Figures>> = {}
      await attempt(`${variant.name}, ${wire}`, PATIENCE, say, () =>
        measureVariant(variant, wire, (shape, measured) => {
          figures[shape] = measured
        }),
      )
      for (const shape of shapes) {
        const key = keyOf(variant.name, shape, wire)
        rounds.set(key, [...(rounds.get(key) ?? []), figures[shape] ?? noFigures])
      }
    }
  } finally {
    closeHandles()
    removeNetwork()
  }
}

async function measureVariant(
  variant: Variant,
  wire: Wire,
  tell: (shape: Shape, figures: Figures) => void,
): Promise<void> {
  const running = await variant.start()
  try {
    for (const shape of shapes) {
      tell(shape, await measure(wayOf(variant, shape), running, SECONDS, isSearched(shape, wire)))
    }
  } finally {
    await running.stop()
  }
}

/** In one shape only: it takes as long as everything else. */
const isSearched = (shape: Shape, wire: Wire) => shape === 'node' && wire === 'with offloads'

function wayOf(variant: Variant, shape: Shape): Way {
  return shape === 'pod'
    ? { from: 'pod-a', to: 'pod-b', address: podAddress('b') }
    : { from: 'node-a', to: 'node-b', address: variant.address('b') }
}

/** Medians, a line for each variant in each shape. */
function absolutes(variants: readonly Variant[], rounds: Rounds): string[] {
  const columns: readonly [string, keyof Figures, number][] = [
    ['ping µs', 'ping', 0],
    ['TCP 1 Mb/s', 'tcp1', 0],
    ['TCP 4 Mb/s', 'tcp4', 0],
    ['flood kpps', 'flood', 1],
    ['highest kpps', 'rate', 1],
    ['CPU s/GB', 'cpuPerGigabyte', 2],
    ['CPU µs/packet', 'cpuPerPacket', 2],
  ]
  const lines = [`| | ${columns.map(([title]) => title).join(' | ')} |`, `|---|${columns.map(() => '--:|').join('')}`]
  for (const wire of wires) {
    for (const shape of shapes) {
      for (const { name } of variants) {
        const key = keyOf(name, shape, wire)
        const cells = columns.map(([, field, digits]) => {
          const value = medianOfMeasured(rounds.get(key)!.map((each) => each[field]))
          return Number.isNaN(value) ? '–' : value.toFixed(digits)
        })
        lines.push(`| ${key} | ${cells.join(' | ')} |`)
      }
    }
  }
  return lines
}

/** Median of the ratios of the rounds: ours to the other's. */
function ratio(rounds: Rounds, other: Variant, { field, shape, wire = 'with offloads' }: Compared): number {
  const theirs = rounds.get(keyOf(other.name, shape, wire))!
  return medianOfMeasured(
    rounds.get(keyOf(engine.name, shape, wire))!.map((ours, round) => ours[field] / theirs[round]![field]),
  )
}

const medianOfMeasured = (values: readonly number[]) => median(values.filter((value) => !Number.isNaN(value)))
