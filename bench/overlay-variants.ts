/**
 * What carries packets between two nodes, each set up on the network of test/linux/udp/network.ts and taken down again:
 * the UDP data path, a plain loop as flannel's proxy is one, the kernel's VXLAN, and routing with nothing in between.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import {
  configureTun,
  MTU,
  nodeAddress,
  PORT,
  routesOf,
  type Side,
  TUN,
  tunAddress,
} from '../test/linux/udp/network.ts'
import { run } from '../test/support/command.ts'
import { cpuOf, memoryOf } from './process.ts'

export interface Variant {
  readonly name: string
  /** Between the nodes themselves. */
  address(side: Side): string
  start(): Promise<Running>
}

export interface Running {
  /** Seconds of CPU that the daemons have taken, both together. */
  cpu(): number
  /** MB that they have, both together. */
  memory(): number
  stop(): Promise<void>
}

const programs = join(import.meta.dirname, '../test/linux/udp')
const sides = ['a', 'b'] as const
const far = { a: 'b', b: 'a' } as const
const subnetOf = (side: Side) => routesOf(far[side])[0]!.subnet
const ip = (side: Side, words: string) => run('ip', '-n', `node-${side}`, ...words.split(' '))

export const engine = daemon('overlab', (side) => [process.execPath, join(programs, 'engine-process.ts'), side])

export const naive = daemon('the plain loop', (side) => [
  process.execPath,
  join(programs, 'naive-proxy.ts'),
  TUN,
  nodeAddress(side),
  `${PORT}`,
  ...routesOf(side).map(({ subnet, node }) => `${subnet}=${node}`),
])

/** Any other: a command for the shell, which finds what it needs in its environment, and writes a line when it is ready. */
export function external(command: string): Variant {
  return daemon('the command', () => ['sh', '-c', `exec ${command}`])
}

function daemon(name: string, command: (side: Side) => string[]): Variant {
  return {
    name,
    address: tunAddress,
    async start() {
      const started = await Promise.allSettled(sides.map((side) => startDaemon(side, command(side))))
      const children = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
      for (const one of started) {
        if (one.status === 'fulfilled') continue
        await Promise.all(children.map(end))
        throw one.reason
      }
      for (const side of sides) configureTun(side)
      return {
        cpu: () => children.reduce((sum, { pid }) => sum + cpuOf(pid!), 0),
        memory: () => children.reduce((sum, { pid }) => sum + memoryOf(pid!), 0),
        async stop() {
          for (const child of children) await end(child)
          for (const side of sides) {
            if (run('ip', '-n', `node-${side}`, '-br', 'link').includes(TUN)) ip(side, `link delete ${TUN}`)
          }
        },
      }
    },
  }
}

async function startDaemon(side: Side, command: string[]): Promise<ChildProcess> {
  const [route] = routesOf(side)
  const environment = {
    TUN,
    ADDRESS: nodeAddress(side),
    PORT: `${PORT}`,
    MTU: `${MTU}`,
    SUBNET: route!.subnet,
    NODE: route!.node,
  }
  const child = spawn('ip', ['netns', 'exec', `node-${side}`, ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  })
  const [first] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  if (!Buffer.isBuffer(first)) throw new Error(`Cannot start ${command.join(' ')}`)
  return child
}

async function end(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
}

export const vxlan: Variant = {
  name: 'VXLAN',
  address: tunAddress,
  async start() {
    const macs = { a: '02:00:00:00:05:01', b: '02:00:00:00:05:02' }
    for (const side of sides) {
      const other = far[side]
      ip(
        side,
        `link add vx0 address ${macs[side]} type vxlan id 1 dstport 8472 local ${nodeAddress(side)} dev under nolearning`,
      )
      ip(side, `address add ${tunAddress(side)}/32 dev vx0`)
      ip(side, 'link set vx0 mtu 1450 up')
      ip(side, `route add ${subnetOf(other)} via ${tunAddress(other)} dev vx0 onlink`)
      ip(side, `neighbour add ${tunAddress(other)} lladdr ${macs[other]} dev vx0`)
      run('bridge', '-n', `node-${side}`, ...`fdb add ${macs[other]} dev vx0 dst ${nodeAddress(other)}`.split(' '))
    }
    return inKernel(() => {
      for (const side of sides) ip(side, 'link delete vx0')
    })
  },
}

export const plain: Variant = {
  name: 'routing',
  address: nodeAddress,
  async start() {
    for (const side of sides) ip(side, `route add ${subnetOf(far[side])} via ${nodeAddress(far[side])}`)
    return inKernel(() => {
      for (const side of sides) ip(side, `route delete ${subnetOf(far[side])}`)
    })
  },
}

function inKernel(remove: () => void): Running {
  return { cpu: () => 0, memory: () => 0, stop: async () => remove() }
}
