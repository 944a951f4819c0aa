/**
 * Long chains of rules that ask the same field for one value each (`-d 10.96.0.10/32 …`, `iifname "veth7" …`): the rules that can
 * match are found by the packet's value, and the others passed over. What those would have done is nothing, as what stands before
 * such a test only reads.
 */
import type { Test } from './fuse.ts'
import type { Machine } from './machine.ts'
import type { Selector } from './selector.ts'

/** Rules that are worth a map. */
const FEWEST = 8
/** Rules of one value, at most, in so many. */
const MOST_ALIKE = 1 / 4

interface Indexable {
  readonly tests: readonly Test[]
}

interface Stretch {
  readonly selector: Selector
  /** Behind the last of its rules. */
  readonly end: number
  /** Places of rules, ascending. */
  readonly places: ReadonlyMap<number | string, readonly number[]>
}

export class ChainIndex {
  /** By the place of a rule; undefined where it is in none. */
  readonly #stretches: readonly (Stretch | undefined)[]

  constructor(stretches: readonly (Stretch | undefined)[]) {
    this.#stretches = stretches
  }

  /** The first place, this or a later one, whose rule can match. */
  next(machine: Machine, from: number): number {
    let place = from
    for (;;) {
      const stretch = this.#stretches[place]
      if (stretch === undefined) return place
      const value = stretch.selector.read(machine)
      const places = value === undefined ? undefined : stretch.places.get(value)
      if (places !== undefined) {
        for (let i = 0; i < places.length; i++) if (places[i]! >= place) return places[i]!
      }
      place = stretch.end
    }
  }
}

/** Undefined where there is nothing to gain. */
export function indexChain(rules: readonly Indexable[]): ChainIndex | undefined {
  if (rules.length < FEWEST) return undefined
  const stretches = new Array<Stretch | undefined>(rules.length).fill(undefined)
  let found = false
  for (let start = 0; start < rules.length; ) {
    const stretch = longestFrom(rules, start)
    if (stretch) {
      stretches.fill(stretch, start, stretch.end)
      found = true
    }
    start = stretch?.end ?? start + 1
  }
  return found ? new ChainIndex(stretches) : undefined
}

/** Of the fields that the rule there asks for, the one that most rules behind it ask for as well. */
function longestFrom(rules: readonly Indexable[], start: number): Stretch | undefined {
  let longest: Stretch | undefined
  for (const { selector } of rules[start]!.tests) {
    const places = new Map<number | string, number[]>()
    let end = start
    let most = 0
    for (; end < rules.length; end++) {
      const test = rules[end]!.tests.find((each) => each.selector.key === selector.key)
      if (!test) break
      const same = places.get(test.value)
      if (same) same.push(end)
      else places.set(test.value, [end])
      most = Math.max(most, same?.length ?? 1)
    }
    const length = end - start
    if (length < FEWEST || most > Math.max(1, length * MOST_ALIKE)) continue
    if (longest === undefined || end > longest.end) longest = { selector, end, places }
  }
  return longest
}
