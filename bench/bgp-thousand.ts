/**
 * A thousand nodes with two reflectors in one process and in virtual time: whole speakers, whose every message is encoded and
 * decoded. From nothing until every node has the block of every other.
 */
import { Interners } from '../src/bgp/attribute/interner.ts'
import { neighbour, start } from '../test/bgp/lab.ts'
import { world } from '../test/bgp/speakers.ts'
import type { Options } from './bench.ts'
import type { Part } from './parts.ts'
import { median } from './statistics.ts'

const NODES = { usual: 1000, quick: 100 }
const REFLECTORS = 2
const SECOND = 1000
/** Of real time. */
const LONGEST = 60

const addressOf = (number: number) => `10.0.${number >> 8}.${number & 255}`
const blockOf = (number: number) => `10.${64 + (number >> 8)}.${number & 255}.0/26`
const nodesOf = ({ quick }: Pick<Options, 'quick'>) => (quick ? NODES.quick : NODES.usual)
const nameOf = (options: Pick<Options, 'quick'>) =>
  `${nodesOf(options).toLocaleString('en')} simulated nodes, all have all`
const newName = (options: Pick<Options, 'quick'>) =>
  `${nodesOf(options).toLocaleString('en')} simulated nodes, a new block`

export const thousand: Part<Pick<Options, 'runs' | 'quick'>> = {
  name: 'thousand',
  rows: (options) => [
    { name: nameOf(options), unit: 's', target: LONGEST },
    { name: newName(options), unit: 's' },
  ],
  async run(options, tell) {
    const times = Array.from({ length: options.runs }, () => converge(nodesOf(options)))
    tell(nameOf(options), median(times.map(({ all }) => all)))
    tell(newName(options), median(times.map(({ one }) => one)))
  },
}

/** Seconds. */
function converge(nodes: number): { readonly all: number; readonly one: number } {
  const begin = performance.now()
  const here = world()
  const attributes = new Interners()
  const numbers = Array.from({ length: nodes }, (_, i) => i + 1)
  const reflectors = numbers.slice(0, REFLECTORS)
  const clients = numbers.slice(REFLECTORS)
  const speakers = numbers.map((number) => {
    const dialled = reflectors.filter((each) => each !== number).map((each) => neighbour(addressOf(each)))
    const served = reflectors.includes(number)
      ? clients.map((each) => neighbour(addressOf(each), {}, { isClient: true }))
      : []
    const neighbours = [...dialled, ...served]
    return start(here, addressOf(number), { attributes, networks: [blockOf(number)], neighbours })
  })
  const advanceUntil = (what: string, isThere: () => boolean) => {
    for (let second = 0; second < 60 && !isThere(); second++) here.clock.advance(SECOND)
    if (!isThere()) throw new Error(`Cannot see ${what} after a minute of virtual time`)
  }
  advanceUntil('all routes everywhere', () => speakers.every(({ fib }) => fib.routes.size === nodes - 1))
  const converged = performance.now()
  speakers.at(-1)!.speaker.announce([{ prefix: '192.0.2.0/26', communities: [], blackhole: true }])
  advanceUntil('the new block', () => speakers.slice(0, -1).every(({ fib }) => fib.routes.has('192.0.2.0/26')))
  return { all: (converged - begin) / 1000, one: (performance.now() - converged) / 1000 }
}
