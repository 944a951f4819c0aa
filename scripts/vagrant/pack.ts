/**
 * One archive with all that makes a machine a node of the lab, made on a Debian of the same architecture:
 *
 *   bin/            this Node; containerd, runc, etcd and their like, as Debian builds them
 *   dist/           the command line, and below node_modules/ the packages that it imports
 *   cni-bin/        the plugins, hard links of one executable
 *   netconf/        their configuration, and the daemon's unit
 *   node/           what the lab adds: commands for people, units
 *   image.tar       what pods are made of
 */
import { execFileSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { buildImage } from '../../test/interop/image.ts'
import { debianPackage } from '../../test/support/peers.ts'

const root = join(import.meta.dirname, '../..')
const folder = join(root, '.cache/vagrant')
const archive = join(folder, 'overlab.tar')

/** By Debian's package. */
const PROGRAMS = {
  containerd: ['usr/bin/containerd', 'usr/bin/containerd-shim-runc-v2', 'usr/bin/ctr'],
  runc: ['usr/sbin/runc'],
  'etcd-server': ['usr/bin/etcd'],
  'etcd-client': ['usr/bin/etcdctl'],
}

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean }>>
}

if (process.platform !== 'linux') throw new Error('Cannot pack for the machines: their executables are built on Linux')
execFileSync(process.execPath, [join(root, 'scripts/build.ts')], { stdio: ['ignore', 'ignore', 'inherit'] })

const plugins = readdirSync(join(root, 'cni-bin')).filter((file) => file !== 'native' && !file.endsWith('.ts'))
const ofCheckout = [
  'package.json',
  'dist',
  'netconf',
  ...plugins.map((plugin) => `cni-bin/${plugin}`),
  ...runtimePackages(),
]

mkdirSync(folder, { recursive: true })
const scratch = mkdtempSync(join(folder, 'pack-'))
try {
  mkdirSync(join(scratch, 'bin'))
  copyFileSync(realpathSync(process.execPath), join(scratch, 'bin/node'))
  for (const [name, programs] of Object.entries(PROGRAMS)) {
    for (const program of programs)
      linkSync(join(debianPackage(name), program), join(scratch, 'bin', basename(program)))
  }
  buildImage(join(scratch, 'image.tar'))
  const draft = join(scratch, 'overlab.tar')
  const sources = [
    ...['-C', root, ...ofCheckout],
    ...['-C', import.meta.dirname, 'node'],
    ...['-C', scratch, 'bin', 'image.tar'],
  ]
  execFileSync('tar', ['-cf', draft, '--owner=0', '--group=0', ...sources])
  renameSync(draft, archive)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}

/** Folders of the packages that the command line may import, as npm has locked them. */
function runtimePackages(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as LockFile
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && existsSync(join(root, path)))
    .map(([path]) => path)
}
