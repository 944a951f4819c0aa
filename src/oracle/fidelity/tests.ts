/** Tests that ask both kernels the same: what of the model ran in those files of which every test passes. */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Ran, readCoverage } from './coverage.ts'
import type { Measuring } from './measure.ts'

/** Each file asks both kernels, or the model and what was recorded of Linux. */
const BOTH = [
  'test/linux/model/*.test.ts',
  'test/linux/netfilter/model-*.test.ts',
  'test/linux/{command-model,ipset,nft-json,tcp-options}.test.ts',
  'test/oracle/found.test.ts',
]

/** One file asks Linux, the other one asks the model the same. */
const PAIRS: Readonly<Record<string, readonly string[]>> = {
  contract: ['test/linux/contract.test.ts', 'test/model/contract.test.ts'],
  'model/ipv4': ['test/linux/model/ipv4.test.ts', 'test/model/ipv4/situations.test.ts'],
  'model/ipv6': ['test/linux/model/ipv6.test.ts', 'test/model/ipv6/situations.test.ts'],
}

/** And each of these does so in User-Mode Linux, which has what the machine's kernel may lack. */
const IN_GUEST = ['test/uml/guest/ipip.test.ts', 'test/uml/guest/ipv6.test.ts']

/** Where test/support/coverage-recorder.ts writes: a file for each file of tests. */
export const RECORDS = 'OVERLAB_COVERAGE'

/** Of a file of tests: it cannot be in a folder. */
export function recordName(file: string): string {
  return `${file.replaceAll('/', '+')}.json`
}

/** By its name, the files of a test. */
type Tests = readonly (readonly [name: string, files: readonly string[]])[]

function testsOf(root: string, patterns: readonly string[]): Tests {
  const nameOf = (file: string) => file.replace(/^test\/(?:linux\/)?/, '').replace(/\.test\.ts$/, '')
  const files = globSync([...patterns], { cwd: root }).sort()
  return files.map((file) => [nameOf(file), [file]] as const)
}

interface Report {
  readonly testResults: readonly { readonly name: string; readonly status: string }[]
}

/** A program, and the folder for RECORDS, which its environment must name. */
export interface TestRun {
  readonly argv: readonly string[]
  readonly records: string
}

/** Names of the tests that fail. `runInGuest` runs them in User-Mode Linux. */
export function measureTests(measuring: Measuring, runInGuest: (run: TestRun) => void): string[] {
  const { root, wants } = measuring
  const here = new Map([...testsOf(root, BOTH), ...Object.entries(PAIRS)])
  const inGuest = testsOf(root, IN_GUEST)
  return [
    ...measureThem(
      measuring,
      'test',
      [...here].filter(([name]) => wants('test', name)),
      ({ argv: [program, ...args], records }) => {
        // What is measured is told on stderr.
        const env = { ...process.env, [RECORDS]: records }
        spawnSync(program!, args, { cwd: root, stdio: ['ignore', 2, 2], env })
      },
    ),
    ...measureThem(
      measuring,
      'guest',
      inGuest.filter(([name]) => wants('guest', name)),
      runInGuest,
    ),
  ]
}

function measureThem(
  { root, tally, say }: Measuring,
  what: 'test' | 'guest',
  tests: Tests,
  run: (run: TestRun) => void,
): string[] {
  if (tests.length === 0) return []
  const directory = mkdtempSync(join(tmpdir(), 'overlab-fidelity-'))
  try {
    const every = tests.flatMap(([, files]) => files)
    run({ argv: vitestOf(root, directory, every), records: directory })
    const passed = readPassed(root, join(directory, REPORT))
    const differ: string[] = []
    for (const [name, files] of tests) {
      const failed = files.filter((file) => !passed.has(file))
      if (failed.length === 0) tally.add({ name, what, cases: 1 }, ranInAny(directory, files))
      else differ.push(name)
      for (const file of failed) say(`${file} fails`)
    }
    return differ
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const REPORT = 'report'

function vitestOf(root: string, directory: string, files: readonly string[]): string[] {
  const vitest = join(root, 'node_modules/.bin/vitest')
  const options = ['--config', join(root, 'scripts/fidelity-tests.config.ts'), '--reporter=default', '--reporter=json']
  return [vitest, 'run', ...options, `--outputFile.json=${join(directory, REPORT)}`, ...files]
}

function readPassed(root: string, report: string): ReadonlySet<string> {
  if (!existsSync(report)) return new Set()
  const { testResults }: Report = JSON.parse(readFileSync(report, 'utf8'))
  const passed = testResults.filter(({ status }) => status === 'passed')
  return new Set(passed.map(({ name }) => name.slice(root.length + 1)))
}

function ranInAny(directory: string, files: readonly string[]): Ran {
  const records = files.map((file) => join(directory, recordName(file)))
  const all = records.filter((path) => existsSync(path)).map(readCoverage)
  return { at: (file, place) => all.some((ran) => ran.at(file, place)) }
}
