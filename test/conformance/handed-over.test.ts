/** The suite stands here as it was handed over: a change of ours would make us the judge of our own case. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'

const here = import.meta.dirname
// Where a checkout stands beside the place the suite comes from; elsewhere there is nothing to compare with.
const origin = join(here, '../../../shared/conformance')

const suite = ['cnidiff', 'README.md', 'flannel-cni-golden.json', 'cases/{open,better}/*.json']
const files = globSync(suite, { cwd: here }).sort()

test('the suite holds its program and its cases', () => {
  assert.ok(files.includes('cnidiff'))
  assert.equal(files.filter((file) => file.startsWith('cases/open/')).length, 198)
  assert.equal(files.filter((file) => file.startsWith('cases/better/')).length, 58)
})

if (existsSync(origin)) {
  test('the copy is not older than its origin', () => {
    const original = globSync(suite, { cwd: origin }).sort()
    assert.deepEqual(files, original)
    for (const file of files) {
      assert.equal(readFileSync(join(here, file), 'utf8'), readFileSync(join(origin, file), 'utf8'), file)
    }
  })
}
