/**
 * What the development machine's kernel lacks, bridge VLAN filtering above all, in User-Mode Linux.
 *
 * The guest runs cnidiff's cases that need it, and vitest's project `guest`: test/uml/guest, and the contract's cases on VLANs. Each
 * of the guest's cases is a case here.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'vitest'
import { run } from '../support/command.ts'
import { referencePlugins } from '../support/peers.ts'
import { runInGuest } from './guest.ts'
import { vlanCases } from './vlan-cases.ts'

const checkout = join(import.meta.dirname, '../..')
const LIMIT = 15 * 60_000

interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly message: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

test('the guest tells how its command ended, and what it wrote', () => {
  assert.deepEqual(runInGuest('uname -r; exit 3', { limit: LIMIT }), { status: 3, output: '6.1.176\n' })
})

for (const name of vlanCases) {
  test(`cnidiff ${name}: our executables behave as the reference, in all modes`, () => {
    compare(name, join(checkout, 'cni-bin'), 'all')
  })

  test(`cnidiff ${name}: our Node scripts behave as the reference`, () => {
    const scripts = mkdtempSync(join(tmpdir(), 'overlab-scripts-'))
    try {
      run(process.execPath, join(checkout, 'scripts/build.ts'), '--node', scripts)
      compare(name, scripts, 'plain')
    } finally {
      rmSync(scripts, { recursive: true, force: true })
    }
  })
}

function compare(name: string, plugins: string, mode: string): void {
  const suite = join(checkout, 'test/conformance')
  const command = [`${suite}/cnidiff`, referencePlugins(), plugins, '--cases', `${suite}/cases/open`]
  const options = ['--only', name, '--mode', mode, '--max-skip', '0']
  const words = [...command, ...options].map((word) => `'${word}'`)
  const { status, output } = runInGuest(words.join(' '), { limit: LIMIT })
  assert.match(output, /^[1-9]\d* passed, 0 failed \(/m)
  assert.equal(status, 0, output)
}

// The guest runs while vitest collects, so that what it reports can be registered case by case.
const { output, report } = runGuestProject()
const files = report?.testResults ?? []

test('the guest reports on all its test files', () => {
  assert.ok(files.length > 0, output)
  for (const { name, message, assertionResults } of files) assert.ok(assertionResults.length > 0, `${name}: ${message}`)
})

for (const { fullName, status, failureMessages } of files.flatMap(({ assertionResults }) => assertionResults)) {
  test(`in the guest: ${fullName}`, () => assert.equal(status, 'passed', failureMessages.join('\n')))
}

function runGuestProject(): { readonly output: string; readonly report: Report | undefined } {
  const folder = mkdtempSync(join(tmpdir(), 'overlab-guest-'))
  const file = join(folder, 'report.json')
  try {
    const { output } = runInGuest(`vitest run --project guest --reporter=json --outputFile='${file}'`, { limit: LIMIT })
    return { output, report: readReport(file) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    return undefined // the test on the guest's report says so
  }
}
