/**
 * What vitest runs, written down while it runs: a reporter of vitest's, and who reads what it wrote.
 *
 * vitest's own JSON report is written at the end. A run that has none, because a file hung or vitest was ended, would tell nothing
 * of the thousands of cases before. Here every event is a line of JSON in the file that the variable JOURNAL names.
 */
import { appendFileSync } from 'node:fs'
import { relative } from 'node:path'
import process from 'node:process'
import type { Reporter, TestCase, TestModule, TestSpecification } from 'vitest/node'
import type { Outcome } from './suites.ts'

/** Files are relative to the folder that vitest was started in; `id` is a case's own, for two may have one title. */
export type Entry =
  | { readonly event: 'planned'; readonly files: readonly string[] }
  | { readonly event: 'begun'; readonly file: string; readonly id: string; readonly name: string }
  | {
      readonly event: 'case'
      readonly file: string
      readonly id: string
      readonly name: string
      readonly state: 'passed' | 'failed' | 'skipped'
      /** The first line of the first error. */
      readonly message?: string
    }
  /** `failed` of a file may be for what is no case: it could not be read, or a hook failed. */
  | { readonly event: 'file'; readonly file: string; readonly failed: boolean; readonly message?: string }
  /** The run is over, with these errors between the tests. */
  | { readonly event: 'over'; readonly errors: readonly string[] }

export const JOURNAL = 'OVERLAB_TEST_JOURNAL'

type Problem = { readonly message?: string } | undefined

export default class Journal implements Reporter {
  readonly #told = new Set<string>()

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    write({ event: 'planned', files: specifications.map(({ moduleId }) => relative(process.cwd(), moduleId)) })
  }

  onTestCaseReady(testCase: TestCase): void {
    write({ event: 'begun', ...named(testCase) })
  }

  onTestCaseResult(testCase: TestCase): void {
    if (this.#told.has(testCase.id)) return
    this.#told.add(testCase.id)
    const { state, errors } = testCase.result()
    // Pending at the end of its file: it never ran.
    write({
      event: 'case',
      ...named(testCase),
      state: state === 'pending' ? 'skipped' : state,
      ...firstLine(errors?.[0]),
    })
  }

  onTestModuleEnd(module: TestModule): void {
    // Of cases that it skips vitest may have told nothing.
    for (const testCase of module.children.allTests()) this.onTestCaseResult(testCase)
    const suites = [...module.children.allSuites()]
    const errors = [...module.errors(), ...suites.flatMap((suite) => suite.errors())]
    write({ event: 'file', file: fileOf(module), failed: module.state() === 'failed', ...firstLine(errors[0]) })
  }

  onTestRunEnd(_modules: readonly TestModule[], errors: readonly { readonly message: string }[]): void {
    write({ event: 'over', errors: errors.map((error) => firstLine(error).message ?? 'an error without a message') })
  }
}

function named(testCase: TestCase) {
  return { file: fileOf(testCase.module), id: testCase.id, name: testCase.fullName }
}

function fileOf(module: TestModule): string {
  return relative(process.cwd(), module.moduleId)
}

function firstLine(problem: Problem): { readonly message?: string } {
  const line = problem?.message?.split('\n')[0]
  return line ? { message: line } : {}
}

function write(entry: Entry): void {
  const file = process.env[JOURNAL]
  if (!file) throw new Error(`Cannot write down what vitest runs: ${JOURNAL} names no file`)
  appendFileSync(file, `${JSON.stringify(entry)}\n`)
}

/** What a journal's text says of a run; `succeeded` when vitest itself ended well. What has no end has failed. */
export function readJournal(text: string, succeeded: boolean): Outcome {
  const entries = text.split('\n').filter(Boolean).flatMap(parsed)
  const events = <K extends Entry['event']>(wanted: K) =>
    entries.filter((entry): entry is Extract<Entry, { event: K }> => entry.event === wanted)
  const cases = events('case')
  const files = events('file')
  const failed = cases.filter(({ state }) => state === 'failed').map(said)
  for (const file of files) {
    const explained = cases.some((row) => row.file === file.file && row.state === 'failed')
    if (file.failed && !explained) failed.push(`${file.file}: ${file.message ?? 'failed outside of its cases'}`)
  }
  const ended = new Set(files.map(({ file }) => file))
  for (const file of events('planned').flatMap((entry) => entry.files)) {
    if (!ended.has(file)) failed.push(`${file} ${whereItStopped(file)}`)
  }
  failed.push(...events('over').flatMap(({ errors }) => errors.map((error) => `between the tests: ${error}`)))
  if (events('planned').length === 0) failed.push('vitest never started to run tests')
  else if (events('over').length === 0) failed.push('vitest did not come to its end')
  else if (!succeeded && failed.length === 0) failed.push('vitest ended badly though nothing failed')
  return {
    passed: cases.filter(({ state }) => state === 'passed').length,
    failed,
    skipped: cases.filter(({ state }) => state === 'skipped').map(({ name }) => name),
  }

  function whereItStopped(file: string): string {
    const own = events('begun').filter((row) => row.file === file)
    const open = own.filter(({ id }) => !cases.some((row) => row.id === id))
    if (open.length > 0) return `did not come to the end of "${open[0]!.name}"`
    return own.length > 0 ? 'did not end' : 'was not run'
  }
}

function said({ file, name, message }: Extract<Entry, { event: 'case' }>): string {
  return message === undefined ? `${file}: ${name}` : `${file}: ${name}: ${message}`
}

/** The last line may be half a line, of a vitest that was ended while it wrote. */
function parsed(line: string): Entry[] {
  try {
    return [JSON.parse(line) as Entry]
  } catch {
    return []
  }
}
