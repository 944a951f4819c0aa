/** The package as others install it: packed, installed into an empty folder, and its example run there. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'overlab-package-'))
  run(root, 'npm', 'run', '--silent', 'build')
  const [{ filename }] = JSON.parse(run(root, 'npm', 'pack', '--json', '--pack-destination', folder))
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'somebody', type: 'module', private: true }))
  run(folder, 'npm', 'install', '--no-audit', '--prefer-offline', `./${filename}`, `vitest@${devDependencies.vitest}`)
  cpSync(join(root, 'examples/vitest'), join(folder, 'test'), { recursive: true })
}, 300_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function run(cwd: string, program: string, ...argv: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, argv, { cwd, encoding: 'utf8' })
  assert.equal(status, 0, `${program} ${argv.join(' ')}\n${stdout}\n${stderr}`)
  return stdout
}

test('the example passes where the package is installed', () => {
  const { status, stdout, stderr } = spawnSync('npx', ['vitest', 'run'], { cwd: folder, encoding: 'utf8' })
  assert.equal(status, 0, stdout + stderr)
  assert.match(stdout, /3 passed/)
})

test('a matcher that fails says the trace', () => {
  const wrong = readFileSync(join(folder, 'test/path.test.ts'), 'utf8').replace('NO_TX_TARGET', 'OTHERHOST')
  writeFileSync(join(folder, 'test/wrong.test.ts'), wrong)
  const { status, stdout, stderr } = spawnSync('npx', ['vitest', 'run', 'test/wrong.test.ts'], {
    cwd: folder,
    encoding: 'utf8',
  })
  assert.notEqual(status, 0)
  assert.match(stdout + stderr, /expected the packet to be dropped at n1\/flannel\.1 with OTHERHOST/)
  assert.match(stdout + stderr, /DROPPED at n1\/flannel\.1: NO_TX_TARGET/)
})

test('the command line traces from the installed package', () => {
  const topology = 'test/two-nodes.ovl.yml'
  const stdout = run(folder, 'npx', 'overlab', 'trace', 'web-0', 'svc/api', '--file', topology)
  assert.match(stdout, /DELIVERED both ways at api-0\/eth0/)
})
