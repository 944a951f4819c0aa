/**
 * Bundles: entries in cni-bin/ and all they import, as one JavaScript file: for the executable all of them together, as Node
 * scripts one for each.
 *
 * For an executable `#sys` is the C file's calls. For Node it is koffi's, and the bundle is a script that runs wherever it
 * is copied to: Node and koffi are named by absolute path, and it reads as an ES module and as CommonJS alike, since a file
 * without an extension is the one or the other by the package.json above it.
 */
import { chmodSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type BuildOptions, build, type Plugin } from 'esbuild'

export const root = join(import.meta.dirname, '..')

export interface Bundle {
  /** The plugin's name. */
  readonly name: string
  readonly text: string
}

/** What `npm run build` bundles: the entries in cni-bin/. Each exports `start`, which begins the plugin's work. */
export function pluginEntries(): string[] {
  return globSync('cni-bin/*.ts', { cwd: root })
    .map((file) => join(root, file))
    .sort()
}

const forExecutable: BuildOptions = {
  alias: { '#sys': join(root, 'src/linux/sys.native.ts') },
  platform: 'neutral',
  format: 'esm',
}

/** A bundle per entry. */
export function bundleForExecutable(entries: readonly string[]): Promise<Bundle[]> {
  return bundle(entries, forExecutable)
}

/** One bundle of all the entries: it begins nothing, but leaves `overlabPlugins` behind, where main.c finds them by name. */
export function bundleTogether(entries: readonly string[]): Promise<Bundle> {
  const imports = entries.map((entry, i) => `import { start as start${i} } from ${JSON.stringify(entry)}`)
  const plugins = entries.map((entry, i) => `${JSON.stringify(basename(entry, '.ts'))}: () => start${i}(${release})`)
  const text = `${imports.join('\n')}\nglobalThis.overlabPlugins = { __proto__: null, ${plugins.join(', ')} }`
  return bundleText('plugins', text, forExecutable)
}

/** Writes a script per entry into `directory`; answers their bundles. */
export async function buildNodeScripts(entries: readonly string[], directory: string): Promise<Bundle[]> {
  const options: BuildOptions = {
    alias: { '#sys': join(root, 'src/linux/sys.node.ts') },
    platform: 'node',
    format: 'iife',
    plugins: [koffiByPath],
    banner: {
      js: [
        `#!${process.execPath}`,
        `var require=process.getBuiltinModule('node:module').createRequire(${JSON.stringify(join(root, 'package.json'))});`,
      ].join('\n'),
    },
  }
  const bundles = await Promise.all(
    entries.map((entry) =>
      bundleText(basename(entry, '.ts'), `import { start } from ${JSON.stringify(entry)}\nstart(${release})`, options),
    ),
  )
  mkdirSync(directory, { recursive: true })
  for (const { name, text } of bundles) {
    const fresh = join(directory, `.${name}.${process.pid}`)
    writeFileSync(fresh, text)
    chmodSync(fresh, 0o755)
    renameSync(fresh, join(directory, name))
  }
  return bundles
}

/** What a plugin says of itself, as a literal. */
const release = JSON.stringify(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version)

const small: BuildOptions = {
  absWorkingDir: root,
  outdir: root,
  write: false,
  bundle: true,
  minify: true,
  target: 'es2022', // what QuickJS 2025-04-26 reads
  charset: 'utf8',
  legalComments: 'none',
  logLevel: 'warning',
}

async function bundle(entries: readonly string[], options: BuildOptions): Promise<Bundle[]> {
  const { outputFiles } = await build({ ...small, ...options, entryPoints: [...entries] })
  return outputFiles!.map(({ path, text }) => ({ name: basename(path, '.js'), text }))
}

async function bundleText(name: string, contents: string, options: BuildOptions): Promise<Bundle> {
  const { outputFiles } = await build({ ...small, ...options, stdin: { contents, resolveDir: root, sourcefile: name } })
  return { name, text: outputFiles![0]!.text }
}

/** koffi finds its native part beside itself: it stays where it is. */
const koffiByPath: Plugin = {
  name: 'koffi by path',
  setup(esbuild) {
    esbuild.onResolve({ filter: /^koffi$/ }, () => ({
      path: join(root, 'node_modules/koffi/index.cjs'),
      external: true,
    }))
  },
}
