/**
 * What differs between two runs of one scenario, beyond what may differ (open-values.ts). The rules are those of
 * test/golden/compare, which test/oracle holds this to.
 *
 *   frames    at every tap, each of the one run has its counterpart in the other      layers.ts  read-frame.ts  sums.ts
 *   order     of one packet, of one flow at a tap; and times                          order.ts
 *   endings   where the expected run tells them
 *   rules     where both runs tell which ones packets met                          rules.ts
 *   state     where both runs list their tables                                   state.ts
 */
import { fromHex } from '../trace/hex.ts'
import { type Difference, dump, dumpBoth, firstField } from './difference.ts'
import { LEEWAY, type Leeway } from './leeway.ts'
import { OpenValues } from './open-values.ts'
import { orderDifference, type Pair, timeDifference } from './order.ts'
import { type ReadFrame, readFrame } from './read-frame.ts'
import { rulesDifference } from './rules.ts'
import type { Observation } from './run.ts'
import { stateDifference } from './state.ts'
import type { Row, Walk } from './walk.ts'

/** Undefined: none beyond what may differ. */
export function differenceOf(
  expected: Observation,
  found: Observation,
  leeway: Partial<Leeway> = {},
): Difference | undefined {
  return (
    differenceOfWalks(expected.walk, found.walk, expected.given, { ...LEEWAY, ...leeway }) ??
    (expected.rules && found.rules ? rulesDifference(expected.rules, found.rules) : undefined) ??
    (expected.state && found.state ? stateDifference(expected.state, found.state) : undefined)
  )
}

/** `given`: the frames that were sent, in hexadecimal. */
export function differenceOfWalks(
  expected: Walk,
  found: Walk,
  given: readonly string[],
  leeway: Leeway = LEEWAY,
): Difference | undefined {
  const matched = matchFrames(expected.obs, found.obs, given, leeway)
  if (!Array.isArray(matched)) return matched
  return (
    orderDifference(matched) ??
    (leeway.realSockets ? givenTimeDifference(matched, given, leeway) : undefined) ??
    timeDifference(matched, given, leeway.tolerance) ??
    endingDifference(expected, found)
  )
}

interface Candidate {
  readonly row: Row
  readonly position: number
  readonly bytes: Uint8Array
}

function matchFrames(
  expected: readonly Row[],
  found: readonly Row[],
  given: readonly string[],
  leeway: Leeway,
): Pair[] | Difference {
  const values = new OpenValues(
    given.map((hex) => readFrame(fromHex(hex))),
    leeway,
  )
  const pools = poolsOf(found)
  const numbers = new Map<string, number>()
  const pairs: Pair[] = []
  let lost: { row: Row; frame: ReadFrame; name: string } | undefined
  for (const row of expected) {
    const tap = tapOf(row)
    const number = (numbers.get(tap) ?? 0) + 1
    numbers.set(tap, number)
    const name = `${tap}, frame ${number}`
    const frame = readFrame(fromHex(row.hex))
    const pool = pools.get(tap) ?? []
    const i = pool.findIndex(({ bytes }) => fits(frame, bytes, values))
    if (i < 0) {
      lost ??= { row, frame, name }
      continue
    }
    const [{ row: theirs, position }] = pool.splice(i, 1) as [Candidate]
    pairs.push({ row, frame, position, found: theirs, name })
  }
  const left = [...pools.values()].flat().sort((a, b) => a.position - b.position)
  if (lost) return frameDifference(lost.row.at, lost.name, lost.frame, pools.get(tapOf(lost.row)) ?? [], values)
  const extra = left[0]
  if (!extra) return pairs
  const what = `${tapOf(extra.row)} at ${extra.row.t.toFixed(1)} ms: a frame that was not expected`
  return { kind: 'extra', at: extra.row.at, what, detail: dump(extra.bytes) }
}

const tapOf = ({ at, dir }: Row) => `${at} ${dir}`

function poolsOf(rows: readonly Row[]): Map<string, Candidate[]> {
  const pools = new Map<string, Candidate[]>()
  for (const [position, row] of rows.entries()) {
    const candidate = { row, position, bytes: fromHex(row.hex) }
    const pool = pools.get(tapOf(row))
    if (pool) pool.push(candidate)
    else pools.set(tapOf(row), [candidate])
  }
  return pools
}

/** Binds the open values where it does. */
function fits(frame: ReadFrame, found: Uint8Array, values: OpenValues): boolean {
  const { mark } = values
  const { bytes, why } = values.expected(frame, found)
  if (why === undefined && equal(bytes, found)) return true
  values.undo(mark)
  return false
}

/** The frame at this tap that has no counterpart and is nearest to the one that was expected. */
function frameDifference(
  at: string,
  name: string,
  frame: ReadFrame,
  left: readonly Candidate[],
  values: OpenValues,
): Difference {
  const compared = left.map(({ bytes: found }) => {
    const { mark } = values
    const { bytes: expected, why } = values.expected(frame, found)
    values.undo(mark)
    return { expected, found, why, distance: distanceOf(expected, found) }
  })
  const nearest = compared.sort((a, b) => a.distance - b.distance)[0]
  if (!nearest) return { kind: 'missing', at, what: `${name} is missing`, detail: dump(frame.bytes) }
  const { expected, found, why } = nearest
  const what = firstField(expected, found)
  const reason = why === undefined || why === 'length' ? '' : ` (${why})`
  return {
    kind: 'frame',
    at,
    what: `${name}: ${what ?? 'what may differ'}${reason}`,
    detail: dumpBoth(expected, found),
  }
}

/** A byte that is missing is worth some that differ. */
const MISSING_BYTE = 9

function distanceOf(expected: Uint8Array, found: Uint8Array): number {
  const differing = expected.reduce((sum, byte, i) => sum + (i < found.length && byte !== found[i] ? 1 : 0), 0)
  return Math.abs(expected.length - found.length) * MISSING_BYTE + differing
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** Frames that are given at their times come at their times. */
function givenTimeDifference(pairs: readonly Pair[], given: readonly string[], leeway: Leeway): Difference | undefined {
  const late = pairs.find(
    ({ row, found }) => row.dir === 'out' && given.includes(row.hex) && Math.abs(found.t - row.t) > leeway.tolerance,
  )
  if (!late) return undefined
  const { row, found, name } = late
  return { kind: 'time', at: row.at, what: `${name}: given at ${row.t} ms, seen at ${found.t} ms` }
}

function endingDifference(expected: Walk, found: Walk): Difference | undefined {
  for (const key of ['expect', 'result'] as const) {
    const [wanted, theirs] = [expected[key], found[key]].map((value) => JSON.stringify(value))
    if (expected[key] === undefined || expected[key] === '' || wanted === theirs) continue
    return { kind: 'ending', what: `${key}: ${theirs ?? 'not told'}, expected ${wanted}` }
  }
  return undefined
}
