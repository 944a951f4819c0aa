/**
 * Long chains of rules that ask the same field for one value each (`-d 10.96.0.10/32 …`, `iifname "veth7" …`): the rules that can
 * match are found by the packet's value, and the others passed over. What those would have done is nothing, as what stands before
 * such a test only reads.
 */
import type { Test } from './fuse.ts'
import type { Machine, Operation } from './machine.ts'
import type { Selector } from './selector.ts'
import { CONTINUE } from './verdict.ts'

/** Rules that are worth a map. */
const FEWEST = 8
/** Rules of one value, at most, in so many. */
const MOST_ALIKE = 1 / 4

interface Indexable {
  readonly tests: readonly Test[]
  readonly operations: readonly Operation[]
}

interface Stretch {
  readonly selector: Selector
  /** Behind the last of its rules. */
  readonly end: number
  /** Places of rules, ascending. */
  readonly places: ReadonlyMap<number | string, readonly number[]>
}

export class ChainIndex {
  /** The first operation of each rule, where most rules end. */
  readonly firsts: readonly Operation[]
  /** Whether there are rules to pass over. */
  readonly isSparse: boolean
  /** By the place of a rule; undefined where it is in none. */
  readonly #stretches: readonly (Stretch | undefined)[]

  constructor(rules: readonly Indexable[]) {
    this.firsts = rules.map(({ operations }) => operations[0] ?? always)
    this.#stretches = stretchesOf(rules)
    this.isSparse = this.#stretches.some((stretch) => stretch !== undefined)
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

/** Of a rule without conditions. */
const always: Operation = () => CONTINUE

function stretchesOf(rules: readonly Indexable[]): (Stretch | undefined)[] {
  const stretches = new Array<Stretch | undefined>(rules.length).fill(undefined)
  const tried = new Map<string, number>()
  for (let start = 0; start < rules.length; ) {
    const stretch = longestFrom(rules, start, tried)
    if (stretch) stretches.fill(stretch, start, stretch.end)
    start = stretch?.end ?? start + 1
  }
  return stretches
}

/**
 * Of the fields that the rule there asks for, the one that most rules behind it ask for as well. `tried`: up to where a field was
 * found to be of no use, by its key.
 */
function longestFrom(rules: readonly Indexable[], start: number, tried: Map<string, number>): Stretch | undefined {
  let longest: Stretch | undefined
  for (const { selector } of rules[start]!.tests) {
    if (start < (tried.get(selector.key) ?? 0)) continue
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
    if (length < FEWEST || most > Math.max(1, length * MOST_ALIKE)) {
      tried.set(selector.key, end)
      continue
    }
    if (longest === undefined || end > longest.end) longest = { selector, end, places }
  }
  return longest
}
