/**
 * One archive with all that a machine of the Vagrantfile needs, made on a Linux of the same architecture:
 *
 *   bin/node        this Node
 *   dist/           the command line, and below node_modules/ the packages that it imports
 *   cni-bin/        the plugins, hard links of one executable
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, renameSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const folder = join(root, '.cache/vagrant')
const archive = join(folder, 'overlab.tar.gz')

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>
}

if (process.platform !== 'linux') throw new Error('Cannot pack for the machines: their executables are built on Linux')
execFileSync(process.execPath, [join(root, 'scripts/build.ts')], { stdio: ['ignore', 'ignore', 'inherit'] })

const node = realpathSync(process.execPath)
const plugins = readdirSync(join(root, 'cni-bin')).filter((file) => file !== 'native' && !file.endsWith('.ts'))
const contents = ['package.json', 'dist', ...plugins.map((plugin) => `cni-bin/${plugin}`), ...runtimePackages()]

mkdirSync(folder, { recursive: true })
const draft = `${archive}.new`
const rename = `--transform=s,^${basename(node)}$,bin/node,`
// Node is most of it and hardly gets smaller by packing harder.
const quickly = '--use-compress-program=gzip -1'
execFileSync('tar', ['-cf', draft, quickly, rename, '-C', root, ...contents, '-C', dirname(node), basename(node)])
renameSync(draft, archive)

/** Folders of the packages that the command line may import, as npm has locked them. */
function runtimePackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as LockFile
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && existsSync(join(root, path)))
    .map(([path]) => path)
}
