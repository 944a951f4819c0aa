/**
 * Three machines of a cluster, as `overlab bgp run` makes them of one file: network namespaces at a bridge, a directory as their
 * store, pods attached by `overlab cni`. What is looked at is their kernels, and whether pods reach each other.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { MAIN } from '../cli/overlab.ts'
import { eventually } from '../contract/kernel/case.ts'
import { overlab, run } from '../support/command.ts'

const folder = mkdtempSync(join(tmpdir(), 'overlab-cluster-'))
const directory = join(folder, 'store')
const STORE = ['--store', `file:${directory}`]

interface Machine {
  readonly name: string
  readonly namespace: string
  readonly address: string
  readonly directory: string
  child: ChildProcess | undefined
  pod: { readonly namespace: string; readonly address: string } | undefined
}

const machines = [1, 2, 3].map((number): Machine => {
  const name = `n${number}`
  const own = join(folder, name)
  mkdirSync(own)
  return {
    name,
    namespace: `cluster-${name}`,
    address: `10.37.0.${number}`,
    directory: own,
    child: undefined,
    pod: undefined,
  }
})
const [n1, n2, n3] = machines as [Machine, Machine, Machine]

const configuration = ({ name, directory: own }: Machine) => `
name: ${name}
as: 64512
cluster:
  store: { directory: ${directory} }
  interfaces: [eth0]
  peers: { connectRetry: 1, holdTime: 3 }
  socket: ${join(own, 'pool.sock')}
`

/** n1's plugin asks the directory, the others' their daemons. */
const network = ({ name, directory: own }: Machine) => ({
  cniVersion: '1.1.0',
  name: 'pods',
  plugins: [
    {
      type: 'routed',
      ipam: {
        type: 'block-ipam',
        ...(name === 'n1' ? { store: directory, node: name } : { socket: join(own, 'pool.sock') }),
      },
    },
  ],
})

function start(machine: Machine): void {
  const { namespace, directory: own } = machine
  writeFileSync(join(own, 'bgp.yaml'), configuration(machine))
  writeFileSync(join(own, 'pods.conflist'), JSON.stringify(network(machine)))
  const argv = [MAIN, 'bgp', 'run', '--config', join(own, 'bgp.yaml'), '--socket', join(own, 'bgp.sock')]
  const child = spawn('ip', ['netns', 'exec', namespace, process.execPath, ...argv], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    log += text
    writeFileSync(join(own, 'log'), log)
  })
  machine.child = child
}

async function end({ child }: Machine, signal: NodeJS.Signals): Promise<number | null> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return null
  const ended = once(child, 'exit')
  child.kill(signal)
  return (await ended)[0] as number | null
}

function addPod(machine: Machine): void {
  const { name, namespace, directory: own } = machine
  const pod = `cluster-pod-${name}`
  run('ip', 'netns', 'add', pod)
  const argv = ['cni', 'add', join(own, 'pods.conflist'), pod, '-o', 'json', '--cache-dir', join(own, 'cache')]
  const { ips } = JSON.parse(run('ip', 'netns', 'exec', namespace, process.execPath, MAIN, ...argv)) as {
    readonly ips: readonly { readonly address: string }[]
  }
  machine.pod = { namespace: pod, address: ips[0]!.address.split('/')[0]! }
}

function reaches(from: Machine, to: Machine): boolean {
  try {
    run('ip', 'netns', 'exec', from.pod!.namespace, 'ping', '-c', '1', '-W', '2', to.pod!.address)
    return true
  } catch {
    return false // ping's status 1: no answer
  }
}

/** `10.244.0.64/26 via 10.37.0.2`, `blackhole 10.244.0.0/26`. */
function routesOf({ namespace }: Machine): string[] {
  const text = run('ip', '-n', namespace, '-j', 'route', 'show', 'proto', '182')
  return (JSON.parse(text) as { type?: string; dst: string; gateway?: string }[])
    .map(({ type, dst, gateway }) => [...(type ? [type] : []), dst, ...(gateway ? ['via', gateway] : [])].join(' '))
    .sort()
}

async function has(machine: Machine, ...routes: readonly string[]): Promise<void> {
  const wanted = [...routes].sort().join(', ')
  await eventually(() => routesOf(machine).join(', ') === wanted, `${machine.name} has ${wanted}`)
}

beforeAll(() => {
  run('ip', 'link', 'add', 'cluster0', 'type', 'bridge')
  run('ip', 'link', 'set', 'cluster0', 'up')
  for (const { name, namespace, address } of machines) {
    run('ip', 'netns', 'add', namespace)
    run('ip', 'link', 'add', `cl-${name}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
    run('ip', 'link', 'set', `cl-${name}`, 'up', 'master', 'cluster0')
    run('ip', '-n', namespace, 'link', 'set', 'lo', 'up')
    run('ip', '-n', namespace, 'address', 'add', `${address}/24`, 'dev', 'eth0')
    run('ip', '-n', namespace, 'link', 'set', 'eth0', 'up')
  }
  overlab('pool', 'create', '10.244.0.0/16', ...STORE)
  for (const machine of machines) start(machine)
})

afterAll(async () => {
  await Promise.all(machines.map((machine) => end(machine, 'SIGKILL')))
  for (const { namespace, pod } of machines) {
    if (pod) run('ip', 'netns', 'delete', pod.namespace)
    run('ip', 'netns', 'delete', namespace)
  }
  run('ip', 'link', 'delete', 'cluster0')
  rmSync(folder, { recursive: true, force: true })
})

test('pods get addresses of their nodes’ blocks, and reach each other', async () => {
  for (const machine of machines) {
    await eventually(
      () => statSync(join(machine.directory, 'pool.sock'), { throwIfNoEntry: false }) !== undefined,
      'it asks',
    )
    addPod(machine)
  }
  const blocks = machines.map(({ pod }) => pod!.address.replace(/\d+$/, (last) => `${Number(last) & ~63}/26`))
  assert.equal(new Set(blocks).size, 3)
  for (const machine of machines) {
    const routes = machines.map((other, i) =>
      other === machine ? `blackhole ${blocks[i]}` : `${blocks[i]} via ${other.address}`,
    )
    await has(machine, ...routes)
  }
  for (const from of machines) {
    for (const to of machines) if (from !== to) assert.ok(reaches(from, to), `${from.name} to ${to.name}`)
  }
})

test('the socket of the plugin is for its owner alone', () => {
  assert.equal(statSync(join(n2.directory, 'pool.sock')).mode & 0o777, 0o600)
})

test('a node that is killed is forgotten within the hold time, and the others go on', async () => {
  await end(n3, 'SIGKILL')
  await eventually(() => routesOf(n1).length === 2, 'n1 has no route to it')
  await eventually(() => routesOf(n2).length === 2, 'n2 has no route to it')
  assert.ok(reaches(n1, n2))
  start(n3)
  await eventually(() => [n1, n2, n3].every((machine) => routesOf(machine).length === 3), 'it is there again')
  assert.ok(reaches(n3, n1))
})

test('a pool that is disabled is not announced any more, and again when it is enabled', async () => {
  overlab('pool', 'set', '10.244.0.0/16', '--disable', ...STORE)
  await eventually(() => machines.every((machine) => routesOf(machine).length === 1), 'own blackholes are left')
  overlab('pool', 'set', '10.244.0.0/16', '--enable', ...STORE)
  await eventually(() => machines.every((machine) => routesOf(machine).length === 3), 'all is there again')
})

test('a pool that tunnels: packets of pods and nodes go in VXLAN, and without it again', async () => {
  const tunnels = ({ namespace }: Machine) =>
    (JSON.parse(run('ip', '-n', namespace, '-j', 'route', 'show', 'proto', '183')) as { dev: string }[]).filter(
      ({ dev }) => dev === 'overlab.4096',
    )
  overlab('pool', 'set', '10.244.0.0/16', '--vxlan-mode', 'Always', ...STORE)
  await eventually(() => machines.every((machine) => tunnels(machine).length === 2), 'two tunnels each')
  await eventually(() => machines.every((machine) => routesOf(machine).length === 1), 'BGP has written none of them')
  for (const from of machines) {
    for (const to of machines) if (from !== to) assert.ok(reaches(from, to), `${from.name} to ${to.name}`)
  }
  const own = run('ip', '-n', n1.namespace, 'route', 'get', n2.pod!.address)
  assert.match(own, /dev overlab\.4096 src 10\.244\./)
  run('ip', 'netns', 'exec', n1.namespace, 'ping', '-c', '1', '-W', '2', n2.pod!.address)
  const seen = run('ip', '-n', n1.namespace, '-s', 'link', 'show', 'overlab.4096')
  assert.match(seen, /mtu 1450/)
  overlab('pool', 'set', '10.244.0.0/16', '--vxlan-mode', 'Never', ...STORE)
  await eventually(() => machines.every((machine) => routesOf(machine).length === 3), 'BGP has them all')
  await eventually(() => !run('ip', '-n', n1.namespace, 'link').includes('overlab.4096'), 'the device is gone')
  assert.ok(reaches(n1, n3))
})

test('a node that is stopped tells so: its routes and its neighbours go', async () => {
  assert.equal(await end(n3, 'SIGTERM'), 0)
  await eventually(() => routesOf(n1).length === 2, 'n1 has no route to it')
  assert.deepEqual(routesOf(n3), [])
  const { neighbors } = JSON.parse(
    overlab('bgp', 'show', 'neighbors', '--socket', join(n1.directory, 'bgp.sock'), '-o', 'json'),
  ) as { readonly neighbors: readonly { readonly address: string }[] }
  assert.deepEqual(
    neighbors.map(({ address }) => address),
    [n2.address],
  )
})
