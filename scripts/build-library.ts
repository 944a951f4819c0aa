/**
 * dist/: the library and the CLI as JavaScript with type declarations. Node strips no types below node_modules, so what is
 * published is compiled. dist/ has a package.json of its own: there `#sys` is the compiled file. The command line is bundled,
 * since opening some four hundred files would take longer than most of its answers.
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

/** What every command needs, in many small files: bundled, too. All others are loaded where they are used. */
const BUNDLED = ['commander', 'yaml']

/** Where it stands: chunks lie beside it, as deep as the files that they are made of. */
async function bundleCommandLine(directory: string): Promise<void> {
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies: object }
  await build({
    entryPoints: ['main', 'listen', 'udp-worker', 'bfd-worker'].map((name) => join(directory, 'cli', `${name}.js`)),
    outdir: join(directory, 'cli'),
    allowOverwrite: true,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    minifyWhitespace: true,
    // beside dist/, and so as far from the bundle
    external: ['../../schema/*', ...Object.keys(dependencies).filter((name) => !BUNDLED.includes(name))],
    // Both are CommonJS, which asks for Node's own modules by require().
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    logLevel: 'warning',
  })
  writeFileSync(join(directory, 'cli', 'LICENSES'), BUNDLED.map(licenseOf).join('\n'))
}

/** Both licenses, ISC and MIT, ask for their text where copies are. */
function licenseOf(name: string): string {
  return `${name}\n\n${readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8')}`
}
