/** A store in a directory whose writers are killed at any moment. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { onTestFinished, test } from 'vitest'
import { put, until, Witness } from '../contract/store/case.ts'
import { openDirectory } from '../support/open-directory.ts'

const moment = { passTime: () => new Promise<void>((resolve) => setTimeout(resolve, 10)) }

test('writers that are killed leave every change whole, and nobody waiting', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'overlab-store-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const directory = join(folder, 'store')
  const store = openDirectory(directory)
  onTestFinished(() => store.close())
  const witness = new Witness()
  store.watch('', witness)
  await until(moment, () => witness.told.length > 0, 'the watch lists')
  let revision = 0n
  for (let round = 0; round < 6; round++) {
    const writers = ['one', 'two'].map((name) =>
      spawn(process.execPath, [join(import.meta.dirname, 'store-writer.ts'), directory, name], {
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    )
    await Promise.all(writers.map(({ stdout }) => once(stdout, 'data')))
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 50))
    for (const writer of writers) {
      const exit = once(writer, 'exit')
      writer.kill('SIGKILL')
      await exit
    }
    const listing = await store.list('')
    const [left, right] = await Promise.all([store.get('/left'), store.get('/right')])
    assert.deepEqual([left?.value, left?.revision, left?.lease], [right?.value, right?.revision, right?.lease])
    assert.ok(listing.revision > revision)
    revision = (await put(store, '/round', String(round)))!
    const again = openDirectory(directory)
    assert.deepEqual(await again.list(''), await store.list(''))
    again.close()
  }
  assert.doesNotMatch(readFileSync(join(directory, 'log'), 'utf8'), /"compacted":1\}/, 'they never compacted')
  const last = async () => isDeepStrictEqual(witness.entries, (await store.list('')).entries)
  await until(moment, last, 'the watch has what the store has')
  assert.deepEqual(witness.entries, (await store.list('')).entries)
})
