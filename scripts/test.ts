/**
 * `npm test`: builds, runs the suites in order, and sums up what really ran.
 *
 *   npm test                       everything
 *   npm test -- conformance uml    these suites
 *   npm test -- --list             their names
 *   npm run ok                     the quick ones
 *
 * The last line of output is `N passed, N failed`; a case that did not run has failed, unless ROADMAP.md names it with a reason.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { namesCase, parseLeftOut } from './left-out.ts'
import { run } from './run.ts'
import { type Outcome, type Suite, suites } from './suites.ts'

const root = join(import.meta.dirname, '..')
const BUILD_LIMIT = 10 * 60_000

const { values, positionals } = parseArgs({ allowPositionals: true, options: { list: { type: 'boolean' } } })

if (values.list) {
  for (const { name } of suites) console.log(name)
  process.exit(0)
}

const selected = select(positionals)
const leftOut = parseLeftOut(readFileSync(join(root, 'ROADMAP.md'), 'utf8'))
let passed = 0
const failed: string[] = []

// The quick suites read sources only.
if (selected.some(({ quick }) => !quick)) {
  const built = await run([process.execPath, 'scripts/build.mjs'], { limit: BUILD_LIMIT })
  if (!built) failed.push('build')
  console.log(`# build: ${built ? 'done' : 'failed'}`)
}

for (const suite of selected) {
  const start = performance.now()
  const outcome = await outcomeOf(suite)
  const failures = failuresOf(suite, outcome)
  const seconds = Math.round((performance.now() - start) / 1000)
  console.log(`# ${suite.name}: ${outcome.passed} passed, ${failures.length} failed, ${seconds} s`)
  passed += outcome.passed
  failed.push(...failures.map((failure) => `${suite.name}: ${failure}`))
}

// Here, and not behind each suite: of a long log the end is what people see.
for (const failure of failed) console.log(`# failed: ${failure}`)
console.log(`${passed} passed, ${failed.length} failed`)
process.exitCode = failed.length === 0 && passed > 0 ? 0 : 1

function select(names: readonly string[]): readonly Suite[] {
  if (names.length === 0) return suites
  const wanted = names.flatMap((name) => {
    const found = name === 'ok' ? suites.filter(({ quick }) => quick) : suites.filter((suite) => suite.name === name)
    if (found.length === 0) throw new RangeError(`Cannot run "${name}": there is no such suite, see npm test -- --list`)
    return found
  })
  return suites.filter((suite) => wanted.includes(suite))
}

/** A suite that cannot even start is one failure; the others still run. */
async function outcomeOf(suite: Suite): Promise<Outcome> {
  try {
    return await suite.run()
  } catch (error) {
    return { passed: 0, failed: [error instanceof Error ? error.message : String(error)], skipped: [] }
  }
}

function failuresOf(suite: Suite, { passed, failed, skipped }: Outcome): string[] {
  const unexplained = skipped.filter((name) => !leftOut.some((row) => namesCase(row, suite.name, name)))
  const failures = [...failed, ...unexplained.map((name) => `${name} was skipped, and ROADMAP.md gives no reason`)]
  if (passed === 0 && failures.length === 0) failures.push('no case ran')
  return failures
}
