/**
 * Machines of a cluster, as `overlab bgp run` makes them of one file: network namespaces at a bridge, and pods attached by
 * `overlab cni`.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MAIN } from '../cli/overlab.ts'
import { eventually } from '../contract/kernel/case.ts'
import { run } from '../support/command.ts'

export interface Machine {
  readonly name: string
  readonly namespace: string
  readonly address: string
  readonly directory: string
  child: ChildProcess | undefined
  pod: { readonly namespace: string; readonly address: string; readonly addresses: readonly string[] } | undefined
}

const BRIDGE = 'cluster0'

export class Machines {
  readonly folder = mkdtempSync(join(tmpdir(), 'overlab-cluster-'))
  readonly all: readonly Machine[]

  /** n1 has 10.37.0.1/24 and fd37::1/64 on eth0, and so on; the bridge that joins them 10.37.0.100/24. */
  constructor(count: number) {
    run('ip', 'link', 'add', BRIDGE, 'type', 'bridge')
    run('ip', 'address', 'add', '10.37.0.100/24', 'dev', BRIDGE)
    run('ip', 'link', 'set', BRIDGE, 'up')
    this.all = Array.from({ length: count }, (_, i) => this.#add(i + 1))
  }

  /** `store`: as a configuration has it. `ipam`: what block-ipam is told beside the socket of the machine's daemon. */
  start(machine: Machine, store: object, ipam: object = {}): void {
    const { name, namespace, directory } = machine
    const socket = join(directory, 'pool.sock')
    const cluster = { store, interfaces: ['eth0'], peers: { connectRetry: 1, holdTime: 3 }, socket }
    const network = {
      cniVersion: '1.1.0',
      name: 'pods',
      plugins: [{ type: 'routed', ipam: { type: 'block-ipam', socket, ...ipam } }],
    }
    writeFileSync(join(directory, 'bgp.json'), JSON.stringify({ name, as: 64512, cluster }))
    writeFileSync(join(directory, 'pods.conflist'), JSON.stringify(network))
    const argv = [
      MAIN,
      'bgp',
      'run',
      '--config',
      join(directory, 'bgp.json'),
      '--state',
      directory,
      '--socket',
      join(directory, 'bgp.sock'),
    ]
    const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, ...argv], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let log = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      log += text
      writeFileSync(join(directory, 'log'), log)
    })
    machine.child = child
  }

  async end({ child }: Machine, signal: NodeJS.Signals): Promise<number | null> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return null
    const ended = once(child, 'exit')
    child.kill(signal)
    return (await ended)[0] as number | null
  }

  addPod(machine: Machine): void {
    const { name, namespace, directory } = machine
    const pod = `cluster-pod-${name}`
    run('ip', 'netns', 'add', pod)
    const argv = ['cni', 'add', join(directory, 'pods.conflist'), pod, '-o', 'json']
    const { ips } = JSON.parse(
      run('ip', 'netns', 'exec', namespace, process.execPath, MAIN, ...argv, '--cache-dir', join(directory, 'cache')),
    ) as { readonly ips: readonly { readonly address: string }[] }
    const addresses = ips.map(({ address }) => address.split('/')[0]!)
    machine.pod = { namespace: pod, address: addresses[0]!, addresses }
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((machine) => this.end(machine, 'SIGKILL')))
    for (const { namespace, pod } of this.all) {
      if (pod) run('ip', 'netns', 'delete', pod.namespace)
      run('ip', 'netns', 'delete', namespace)
    }
    run('ip', 'link', 'delete', BRIDGE)
    rmSync(this.folder, { recursive: true, force: true })
  }

  #add(number: number): Machine {
    const name = `n${number}`
    const namespace = `cluster-${name}`
    const directory = join(this.folder, name)
    const address = `10.37.0.${number}`
    mkdirSync(directory)
    run('ip', 'netns', 'add', namespace)
    run('ip', 'link', 'add', `cl-${name}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
    run('ip', 'link', 'set', `cl-${name}`, 'up', 'master', BRIDGE)
    run('ip', '-n', namespace, 'link', 'set', 'lo', 'up')
    run('ip', '-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0')
    run('ip', '-n', namespace, 'address', 'add', `fd37::${number}/64`, 'dev', 'eth0', 'nodad')
    run('ip', '-n', namespace, 'link', 'set', 'eth0', 'up')
    return { name, namespace, address, directory, child: undefined, pod: undefined }
  }
}

/** By each of its addresses. */
export function reaches(from: Machine, to: Machine): boolean {
  try {
    for (const address of to.pod!.addresses) {
      run('ip', 'netns', 'exec', from.pod!.namespace, 'ping', '-c', '1', '-W', '2', address)
    }
    return true
  } catch {
    return false // ping's status 1: no answer
  }
}

/** `10.244.0.64/26 via 10.37.0.2`, `blackhole 10.244.0.0/26`. */
export function routesOf({ namespace }: Machine): string[] {
  const text = run('ip', '-n', namespace, '-j', 'route', 'show', 'proto', '182')
  return (JSON.parse(text) as { type?: string; dst: string; gateway?: string }[])
    .map(({ type, dst, gateway }) => [...(type ? [type] : []), dst, ...(gateway ? ['via', gateway] : [])].join(' '))
    .sort()
}

export async function has(machine: Machine, ...routes: readonly string[]): Promise<void> {
  const wanted = [...routes].sort().join(', ')
  await eventually(() => routesOf(machine).join(', ') === wanted, `${machine.name} has ${wanted}`)
}
