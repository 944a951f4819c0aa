/**
 * One route of a full table is withdrawn and announced again, a few milliseconds apart: from its octets in to those of the same
 * change out, at sockets of one process (bgp-flap.py). The median of all flaps of a round, and of the rounds.
 */
import type { Options } from './bench.ts'
import { type Daemon, measure, NAMES, present, type Run } from './bgp-programs.ts'
import type { Part, Promised } from './parts.ts'
import { median } from './statistics.ts'

const ROUTES = { usual: 100_000, quick: 10_000 }
const FLAPS = { usual: 300, quick: 50 }
/** Milliseconds. */
const LONGEST = 1

const modes = ['rib', 'kernel'] as const
type Mode = (typeof modes)[number]

/** FRR waits for 50 ms, to send more at once. */
const peersOf = (mode: Mode) => present(mode === 'rib' ? ['bird', 'gobgp4'] : ['bird'])
const nameOf = (daemon: Daemon, mode: Mode) =>
  `one flap in a full table${mode === 'kernel' ? ' that is in the kernel, too' : ''}, ${NAMES[daemon]}`

export const flap: Part<Pick<Options, 'runs' | 'say' | 'quick'>> = {
  name: 'flap',
  rows: () =>
    modes.flatMap((mode) => [
      { name: nameOf('cmd', mode), unit: 'ms', target: LONGEST } satisfies Promised,
      ...peersOf(mode).map((peer): Promised => ({ name: nameOf(peer, mode), unit: 'ms' })),
    ]),
  async run({ runs, say, quick }, tell) {
    const [routes, flaps] = quick ? [ROUTES.quick, FLAPS.quick] : [ROUTES.usual, FLAPS.usual]
    for (const mode of modes) {
      const daemons = ['cmd', ...peersOf(mode)] as const
      const all: Run[] = []
      for (let round = 0; round < runs; round++) {
        const words = ['--count', `${routes}`, '--mode', mode, '--flaps', `${flaps}`]
        all.push(...(await measure('bench/bgp-flap.py', daemons, words, say)))
      }
      for (const daemon of daemons) {
        const medians = all.filter(({ dut }) => dut === daemon).map(({ ms }) => (isTimes(ms) ? median(ms) : Number.NaN))
        tell(nameOf(daemon, mode), median(medians))
      }
    }
  },
}

function isTimes(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0
}
