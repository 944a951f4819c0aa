/**
 * dist/: the library and the CLI as JavaScript with type declarations. Node strips no types below node_modules, so what is
 * published is compiled. dist/ has a package.json of its own: there `#sys` is the compiled file. The command line is bundled,
 * since opening some three hundred files would take longer than most of its answers.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { root } from './build-bundle.ts'

export async function buildLibrary(): Promise<void> {
  const output = join(root, 'dist')
  const fresh = mkdtempSync(join(root, '.cache/dist-'))
  try {
    const tsc = join(root, 'node_modules/.bin/tsc')
    const { status, stdout } = spawnSync(tsc, ['-p', 'tsconfig.build.json', '--outDir', fresh], {
      cwd: root,
      encoding: 'utf8',
    })
    if (status !== 0) throw new Error(`Cannot compile src/ into dist/:\n${stdout}`)
    const { type } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { type: string }
    writeFileSync(
      join(fresh, 'package.json'),
      `${JSON.stringify({ type, imports: { '#sys': './linux/sys.node.js' } })}\n`,
    )
    await bundleCommandLine(fresh)
    chmodSync(fresh, 0o755) // mkdtemp(3) makes it private
    rmSync(output, { recursive: true, force: true })
    renameSync(fresh, output)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** Where it stands: chunks lie beside it, as deep as the files that they are made of. */
async function bundleCommandLine(directory: string): Promise<void> {
  await build({
    entryPoints: ['main', 'listen'].map((name) => join(directory, 'cli', `${name}.js`)),
    outdir: join(directory, 'cli'),
    allowOverwrite: true,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    packages: 'external',
    external: ['../../schema/*'], // beside dist/, and so as far from the bundle
    logLevel: 'warning',
  })
}
