/**
 * A file's tests, one after the other. Tests that want the same faults share a lab, in which nothing is put back between them;
 * any other begins with a fresh one. Before a fault all who will talk have heard of each other, as in a network that was well.
 */
import type { TraceDocument } from '../../trace/document.ts'
import { findDestination, findPlace } from '../place.ts'
import type { LabPlan } from '../plan.ts'
import type { ProbeSpec } from '../probe.ts'
import type { Fault, Topology } from '../topology.ts'
import type { TraceRequest } from '../trace.ts'
import type { Bench } from './bench.ts'
import { isPod } from './check-tests.ts'
import { namesOf, type Reach, type TopologyTest } from './description.ts'
import { differencesOf, foundOf } from './expectation.ts'

export interface TestResult {
  readonly name: string
  readonly status: 'passed' | 'failed' | 'skipped' | 'unsupported'
  /** What is otherwise than expected, or why it was not run. */
  readonly message: string
  /** What was asked as a command line, without engine and file. */
  readonly question: string
  /** Of the packet that decided. */
  readonly trace: TraceDocument | undefined
  readonly milliseconds: number
}

export interface TestRun {
  readonly topology: Topology
  /** Names of faults that break it for all tests. */
  readonly faults: readonly string[]
  open(): Promise<Bench>
  /** Milliseconds on any clock. */
  now(): number
  onResult?(result: TestResult): void
  /** Of what could not be taken down. */
  onComplaint?(complaint: string): void
}

/** RangeError when a test asks from or for what is not there, or a fault's command fails. */
export async function runTests(tests: readonly TopologyTest[], run: TestRun): Promise<TestResult[]> {
  const results: TestResult[] = []
  let opened: { readonly bench: Bench; readonly faults: string } | undefined
  const close = () => {
    for (const complaint of opened?.bench.close() ?? []) run.onComplaint?.(complaint)
    opened = undefined
  }
  try {
    for (const test of tests) {
      const faults = [...new Set([...run.faults, ...namesOf(test.with)])]
      if (opened?.faults !== faults.join(' ')) {
        close()
        opened = { bench: await run.open(), faults: faults.join(' ') }
        const { bench } = opened
        if (!(bench.isStanding && faults.length > 0)) {
          const same = tests.filter((each) =>
            faults.every((name) => [...run.faults, ...namesOf(each.with)].includes(name)),
          )
          if (faults.length > 0) await greet(same, bench)
          await breakBy(
            faults.map((name) => run.topology.faults![name]!),
            bench,
          )
        }
      }
      const { bench } = opened
      const result =
        bench.isStanding && faults.length > 0 ? skipped(test, bench.plan.name) : await runTest(test, bench, run.now)
      results.push(result)
      run.onResult?.(result)
    }
  } finally {
    close()
  }
  return results
}

/** Who asks whom has heard of him before. */
export async function greet(tests: readonly TopologyTest[], bench: Bench): Promise<void> {
  for (const { request, service } of tests.flatMap((test) => questionsOf(test, bench))) {
    if (!service) await bench.hello(request.from, request.address)
  }
}

/** RangeError with the command's own words when one fails. */
export async function breakBy(faults: readonly Fault[], bench: Bench): Promise<void> {
  for (const { node, run } of faults) {
    const { status, stdout, stderr } = await bench.run(node, run)
    if (status !== 0) throw new RangeError(`Cannot run "${run}": ${(stderr || stdout).trim() || `status ${status}`}`)
  }
  const wait = Math.max(0, ...faults.map((fault) => fault.wait ?? 0))
  if (wait > 0) await bench.wait(wait)
}

function skipped({ name }: TopologyTest, lab: string): TestResult {
  const message = `lab "${lab}" is up, and would stay broken`
  return { name, status: 'skipped', message, question: '', trace: undefined, milliseconds: 0 }
}

export async function runTest(test: TopologyTest, bench: Bench, now: () => number): Promise<TestResult> {
  const start = now()
  const questions = questionsOf(test, bench)
  let last: Pick<TestResult, 'status' | 'message' | 'question' | 'trace'> | undefined
  for (const question of questions) {
    const { request, words } = question
    const trace = await bench.ask(request)
    const { disposition, reason } = trace.result
    if (disposition === 'unsupported') {
      last = { status: 'unsupported', message: `not modelled: ${reason}`, question: words, trace }
      break
    }
    const said = test.expect ? differencesOf(trace, test.expect) : reachDifferences(question, trace)
    last = { status: said.length > 0 ? 'failed' : 'passed', message: said.join('; '), question: words, trace }
    if (said.length > 0) break
  }
  if (!last) throw new RangeError(`Test "${test.name}" asks nobody: no pod reaches for another`)
  return { name: test.name, ...last, milliseconds: now() - start }
}

function reachDifferences({ request: { from }, to, isWanted }: TestQuestion, trace: TraceDocument): string[] {
  if ((trace.result.disposition === 'delivered') === isWanted) return []
  return [`expected ${from} ${isWanted ? '' : 'not '}to reach ${to}, found ${foundOf(trace)}`]
}

interface TestQuestion {
  readonly request: TraceRequest
  /** Name of the place. */
  readonly to: string
  /** As arguments of `overlab trace`. */
  readonly words: string
  /** Of reach: whether it shall be answered. */
  readonly isWanted: boolean
  readonly service: boolean
}

/** RangeError when there is no such place. */
function questionsOf(test: TopologyTest, bench: Bench): TestQuestion[] {
  if (!test.reach) return [questionOf(test, bench, true)]
  return reachQuestions(test.reach, bench.plan).map((each) => questionOf(each.test, bench, each.isWanted))
}

function questionOf(test: TopologyTest, { plan, machine }: Bench, isWanted: boolean): TestQuestion {
  const { from = '', to = '', tcp, udp, icmp, ttl, size, df } = test
  const place = findPlace(from, plan)
  if (!place) throw new RangeError(`"${from}" is not in lab "${plan.name}"`)
  const { name, address, service } = findDestination(to, plan, machine)
  const [first] = service?.ports ?? []
  const asked: Pick<ProbeSpec, 'protocol' | 'port'> =
    tcp !== undefined
      ? { protocol: 'tcp', port: tcp }
      : udp !== undefined
        ? { protocol: 'udp', port: udp }
        : first && icmp === undefined
          ? { protocol: first.protocol, port: first.port }
          : { protocol: 'icmp', port: 0 }
  const spec: ProbeSpec = {
    ...asked,
    ...(size !== undefined && { size }),
    ...(ttl !== undefined && { ttl }),
    ...(df !== undefined && { dontFragment: df }),
  }
  const words = [
    from,
    to.replace(/^ip\//, ''),
    asked.protocol === 'icmp' ? '--icmp' : `--${asked.protocol} ${asked.port}`,
    ...(size === undefined ? [] : [`--size ${size}`]),
    ...(ttl === undefined ? [] : [`--ttl ${ttl}`]),
    ...(df ? ['--df'] : []),
  ]
  return {
    request: { from: place.name, address, spec },
    to: name,
    words: words.join(' '),
    isWanted,
    service: service !== undefined,
  }
}

/** Every pod asks every other that is meant. */
function reachQuestions({ to, only, ...ports }: Reach, { pods }: LabPlan): { test: TopologyTest; isWanted: boolean }[] {
  const targets = pods.filter(({ name }) => isPod(name, to))
  return targets.flatMap((target) =>
    pods
      .filter((pod) => pod !== target)
      .map(({ name }) => ({
        test: { name: '', from: `pod/${name}`, to: `pod/${target.name}`, ...ports },
        isWanted: only === undefined || only.some((pattern) => isPod(name, pattern)),
      })),
  )
}
