/** What a lab could leave on the machine, asked of the file system, /proc and `ip`: not of us. */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'

/** In the environment of whatever a test starts, and so of whatever that starts. */
export const MARK = `OVERLAB_TEST=${process.pid}`

export interface Traces {
  readonly namespaces: readonly string[]
  readonly links: readonly string[]
  /** Paths below /run, but for the directory that `ip netns` makes and leaves as well. */
  readonly run: readonly string[]
  /** Command lines of processes that carry the mark. */
  readonly processes: readonly string[]
}

export function traces(): Traces {
  const links: { readonly ifname: string }[] = JSON.parse(output('ip', '-j', 'link'))
  return {
    namespaces: output('ip', 'netns').split('\n').filter(Boolean),
    links: links.map(({ ifname }) => ifname),
    run: globSync('/run/**').filter((path) => !['/run', '/run/', '/run/netns'].includes(path)),
    processes: processesWith(MARK),
  }
}

/** Command lines of the processes that have this line in their environment. */
export function processesWith(line: string): string[] {
  return globSync('/proc/[0-9]*').flatMap((path) => {
    try {
      const marked = readFileSync(`${path}/environ`, 'utf8').split('\0').includes(line)
      return marked ? [readFileSync(`${path}/cmdline`, 'utf8').replaceAll('\0', ' ')] : []
    } catch {
      return [] // it has ended
    }
  })
}

export function output(program: string, ...argv: string[]): string {
  const { stdout, stderr, status, error } = spawnSync(program, argv, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${argv.join(' ')}: ${error?.message ?? stderr}`)
  return stdout
}
