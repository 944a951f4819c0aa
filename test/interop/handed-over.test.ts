/** The black-box suite and what brings its peers stand here as they were handed over: a change of ours would make us the judge of our own case. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'vitest'
import { missingBgpPeers } from '../../scripts/bgp-peers.mjs'

const here = import.meta.dirname
// Where a checkout stands beside the place the suite comes from; elsewhere there is nothing to compare with.
const shared = join(here, '../../../shared')

const folders = [
  { copy: join(here, 'bgp'), origin: join(shared, 'conformance/bgp'), pattern: '*.{py,md}' },
  { copy: join(here, 'peers'), origin: join(shared, 'peers'), pattern: '*-peers' },
]
/** What others may do with a file is the checkout's business: git keeps no more of its mode than this. */
const OWNER_MAY_EXECUTE = 0o100

const contentOf = (path: string) => ({
  text: readFileSync(path, 'utf8'),
  isExecutable: (statSync(path).mode & OWNER_MAY_EXECUTE) !== 0,
})

test('programs that are called by name may be executed', () => {
  for (const program of ['bgp/interop.py', 'bgp/bench.py', 'bgp/mesh_bench.py', 'peers/bgp-peers', 'peers/get-peers']) {
    assert.ok(contentOf(join(here, program)).isExecutable, program)
  }
})

test('set-up brings daemons by the names that the checks start them by', () => {
  const program = readFileSync(join(here, 'peers/bgp-peers'), 'utf8')
  const names = missingBgpPeers('/nowhere')
  for (const name of names) assert.ok(program.includes(`"${name}": "`), name)
  assert.deepEqual(missingBgpPeers(join(here, '../..')), [])
})

if (existsSync(shared)) {
  for (const { copy, origin, pattern } of folders) {
    test(`the copy ${basename(copy)} is not older than its origin`, () => {
      const files = globSync(pattern, { cwd: origin }).sort()
      assert.ok(files.length > 0)
      assert.deepEqual(globSync(pattern, { cwd: copy }).sort(), files)
      for (const file of files) assert.deepEqual(contentOf(join(copy, file)), contentOf(join(origin, file)), file)
    })
  }
}
