/**
 * Whether an exercise can be done: all of its tests pass; with its fault those fail that it names, and no others; a trace of the
 * first says the sentence and gives the fix; and when that, as the trace has it, has been run, all of them pass again.
 */
import { formatWhere, type TraceResult } from '../../trace/document.ts'
import type { Bench } from './bench.ts'
import { type Exercise, isLike, namesOf, type TopologyTest } from './description.ts'
import { breakBy, greet, runTest, type TestResult, type TestRun } from './run.ts'

export const CLAIMS = ['well', 'broken', 'told', 'mended'] as const
export type Claim = (typeof CLAIMS)[number]

export interface ClaimResult {
  readonly claim: Claim
  readonly holds: boolean
  /** What is otherwise. */
  readonly message: string
  /** Of the packet that it was found by. */
  readonly decisive: TestResult | undefined
  readonly milliseconds: number
}

/** In the order of CLAIMS, up to the first that does not hold. RangeError when a command of a fault fails. */
export async function proveExercise(
  exercise: Exercise,
  tests: readonly TopologyTest[],
  run: TestRun,
): Promise<ClaimResult[]> {
  const results: ClaimResult[] = []
  const well = await run.open()
  let start = run.now()
  const add = (claim: Claim, message: string, decisive: TestResult | undefined): boolean => {
    results.push({ claim, holds: message === '', message, decisive, milliseconds: run.now() - start })
    start = run.now()
    return message === ''
  }
  try {
    if (well.isStanding)
      throw new RangeError(`Cannot prove an exercise in lab "${well.plan.name}": it is up, and would be broken`)
    await greet(tests, well)
    const before = await runAll(tests, well, run)
    if (!add('well', differenceOf(before, []), firstNot(before, []))) return results
    return await breakAndMend(well)
  } finally {
    for (const complaint of well.close()) run.onComplaint?.(complaint)
  }

  async function breakAndMend(bench: Bench): Promise<ClaimResult[]> {
    const faults = namesOf(exercise.fault).map((name) => run.topology.faults![name]!)
    await breakBy(faults, bench)
    const broken = await runAll(tests, bench, run)
    if (!add('broken', differenceOf(broken, exercise.fails), firstNot(broken, exercise.fails))) return results

    const told = broken.find(({ name }) => name === exercise.fails[0])!
    const result = told.trace!.result
    if (!add('told', otherwiseSaid(result, exercise), told)) return results

    const { at, fix = [] } = result
    for (const line of fix) {
      const { status, stdout, stderr } = await bench.run(at!.node, line)
      if (status === 0) continue
      add('mended', `"${line}" on ${at!.node}: ${(stderr || stdout).trim() || `status ${status}`}`, told)
      return results
    }
    await bench.wait(Math.max(0, ...faults.map(({ wait = 0 }) => wait)))
    const after = await runAll(tests, bench, run)
    add('mended', differenceOf(after, []), firstNot(after, []))
    return results
  }
}

async function runAll(tests: readonly TopologyTest[], bench: Bench, { now }: TestRun): Promise<TestResult[]> {
  const results: TestResult[] = []
  for (const test of tests) results.push(await runTest(test, bench, now))
  return results
}

/** The first that passed though it should fail, or the other way round. */
function firstNot(results: readonly TestResult[], fails: readonly string[]): TestResult | undefined {
  return results.find(({ name, status }) => (status !== 'passed') !== fails.includes(name))
}

function differenceOf(results: readonly TestResult[], fails: readonly string[]): string {
  return results
    .filter(({ name, status }) => (status !== 'passed') !== fails.includes(name))
    .map(({ name, message }) => (message === '' ? `"${name}" does not fail` : `"${name}": ${message}`))
    .join('; ')
}

function otherwiseSaid({ reason, at, why = '', fix = [] }: TraceResult, exercise: Exercise): string {
  const where = at && formatWhere(at)
  const said: string[] = []
  if (exercise.dropped !== undefined && reason !== exercise.dropped)
    said.push(`expected ${exercise.dropped}, found ${reason}`)
  if (exercise.at !== undefined && where !== exercise.at)
    said.push(`expected it at ${exercise.at}, found it at ${where}`)
  if (!isLike(why, exercise.says)) said.push(`expected the sentence "${exercise.says.trim()}", found "${why}"`)
  const isFix = fix.length === exercise.fix.length && fix.every((line, i) => isLike(line, exercise.fix[i]!))
  if (!isFix) said.push(`expected the fix "${exercise.fix.join('", "')}", found "${fix.join('", "')}"`)
  return said.join('; ')
}
