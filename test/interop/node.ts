/** The node that a container runtime runs on, made of the test file's own namespaces: test/support/own-namespace.ts. */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../support/command.ts'
import { makeOutside, UPLINK } from '../support/outside.ts'

const cniBin = join(import.meta.dirname, '../../cni-bin')
const POLL = 50

/** Makes the way out, and the folders that runtimes have built in: our executables in /opt/cni/bin, an empty /etc/cni/net.d. */
export function makeNode(): void {
  if (!existsSync(join(cniBin, 'bridge'))) throw new Error('Cannot find cni-bin/bridge: run "npm run build"')
  for (const folder of ['etc', 'opt']) {
    const [upper, work] = [`/run/overlay/${folder}/upper`, `/run/overlay/${folder}/work`]
    run('mkdir', '-p', upper, work)
    run('mount', '-t', 'overlay', 'none', '-o', `lowerdir=/${folder},upperdir=${upper},workdir=${work}`, `/${folder}`)
  }
  run('mkdir', '-p', '/opt/cni/bin', '/etc/cni/net.d')
  run('mount', '--bind', cniBin, '/opt/cni/bin')
  makeOutside()
}

export function writeJson(file: string, value: unknown): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, JSON.stringify(value, null, 2))
}

/** Everything on the node that a pod's attachment could have left, of the network `name`: links, rules that mention `subnet`, files. */
export function leftovers(name: string, subnet: string): string[] {
  const links = (JSON.parse(run('ip', '-j', 'link', 'show', 'type', 'veth')) as { readonly ifname: string }[])
    .map(({ ifname }) => ifname)
    .filter((ifname) => ifname !== UPLINK)
  const prefix = subnet.replace(/0\.0\/16$/, '')
  const address = new RegExp(`\\b${prefix.replaceAll('.', '\\.')}\\d+\\.\\d+\\b(?!/16)`)
  const rules = run('nft', 'list', 'ruleset')
    .split('\n')
    .filter((line) => address.test(line))
  const reservations = list(`/var/lib/cni/networks/${name}`).filter(
    (file) => !/^(last_reserved_ip\.0|lock)$/.test(file),
  )
  return [...links, ...rules, ...reservations, ...list('/var/lib/cni/results')]
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : []
}

/** A program that runs beside the test; `end` waits until it has ended. */
export interface Running {
  readonly process: ChildProcess
  /** What it wrote so far, stdout and stderr. */
  output(): string
  end(signal: NodeJS.Signals): Promise<void>
  /** Waits for it to end by itself, with its status. */
  ended(): Promise<number | null>
}

export function start(program: string, args: readonly string[], environment: NodeJS.ProcessEnv = process.env): Running {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: environment })
  let text = ''
  child.stdout.on('data', (bytes: Buffer) => (text += bytes))
  child.stderr.on('data', (bytes: Buffer) => (text += bytes))
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once('exit', resolve)
    child.once('error', reject)
  })
  return {
    process: child,
    output: () => text,
    async end(signal) {
      child.kill(signal)
      await exit
    },
    ended: () => exit,
  }
}

/** Tries until `attempt` does not throw, `limit` milliseconds at most; then throws what it threw last. */
export async function eventually<T>(attempt: () => T, limit: number): Promise<T> {
  const end = performance.now() + limit
  for (;;) {
    try {
      return attempt()
    } catch (error) {
      if (performance.now() > end) throw error
      await sleep(POLL)
    }
  }
}
