/** `ip monitor`, `bridge monitor` and `nft monitor` of a node: what anybody changes there is a line. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { eventually, type Node } from './network.ts'

const COMMANDS = [
  ['ip', 'monitor', 'link', 'address', 'route', 'rule', 'nsid'],
  ['bridge', 'monitor', 'fdb', 'mdb', 'vlan', 'link'],
  ['nft', 'monitor'],
] as const

export interface Monitor {
  /** Lines so far, without those of the pod's own links and of the probe. */
  stop(): Promise<string[]>
}

/** Comes back when all of them hear. */
export async function monitor(node: Node): Promise<Monitor> {
  const heard: string[][] = COMMANDS.map(() => [])
  const children = COMMANDS.map((command, i) => {
    const child = spawn('ip', ['netns', 'exec', node.name, ...command], { stdio: ['ignore', 'pipe', 'ignore'] })
    child.stdout.setEncoding('utf8').on('data', (text: string) => heard[i]!.push(...text.split('\n')))
    return child
  })
  // Changes of ours that each of them tells: before what is watched, and behind all of it.
  const probe = async (name: string) => {
    node.run('ip', 'link', 'add', name, 'type', 'bridge')
    node.run('nft', 'add', 'table', 'ip', name)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const isHeard = (name: string) => heard.every((lines) => lines.some((line) => line.includes(name)))
  let attempt = 0
  await eventually('the monitors hear', async () => {
    await probe(`probe${attempt++}`)
    return isHeard('probe')
  })
  const start = heard.map((lines) => lines.length)
  return {
    async stop() {
      await probe('last')
      await eventually('the monitors have heard all', () => isHeard('last'))
      await Promise.all(children.map(end))
      return heard.flatMap((lines, i) => lines.slice(start[i]!).filter((line) => isAboutUs(line)))
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  const closed = once(child, 'close')
  child.kill()
  await closed
}

function isAboutUs(line: string): boolean {
  return line.trim() !== '' && /flannel|10\.5\.|FLANNEL/.test(line)
}

/** Nothing at all was told. */
export async function assertSilent(running: Monitor): Promise<void> {
  assert.deepEqual(await running.stop(), [])
}
