/** What the daemon will be: one file, away from the checkout. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { onTestFinished, test } from 'vitest'
import { startEtcd } from '../../support/etcd.ts'

const root = join(import.meta.dirname, '../../..')

const program = `
  import { openStore } from './src/store/open.ts'
  const [, , endpoint, ca] = process.argv
  const surroundings = { tryLock: () => ({ release() {} }), report() {} }
  const store = openStore({ etcd: { endpoints: [endpoint], ca } }, surroundings)
  const told = []
  store.watch('/', {
    listed: ({ entries }) => told.push('listed ' + entries.length),
    lost: ({ message }) => told.push(message),
    changed(changes) {
      told.push(...changes.map(({ operation }) => operation))
      if (!told.includes('delete')) return
      store.close()
      console.log(told.join(', '))
    },
  })
  const lease = await store.grant(100)
  await store.transact([], [{ put: '/a', value: '1', lease }])
  await store.keepAlive(lease)
  await store.revoke(lease)
`

for (const format of ['esm', 'cjs'] as const) {
  test(`bundled as ${format} it runs from a copy elsewhere, and ends by itself`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'overlab-bundle-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const outfile = join(folder, format === 'esm' ? 'daemon.mjs' : 'daemon.cjs')
    const require = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`
    await build({
      stdin: { contents: format === 'esm' ? program : `void (async () => {${asBody(program)}})()`, resolveDir: root },
      ...{ outfile, format, bundle: true, platform: 'node', logLevel: 'error' },
      ...(format === 'esm' && { banner: { js: require } }),
    })
    await using etcd = await startEtcd({ tls: 'server' })
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [outfile, etcd.endpoint, etcd.certificates!.ca],
      { cwd: folder, timeout: 30_000 },
    )
    assert.equal(stderr, '')
    assert.match(stdout, /^listed [01], (put, )?.*delete\n$/)
  })
}

/** CommonJS has no await of its own at the top. */
function asBody(text: string): string {
  return text.replace(/import \{ (\w+) \} from '([^']+)'/, "const { $1 } = await import('$2')")
}
