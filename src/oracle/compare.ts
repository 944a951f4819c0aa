/** What differs between two runs of one scenario, beyond what may differ. */
import type { Observation } from './run.ts'

export interface Difference {
  /** `n1:flannel.1 out, frame 3: ipv4.ttl 63, expected 62`. */
  readonly what: string
  /** Both frames in hexadecimal, bytes that differ marked, where there are two. */
  readonly detail?: string
}

/** Undefined: none beyond what may differ. */
export function differenceOf(expected: Observation, found: Observation): Difference | undefined {
  const framesAt = ({ walk }: Observation, tap: string) =>
    walk.obs.filter((row) => `${row.at} ${row.dir}` === tap).map(({ hex }) => hex)
  for (const tap of new Set([...expected.walk.obs, ...found.walk.obs].map((row) => `${row.at} ${row.dir}`))) {
    const ours = framesAt(expected, tap)
    const theirs = framesAt(found, tap)
    if (ours.length !== theirs.length) return { what: `${tap}: ${theirs.length} frames, expected ${ours.length}` }
    const i = ours.findIndex((hex, n) => hex !== theirs[n])
    if (i >= 0) return { what: `${tap}, frame ${i + 1}: ${theirs[i]}, expected ${ours[i]}` }
  }
  return undefined
}
