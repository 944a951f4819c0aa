/** What a lab could leave on the machine: asked of the file system, /proc and `ip`, not of us. */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, readlinkSync } from 'node:fs'

export interface Traces {
  readonly namespaces: readonly string[]
  readonly links: readonly string[]
  /** All paths below /run but the directory that `ip netns` makes too. */
  readonly run: readonly string[]
  readonly mounts: readonly string[]
  /** Programs of ours, by their command lines, and whoever is in another network namespace than this process. */
  readonly processes: readonly string[]
}

export function traces(): Traces {
  const links: { ifname: string }[] = JSON.parse(output('ip', '-j', 'link'))
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  return {
    namespaces: output('ip', 'netns').split('\n').filter(Boolean),
    links: links.map(({ ifname }) => ifname),
    run: globSync('/run/**', {})
      .filter((path) => path !== '/run/netns')
      .sort(),
    mounts: mounts.filter((line) => / \/run\/netns\/./.test(line)),
    processes: globSync('/proc/[0-9]*').flatMap(describe),
  }
}

/** The command lines of this process's descendants by namespace, or those in `ovl-` namespaces. */
function describe(path: string): string[] {
  try {
    const command = readFileSync(`${path}/cmdline`, 'utf8').replaceAll('\0', ' ')
    const environment = readFileSync(`${path}/environ`, 'utf8').split('\0')
    const marked = environment.some((line) => line.startsWith(`OVERLAB_TEST=${process.pid}`))
    return marked ? [`${readlinkSync(`${path}/ns/net`)} ${command}`] : []
  } catch {
    return [] // ended meanwhile
  }
}

function output(program: string, ...argv: string[]): string {
  const { stdout, stderr, status } = spawnSync(program, argv, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${argv.join(' ')}: ${stderr}`)
  return stdout
}
