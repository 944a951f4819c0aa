/** What the build leaves in cni-bin/, and the Node scripts that stand in for it. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, globSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, describe, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const cniBin = join(root, 'cni-bin')
const plugins = globSync('cni-bin/*.ts', { cwd: root }).map((file) => basename(file, '.ts'))
const scripts = mkdtempSync(join(tmpdir(), 'overlab-scripts-'))
afterAll(() => rmSync(scripts, { recursive: true }))

function versions(program: string, argv0 = program): unknown {
  const options = { argv0, input: '{"cniVersion":"1.0.0"}', env: { CNI_COMMAND: 'VERSION' }, encoding: 'utf8' } as const
  return JSON.parse(spawnSync(program, [], options).stdout)
}

describe.each(plugins)('%s', (name) => {
  test('is a name of the one executable, which is small and needs no library', () => {
    const [plugin, all] = [join(cniBin, name), join(cniBin, 'overlab-cni')].map((file) => statSync(file))
    assert.equal(plugin!.ino, all!.ino)
    assert.ok(plugin!.size <= 4 * 2 ** 20)
    assert.doesNotMatch(execFileSync('readelf', ['-ld', join(cniBin, name)], { encoding: 'utf8' }), /INTERP|NEEDED/)
  })

  test('is found by its own file when it is called by another name', () => {
    assert.deepEqual(versions(join(cniBin, name), 'something-else'), versions(join(cniBin, name)))
  })

  test('as a Node script answers the same, also where a package.json speaks of another kind of modules', () => {
    execFileSync(process.execPath, [join(root, 'scripts/build.ts'), '--node', scripts])
    for (const type of ['module', 'commonjs']) {
      const directory = join(scripts, type)
      mkdirSync(directory, { recursive: true })
      writeFileSync(join(directory, 'package.json'), JSON.stringify({ type }))
      copyFileSync(join(scripts, name), join(directory, name))
      assert.deepEqual(versions(join(directory, name)), versions(join(cniBin, name)))
    }
  })
})
