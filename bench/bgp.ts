/**
 * The BGP speaker beside BIRD, GoBGP and FRR, in parts. `--only PART` runs one.
 *
 *   feed       one peer sends a full table: received, passed on, in the kernel; memory      bgp-feed.ts
 *   mesh       twenty nodes in an iBGP mesh                                                  bgp-mesh.ts
 *   flap       one route of a full table                                                     bgp-flap.ts
 *   thousand   a thousand nodes with reflectors, in one process                              bgp-thousand.ts
 *   limit      what the kernel takes for a full table by itself                              bgp-limit.ts
 *
 * Times, memory and sessions are those of test/interop/bgp/bench.py and mesh_bench.py; all daemons have their turn in each round.
 */
import { buildLibrary } from '../scripts/build-library.ts'
import type { Options } from './bench.ts'
import { feed } from './bgp-feed.ts'
import { flap } from './bgp-flap.ts'
import { limit } from './bgp-limit.ts'
import { mesh } from './bgp-mesh.ts'
import { apart } from './bgp-programs.ts'
import { thousand } from './bgp-thousand.ts'
import { type Part, runParts } from './parts.ts'
import type { Row } from './table.ts'

const parts: readonly Part<Options>[] = [feed, mesh, flap, thousand, limit]

export async function benchBgp(options: Options): Promise<Row[]> {
  const { only, say } = options
  const chosen = parts.filter(({ name }) => only === undefined || only === name)
  if (chosen.length === 0) {
    throw new RangeError(`Cannot run the part "${only}": there are ${parts.map(({ name }) => name).join(', ')}`)
  }
  say('building dist/, whose speaker is measured')
  await buildLibrary()
  apart()
  return runParts(chosen, options)
}
