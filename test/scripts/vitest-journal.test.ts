import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { Outcome } from '../../scripts/suites.ts'
import { type Entry, JOURNAL, readJournal } from '../../scripts/vitest-journal.ts'

const root = join(import.meta.dirname, '../..')

const journal = (...entries: Entry[]) => entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')
const planned: Entry = { event: 'planned', files: ['a.test.ts', 'b.test.ts'] }
const begun = (id: string): Entry => ({ event: 'begun', file: 'a.test.ts', id, name: `case ${id}` })
const passed = (id: string): Entry => ({ event: 'case', file: 'a.test.ts', id, name: `case ${id}`, state: 'passed' })
const ended = (file: string): Entry => ({ event: 'file', file, failed: false })
const over: Entry = { event: 'over', errors: [] }

// what it is, the journal, whether vitest ended well, what failed
for (const [title, text, succeeded, failed] of [
  ['a whole run', journal(planned, passed('1'), ended('a.test.ts'), ended('b.test.ts'), over), true, []],
  ['none at all', '', false, ['vitest never started to run tests']],
  [
    'a run that was ended in a case and in a line',
    `${journal(planned, begun('1'), passed('1'), begun('2'))}{"event":"ca`,
    false,
    ['a.test.ts did not come to the end of "case 2"', 'b.test.ts was not run', 'vitest did not come to its end'],
  ],
  [
    'a file that hung behind its last case',
    journal(planned, begun('1'), passed('1'), ended('b.test.ts'), over),
    false,
    ['a.test.ts did not end'],
  ],
  [
    'an error between the tests',
    journal(planned, passed('1'), ended('a.test.ts'), ended('b.test.ts'), { event: 'over', errors: ['lost'] }),
    false,
    ['between the tests: lost'],
  ],
  [
    'a bad end for no reason that it told',
    journal(planned, passed('1'), ended('a.test.ts'), ended('b.test.ts'), over),
    false,
    ['vitest ended badly though nothing failed'],
  ],
] as const) {
  test(`the journal of ${title}`, () => {
    assert.deepEqual(readJournal(text, succeeded).failed, failed)
  })
}

// What vitest itself tells of a run in which everything goes wrong that can.
let outcome: Outcome
let said: string

beforeAll(() => {
  const folder = mkdtempSync(join(tmpdir(), 'overlab-journal-'))
  try {
    const limit = JSON.stringify(join(root, 'test/support/time-limit.ts'))
    const files = {
      'cases.test.js': `
        test('passes', () => {})
        describe('outer', () => {
          test('fails', () => { throw new Error('this is why\\nand more') })
          test.skip('is skipped', () => {})
        })`,
      'hook.test.js': "beforeAll(() => { throw new Error('no set-up') }); test('needs it', () => {})",
      'unreadable.test.js': "throw new Error('not a test')",
      'hangs.test.js': `
        import { spawnSync } from 'node:child_process'
        import ${limit}
        test('comes before', () => {})
        test('waits', async () => {
          await new Promise((resolve) => setTimeout(resolve, 500))
          spawnSync('sleep', ['1000'])
        })`,
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    mkdirSync(join(folder, 'out'))
    const file = join(folder, 'out/journal')
    const argv = [
      'run',
      '--root',
      folder,
      '--globals',
      '--no-cache',
      '--reporter',
      join(root, 'scripts/vitest-journal.ts'),
    ]
    const { status, stderr } = spawnSync(join(root, 'node_modules/.bin/vitest'), argv, {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, [JOURNAL]: file, OVERLAB_TEST_FILE_LIMIT: '3000' },
    })
    said = stderr
    outcome = readJournal(readFileSync(file, 'utf8'), status === 0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 60_000)

test('what ran is counted though one file hung', () => {
  assert.equal(outcome.passed, 2)
  assert.deepEqual(outcome.skipped.toSorted(), ['needs it', 'outer > is skipped'])
})

test('what failed is told with its file and its reason', () => {
  expect(outcome.failed.toSorted()).toEqual([
    expect.stringContaining('between the tests: '),
    'cases.test.js: outer > fails: this is why',
    'hangs.test.js did not come to the end of "waits"',
    'hook.test.js: no set-up',
    'unreadable.test.js: not a test',
  ])
})

test('a file that hangs is ended, and what it waited for is named', () => {
  expect(said).toMatch(/any longer: 3 s are over; it waits for \d+ sleep 1000\n/)
})
