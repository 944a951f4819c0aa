/**
 * The build.
 *
 *   npm run build                  cni-bin/<plugin>: one static executable with a hard link per plugin, and dist/
 *   npm run build -- --node DIR    the plugins as Node scripts, in another folder
 *
 * Without a C compiler or libquickjs, cni-bin/ gets the Node scripts. What is newer than all it is made from stays as it is:
 * a stamp in .cache/ holds the digest of the inputs.
 */
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bundle, buildNodeScripts, bundleTogether, pluginEntries, root } from './build-bundle.ts'
import { buildExecutable, findToolchain, linkExecutable, type Toolchain } from './build-executable.ts'
import { buildLibrary } from './build-library.ts'

const cniBin = join(root, 'cni-bin')
const executable = join(cniBin, 'overlab-cni')

const { values } = parseArgs({ options: { node: { type: 'string' } } })
if (values.node !== undefined) {
  const directory = resolve(values.node)
  printSizes(await buildNodeScripts(pluginEntries(), directory))
  console.log(`Node scripts in ${directory}`)
} else {
  const toolchain = findToolchain()
  const plugins = pluginEntries().map((entry) => basename(entry, '.ts'))
  const outputs = [...plugins.map((name) => join(cniBin, name)), join(root, 'dist/package.json')]
  const digest = digestOfInputs(toolchain)
  const stamp = join(root, '.cache/build')
  if (outputs.every((file) => existsSync(file)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) {
    console.log('cni-bin/ and dist/ are up to date')
  } else {
    mkdirSync(join(root, '.cache'), { recursive: true })
    rmSync(stamp, { force: true })
    await buildPlugins(toolchain)
    await buildLibrary()
    writeFileSync(stamp, digest)
  }
}

async function buildPlugins(toolchain: Toolchain | string): Promise<void> {
  if (typeof toolchain === 'string') {
    console.log(`cni-bin/ gets Node scripts instead of executables: ${toolchain}`)
    rmSync(executable, { force: true })
    return printSizes(await buildNodeScripts(pluginEntries(), cniBin))
  }
  const entries = pluginEntries()
  const bundle = await bundleTogether(entries)
  buildExecutable(toolchain, [bundle], executable, { prepared: true })
  for (const entry of entries) linkExecutable(executable, join(cniBin, basename(entry, '.ts')))
  printSizes([bundle])
  console.log(`${relative(root, executable).padEnd(32)}${kilobytes(statSync(executable).size)}`)
}

function printSizes(bundles: readonly Bundle[]): void {
  for (const { name, text } of bundles)
    console.log(`${`bundle of ${name}`.padEnd(32)}${kilobytes(Buffer.byteLength(text))}`)
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1).padStart(8)} kB`
}

function digestOfInputs(toolchain: Toolchain | string): string {
  const patterns = [
    'src/**/*.ts',
    'cni-bin/*.ts',
    'cni-bin/native/*',
    'scripts/build*',
    'package*.json',
    'tsconfig*.json',
  ]
  const hash = createHash('sha256').update(JSON.stringify([process.execPath, toolchain]))
  for (const file of globSync(patterns, { cwd: root }).sort())
    hash.update(`${file}\0`).update(readFileSync(join(root, file)))
  if (typeof toolchain !== 'string') hash.update(readFileSync(toolchain.archive))
  return hash.digest('hex')
}
