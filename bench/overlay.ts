/**
 * The overlay, in parts. `--only PART` runs one.
 *
 *   path      what the UDP backend carries, beside a loop as flannel's, VXLAN and plain routing    overlay-path.ts
 *   leases    a daemon and 1,000 leases                                                             overlay-leases.ts
 *   crowd     5,000 nodes on one etcd                                                               overlay-crowd.ts
 *   outage    a route that changes under a flood, a daemon that is killed under a ping              overlay-outage.ts
 *   soak      memory, over 10,000 changes and over minutes of load                                  overlay-soak.ts
 */
import { buildLibrary } from '../scripts/build-library.ts'
import type { Options } from './bench.ts'
import { crowd } from './overlay-crowd.ts'
import { leases } from './overlay-leases.ts'
import { outage } from './overlay-outage.ts'
import { dataPath } from './overlay-path.ts'
import { soak } from './overlay-soak.ts'
import { type Part, runParts } from './parts.ts'
import type { Row } from './table.ts'

const parts: readonly Part<Options>[] = [dataPath, leases, crowd, outage, soak]

export async function benchOverlay(options: Options): Promise<Row[]> {
  const { only, say } = options
  const chosen = parts.filter(({ name }) => only === undefined || only === name)
  if (chosen.length === 0) {
    throw new RangeError(`Cannot run the part "${only}": there are ${parts.map(({ name }) => name).join(', ')}`)
  }
  if (!chosen.every((part) => part === dataPath)) {
    say('building dist/, whose daemon is measured')
    await buildLibrary()
  }
  return runParts(chosen, options)
}
