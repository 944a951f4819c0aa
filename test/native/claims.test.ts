/** The claims about Sys that Node's implementation fulfils in test/linux/sys.test.ts, inside an executable. */
import assert from 'node:assert/strict'
import { afterAll, describe, test } from 'vitest'
import { buildPrograms, builds } from './executables.ts'

interface Report {
  readonly results: readonly { readonly title: string; readonly failure?: string }[]
  readonly uncalled: readonly string[]
}

const inEmptyFolder = 'd=$(mktemp -d) && DIRECTORY=$d "$0"; s=$?; rm -rf "$d"; exit $s'

for (const { build, options } of builds) {
  describe(build, async () => {
    const executables = await buildPrograms(['claims'], options)
    afterAll(() => executables.remove())
    const { stdout, stderr } = executables.run('claims', { shell: inEmptyFolder })
    const { results, uncalled } = JSON.parse(stdout) as Report

    for (const { title, failure } of results) test(title, () => assert.equal(failure, undefined))

    test('every call but exit has a claim, and all of them say nothing on stderr that was not asked for', () => {
      assert.deepEqual(uncalled, ['exit'])
      assert.doesNotMatch(stderr, /Sanitizer|runtime error/)
    })
  })
}
