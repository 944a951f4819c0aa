/** The initramfs of the machines: busybox, the modules that reach the host's file system and the disk, and init.sh. */
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { debianPackage } from '../support/peers.ts'

/** With what they need, in that order. */
const MODULES = ['virtio_pci', 'virtio_blk', 'virtio_net', 'virtio_console', '9pnet_virtio', '9p', 'overlay', 'ext4']

/** What init.sh calls. */
const APPLETS = ['sh', 'mount', 'umount', 'mkdir', 'insmod', 'switch_root']

export interface Kernel {
  readonly image: string
  /** Holds a folder for the kernel's version. */
  readonly modules: string
}

export function debianKernel(): Kernel {
  const tree = debianPackage('linux-image-amd64')
  const modules = join(tree, 'lib/modules')
  const [version] = readdirSync(modules)
  if (version === undefined) throw new Error(`Cannot find a kernel's modules in ${modules}`)
  if (!existsSync(join(modules, version, 'modules.dep'))) execFileSync('depmod', ['-b', tree, version])
  return { image: join(tree, 'boot', `vmlinuz-${version}`), modules }
}

/** Writes it to `file`. */
export function buildInitramfs(kernel: Kernel, file: string): void {
  const tree = mkdtempSync(`${file}-`)
  try {
    for (const folder of ['bin', 'modules', 'proc', 'dev', 'host', 'disk', 'root']) mkdirSync(join(tree, folder))
    copyFileSync(join(debianPackage('busybox-static'), 'bin/busybox'), join(tree, 'bin/busybox'))
    for (const applet of APPLETS) symlinkSync('busybox', join(tree, 'bin', applet))
    copyFileSync(join(import.meta.dirname, 'init.sh'), join(tree, 'init'))
    chmodSync(join(tree, 'init'), 0o755)
    for (const [index, module] of modulesInOrder(kernel).entries()) {
      // In the order of their names.
      copyFileSync(module, join(tree, 'modules', `${String(index).padStart(2, '0')}-${basename(module)}`))
    }
    execFileSync('sh', ['-ec', 'cd "$1"; find . | cpio --quiet -o -H newc >"$2"', 'sh', tree, file])
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

function modulesInOrder({ modules }: Kernel): string[] {
  const [version] = readdirSync(modules)
  const tree = join(modules, '../..')
  const lines = MODULES.flatMap((module) =>
    execFileSync('modprobe', ['-d', tree, '-S', version!, '--show-depends', module], { encoding: 'utf8' }).split('\n'),
  )
  return [...new Set(lines.filter((line) => line.startsWith('insmod ')).map((line) => line.split(' ')[1]!))]
}
