/** The claims about Sys, of the implementation under Node. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { sys } from '#sys'
import type { Sys } from '../../src/linux/sys.ts'
import { sysClaims } from './sys-claims.ts'

const root = join(import.meta.dirname, '../..')
const directory = mkdtempSync(join(tmpdir(), 'overlab-sys-'))
afterAll(() => rmSync(directory, { recursive: true }))

const called = new Set<string>()
const recorded = new Proxy(sys, {
  get(target, name: keyof Sys & string) {
    called.add(name)
    return target[name]
  },
})

for (const { title, check } of sysClaims(recorded, assert.ok, directory)) test(title, check)

test('exit ends the process with its status', () => {
  const source = `import { sys } from '#sys'; sys.exit(7)`
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', source], { cwd: root })
  assert.equal(status, 7)
})

test('every call of Sys has a claim', () => {
  const source = readFileSync(join(root, 'src/linux/sys.ts'), 'utf8')
  const calls = [...source.matchAll(/^ {2}(\w+)\(/gm)].map(([, name]) => name!)
  assert.ok(calls.length > 30, 'the interface was read')
  assert.deepEqual(
    calls.filter((name) => name !== 'exit' && !called.has(name)),
    [],
  )
})
