/**
 * Runs a shell command in User-Mode Linux: Linux 6.1 as a program, for what the machine's kernel lacks.
 *
 * Debian's package user-mode-linux, unpacked by set-up, brings kernel and modules. There is no image: the machine's file
 * system is the guest's, so the command runs with this checkout, this Node and these executables, as root of a machine of its
 * own with one processor. It has VLANs, dummy, ipvlan, vrf, netem; it lacks nftables' ip, ip6 and inet families.
 */
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { quoteWords } from '../../src/command/shell-words.ts'
import { debianPackage } from '../support/peers.ts'

export interface GuestResult {
  /** The command's exit status; undefined when the guest died before it ended. */
  readonly status: number | undefined
  /** What the command wrote, stdout and stderr. */
  readonly output: string
}

const here = import.meta.dirname
const checkout = join(here, '../..')

const MEMORY = '1024M'
const SYSTEM_PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

/** What our tests use. */
const MODULES = ['bridge', '8021q', 'veth', 'dummy', 'ifb', 'macvlan', 'ipvlan', 'vxlan', 'tun', 'ipip', 'nf_tables']

/** `limit` in milliseconds. */
export function runInGuest(command: string, { limit }: { readonly limit: number }): GuestResult {
  const uml = debianPackage('user-mode-linux')
  const work = mkdtempSync(join(tmpdir(), 'overlab-uml-'))
  try {
    // All that init needs lies in `work`, so that no path on the kernel's command line can hold a blank.
    copyFileSync(join(here, 'init.sh'), join(work, 'init'))
    symlinkSync(join(indexedModules(uml), 'lib'), join(work, 'lib'))
    writeFileSync(join(work, 'modules'), MODULES.join('\n'))
    writeFileSync(join(work, 'path'), `${dirname(process.execPath)}:${checkout}/node_modules/.bin:${SYSTEM_PATH}`)
    writeFileSync(join(work, 'command'), `${quoteWords(['cd', checkout])}\n${command}\n`)
    const kernel = [
      `mem=${MEMORY}`,
      'root=/dev/root rootfstype=hostfs rootflags=/ rw',
      `init=${work}/init`,
      'con=null con0=null,fd:1 quiet',
      `WORK=${work}`, // words that the kernel does not know become init's environment
      `PATH=${SYSTEM_PATH}`,
    ].join(' ')
    const { stdout } = spawnSync(join(uml, 'usr/bin/linux.uml'), kernel.split(' '), {
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
      timeout: limit,
      killSignal: 'SIGKILL',
    })
    const ended = existsSync(join(work, 'status'))
    const output = existsSync(join(work, 'output')) ? readFileSync(join(work, 'output'), 'utf8') : ''
    return ended
      ? { status: Number(readFileSync(join(work, 'status'), 'utf8')), output }
      : { status: undefined, output: `${output}${stdout}` }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** A folder for `modprobe -d`. Without depmod's index no module loads, and the package brings none. */
function indexedModules(uml: string): string {
  const kernels = join(uml, 'usr/lib/uml/modules')
  const [version] = readdirSync(kernels)
  if (version === undefined) throw new Error(`Cannot find a kernel's modules in ${kernels}`)
  const folder = join(checkout, '.cache/uml')
  const link = join(folder, 'lib/modules', version)
  if (!existsSync(link)) {
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(kernels, version), link)
  }
  if (!existsSync(join(link, 'modules.dep'))) {
    const { status, stderr } = spawnSync('depmod', ['-b', folder, version], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
    })
    if (status !== 0) throw new Error(`Cannot index the modules of ${version}: ${stderr}`)
  }
  return folder
}
