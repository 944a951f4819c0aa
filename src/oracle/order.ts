/**
 * What a walk says of order and time. Order is partial: of one packet over its taps, and of one flow at one tap, and only
 * where the expected times differ. A frame comes within some time of the given frame before it.
 */
import type { Difference } from './difference.ts'
import type { ReadFrame } from './read-frame.ts'
import type { Row } from './walk.ts'

/** A row of the expected walk with its counterpart. */
export interface Pair {
  readonly row: Row
  readonly frame: ReadFrame
  /** Where the counterpart stands in the found walk. */
  readonly position: number
  readonly found: Row
  /** `n1:flannel.1 out, frame 3`. */
  readonly name: string
}

export function orderDifference(pairs: readonly Pair[]): Difference | undefined {
  const groups = new Map<string, Pair[]>()
  for (const pair of pairs) {
    const { row, frame } = pair
    for (const key of [`packet ${frame.identity}`, `flow ${row.at} ${row.dir} ${frame.flow}`]) {
      const group = groups.get(key)
      if (group) group.push(pair)
      else groups.set(key, [pair])
    }
  }
  for (const [key, group] of groups) {
    for (const [i, first] of group.entries()) {
      const later = group.slice(i + 1).find(({ row, position }) => first.row.t < row.t && first.position > position)
      if (!later) continue
      const noun = key.slice(0, key.indexOf(' '))
      return {
        kind: 'order',
        at: later.row.at,
        what: `${later.name} comes before ${first.name}, of one ${noun}, expected behind it`,
      }
    }
  }
  return undefined
}

/** `given`: the frames that were sent, in hexadecimal. */
export function timeDifference(
  pairs: readonly Pair[],
  given: readonly string[],
  tolerance: number,
): Difference | undefined {
  const left = [...given]
  let before: Pair | undefined
  for (const pair of pairs) {
    const { row, found, name } = pair
    const i = row.dir === 'out' ? left.indexOf(row.hex) : -1
    if (i >= 0) {
      left.splice(i, 1)
      before = pair
    }
    if (!before) continue
    const distance = found.t - before.found.t
    const expected = row.t - before.row.t
    const [low, high] = row.window ?? [expected - tolerance, expected + tolerance]
    if (distance >= low && distance <= high) continue
    return {
      kind: 'time',
      at: row.at,
      what: `${name}: ${distance.toFixed(1)} ms behind the frame that was sent before it, expected ${low.toFixed(1)} to ${high.toFixed(1)}`,
    }
  }
  return undefined
}
