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

/** Where test/support/coverage-recorder.ts writes: a file for each file of tests. */
export const RECORDS = 'OVERLAB_COVERAGE'

/** Of a file of tests: it cannot be in a folder. */
export function recordName(file: string): string {
  return `${file.replaceAll('/', '+')}.json`
}

/** By its name, the files of a test. */
function testsOf(root: string): Map<string, readonly string[]> {
  const tests = new Map<string, readonly string[]>()
  for (const file of globSync(BOTH, { cwd: root }).sort()) {
    tests.set(file.replace(/^test\/(?:linux\/)?/, '').replace(/\.test\.ts$/, ''), [file])
  }
  for (const [name, files] of Object.entries(PAIRS)) tests.set(name, files)
  return tests
}

interface Report {
  readonly testResults: readonly { readonly name: string; readonly status: string }[]
}

/** Names of the tests that fail. */
export function measureTests({ root, tally, wants, say }: Measuring): string[] {
  const tests = [...testsOf(root)].filter(([name]) => wants('test', name))
  if (tests.length === 0) return []
  const directory = mkdtempSync(join(tmpdir(), 'overlab-fidelity-'))
  try {
    const passed = runTests(
      root,
      directory,
      tests.flatMap(([, files]) => files),
    )
    const differ: string[] = []
    for (const [name, files] of tests) {
      const failed = files.filter((file) => !passed.has(file))
      if (failed.length === 0) tally.add({ name, what: 'test', cases: 1 }, ranInAny(directory, files))
      else differ.push(name)
      for (const file of failed) say(`${file} fails`)
    }
    return differ
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function runTests(root: string, directory: string, files: readonly string[]): ReadonlySet<string> {
  const report = join(directory, 'report')
  const config = join(root, 'scripts/fidelity-tests.config.ts')
  const argv = ['run', '--config', config, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`, ...files]
  spawnSync(join(root, 'node_modules/.bin/vitest'), argv, {
    cwd: root,
    env: { ...process.env, [RECORDS]: directory },
    // What is measured is told on stderr.
    stdio: ['ignore', 2, 2],
  })
  const { testResults }: Report = JSON.parse(readFileSync(report, 'utf8'))
  const passed = testResults.filter(({ status }) => status === 'passed')
  return new Set(passed.map(({ name }) => name.slice(root.length + 1)))
}

function ranInAny(directory: string, files: readonly string[]): Ran {
  const records = files.map((file) => join(directory, recordName(file)))
  const all = records.filter((path) => existsSync(path)).map(readCoverage)
  return { at: (file, place) => all.some((ran) => ran.at(file, place)) }
}
