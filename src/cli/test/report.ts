/** What was tested and what came of it: the facts that every form of report is made of. */
import type { TestResult } from '../../lab/tests/run.ts'
import { formatWhere } from '../../trace/document.ts'
import { formatTrace } from '../../trace/text.ts'

/** A file's tests in one engine. */
export interface Suite {
  readonly name: string
  /** As it was given; undefined for the topology that comes with the program. */
  readonly file: string | undefined
  readonly engine: 'model' | 'kernel'
  /** The model's profile, or the release of the real one. */
  readonly kernel: string
  /** Of chance in the model. */
  readonly seed: number | undefined
  /** Faults of all tests. */
  readonly faults: readonly string[]
  readonly results: readonly TestResult[]
}

export interface Reporter {
  /** Of `engines` suites for each of `files` one has begun; it has `count` tests. */
  begin?(suite: Suite, count: number): string
  result?(result: TestResult, number: number): string
  /** All suites. */
  end(suites: readonly Suite[]): string
}

export function countOf(suites: readonly Suite[], status: TestResult['status']): number {
  return suites.reduce((sum, { results }) => sum + results.filter((result) => result.status === status).length, 0)
}

/** `DROPPED at n1/flannel.1: NO_TX_TARGET (vxlan_xmit)`, the sentence, and the fixes, a line each. */
export function sentencesOf({ trace }: TestResult): string[] {
  if (!trace) return []
  const { disposition, at, reason, kernel, why, fix = [] } = trace.result
  const place = at ? ` at ${formatWhere(at)}` : ''
  const cause = reason ? `: ${reason}${kernel ? ` (${kernel})` : ''}` : ''
  return [`${disposition.toUpperCase()}${place}${cause}`, ...(why ? [why] : []), ...fix.map((line) => `fix: ${line}`)]
}

export function shortTrace({ trace }: TestResult): string {
  return trace ? formatTrace(trace, { verbose: false, hex: false, colour: false }) : ''
}

/** The command that asks what the test has asked. */
export function questionOf({ question }: TestResult, { file, engine, faults }: Suite): string {
  if (question === '') return ''
  return [
    `overlab trace ${question}`,
    ...(engine === 'kernel' ? ['--engine kernel'] : []),
    ...faults.map((name) => `--fault ${name}`),
    ...(file === undefined ? [] : [`--file ${file}`]),
  ].join(' ')
}
