/** The data path in a bundle: its worker is found beside it, wherever the directory is copied to. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { afterAll, test } from 'vitest'

const root = join(import.meta.dirname, '../../..')
const directory = mkdtempSync(join(tmpdir(), 'overlab-bundle-'))
afterAll(() => rmSync(directory, { recursive: true }))

const program = `
  import { startUdpEngine } from ${JSON.stringify(join(root, 'src/cli/udp-engine.ts'))}
  const engine = startUdpEngine({ tun: 'bundled0', address: '127.0.0.1', port: 8285 })
  await engine.ready
  console.log(JSON.stringify(engine.counters()))
  if (process.argv[2] === 'stop') await engine.stop()`

test('a bundle outside of the checkout runs the data path, and its process ends, stopped or not', async () => {
  await build({
    stdin: { contents: program, resolveDir: root, sourcefile: 'program.ts' },
    outfile: join(directory, 'program.js'),
    ...options,
  })
  await build({
    entryPoints: [join(root, 'src/cli/udp-worker.ts')],
    outfile: join(directory, 'udp-worker.js'),
    ...options,
  })
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}')
  // koffi finds its native part beside itself, and is not bundled.
  mkdirSync(join(directory, 'node_modules'))
  symlinkSync(join(root, 'node_modules/koffi'), join(directory, 'node_modules/koffi'))
  for (const how of ['stop', 'exit']) {
    const { stdout, stderr, status } = spawnSync(process.execPath, [join(directory, 'program.js'), how], {
      cwd: directory,
      encoding: 'utf8',
    })
    assert.equal(status, 0, stderr)
    assert.equal(JSON.parse(stdout).strangers, 0)
  }
})

const options: BuildOptions = {
  alias: { '#sys': join(root, 'src/linux/sys.node.ts') },
  external: ['koffi'],
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  logLevel: 'warning',
}
