/** Pools in a directory, which daemons watch and plugins change without waiting. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { host } from '../../../src/linux/host.ts'
import { assign } from '../../../src/pool/assign.ts'
import { type NodeView, watchNode } from '../../../src/pool/node-watch.ts'
import { createPool } from '../../../src/pool/pools.ts'
import { carryOutNow } from '../../../src/pool/steps.ts'
import { PromptFileStore } from '../../../src/store/file/prompt.ts'
import { poolsOnStore } from '../../pool/pools-on-store.ts'
import { requestOf } from '../../pool/world.ts'
import { openDirectory } from '../../support/open-directory.ts'

const directory = mkdtempSync(join(tmpdir(), 'overlab-pools-'))
afterAll(() => rmSync(directory, { recursive: true }))

poolsOnStore('a directory', () => openDirectory(join(directory, 'shared')))

/** As a plugin opens it. */
function promptly(path: string): PromptFileStore {
  return new PromptFileStore({
    directory: path,
    files: { ...host.files, tryLock: host.files.lock },
    clock: { now: host.now, elapsed: host.monotonic },
    newId: () => 'a1',
    report: assert.fail,
  })
}

test('a daemon that watches sees what plugins do, also when they have put a shorter log in place of a long one', async () => {
  const path = join(directory, 'watched')
  carryOutNow(createPool({ cidr: '10.244.0.0/16' }), promptly(path))
  const daemon = openDirectory(path)
  const views: NodeView[] = []
  const watch = watchNode(daemon, 'n1', { changed: (view) => void views.push(view), problem: assert.fail })
  const given = new Set<string>()
  for (let n = 0; n < 200; n++) {
    const [assigned] = carryOutNow(assign(requestOf('n1', `net:c${n}:eth0`)), promptly(path))
    given.add(assigned!.address)
  }
  assert.equal(given.size, 200)
  for (let n = 0; n < 500 && views.at(-1)?.holdings.blocks.length !== 4; n++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  assert.equal(views.at(-1)!.holdings.blocks.length, 4)
  assert.ok(host.files.status(`${path}/log`)!.size < 400_000, 'the log does not grow for ever')
  watch.close()
  daemon.close()
})
