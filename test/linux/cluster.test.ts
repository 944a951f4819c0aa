/**
 * Three machines of a cluster whose store is a directory. What is looked at is their kernels, and whether pods reach each other.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { eventually } from '../contract/kernel/case.ts'
import { overlab, run } from '../support/command.ts'
import { has, type Machine, Machines, reaches, routesOf } from './cluster-machines.ts'

let cluster: Machines
let machines: readonly Machine[]
let n1: Machine
let n2: Machine
let n3: Machine
let directory: string
let STORE: readonly string[]

/** n1's plugin asks the directory, the others' their daemons. */
function start(machine: Machine): void {
  const place = machine === n1 ? { socket: '', store: directory, node: 'n1' } : {}
  cluster.start(machine, { directory }, { assign_ipv6: true, ...place })
}

beforeAll(() => {
  cluster = new Machines(3)
  machines = cluster.all
  ;[n1, n2, n3] = machines as [Machine, Machine, Machine]
  directory = join(cluster.folder, 'store')
  STORE = ['--store', `file:${directory}`]
  overlab('pool', 'create', '10.244.0.0/16', ...STORE)
  overlab('pool', 'create', 'fd44::/64', ...STORE)
  for (const machine of machines) start(machine)
})

afterAll(() => cluster.close())

test('pods get addresses of their nodes’ blocks, and reach each other', async () => {
  for (const machine of machines) {
    await eventually(
      () => statSync(join(machine.directory, 'pool.sock'), { throwIfNoEntry: false }) !== undefined,
      'it asks',
    )
    cluster.addPod(machine)
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

test('overlab pool nodes says who is there', () => {
  const nodes = JSON.parse(overlab('pool', 'nodes', '-o', 'json', ...STORE)) as readonly {
    readonly name: string
    readonly ipv4: string
  }[]
  assert.deepEqual(
    nodes.map(({ name, ipv4 }) => `${name} ${ipv4}`),
    ['n1 10.37.0.1/24', 'n2 10.37.0.2/24', 'n3 10.37.0.3/24'],
  )
})

test('the socket of the plugin is for its owner alone', () => {
  assert.equal(statSync(join(n2.directory, 'pool.sock')).mode & 0o777, 0o600)
})

test('a node that is killed is forgotten within the hold time, and the others go on', async () => {
  await cluster.end(n3, 'SIGKILL')
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
    ['-4', '-6'].flatMap((family) =>
      JSON.parse(run('ip', family, '-n', namespace, '-j', 'route', 'show', 'proto', '183')),
    ).length
  for (const pool of ['10.244.0.0/16', 'fd44::/64']) overlab('pool', 'set', pool, '--vxlan-mode', 'Always', ...STORE)
  await eventually(() => machines.every((machine) => tunnels(machine) === 4), 'two tunnels each, of both families')
  await eventually(() => machines.every((machine) => routesOf(machine).length === 1), 'BGP has written none of them')
  for (const from of machines) {
    for (const to of machines) if (from !== to) assert.ok(reaches(from, to), `${from.name} to ${to.name}`)
  }
  const own = run('ip', '-n', n1.namespace, 'route', 'get', n2.pod!.address)
  assert.match(own, /dev overlab\.4096 src 10\.244\./)
  run('ip', 'netns', 'exec', n1.namespace, 'ping', '-c', '1', '-W', '2', n2.pod!.address)
  const seen = run('ip', '-n', n1.namespace, '-s', 'link', 'show', 'overlab.4096')
  assert.match(seen, /mtu 1450/)
  for (const pool of ['10.244.0.0/16', 'fd44::/64']) overlab('pool', 'set', pool, '--vxlan-mode', 'Never', ...STORE)
  await eventually(() => machines.every((machine) => routesOf(machine).length === 3), 'BGP has them all')
  await eventually(
    () => machines.every(({ namespace }) => !run('ip', '-n', namespace, 'link').includes('overlab')),
    'the devices are gone',
  )
  // The routes of IPv6 come by a session of their own.
  await eventually(() => reaches(n1, n3), 'pods reach each other')
})

test('a pool with natOutgoing: what its pods send out of it has the node’s address', async () => {
  const OUTSIDE = '10.37.0.100' // it has no route to pods
  const answers = () => {
    const { status } = spawnSync('ip', ['netns', 'exec', n1.pod!.namespace, 'ping', '-c', '1', '-W', '1', OUTSIDE])
    return status === 0
  }
  const rules = () => run('ip', 'netns', 'exec', n1.namespace, 'nft', '-nn', 'list', 'tables', 'ip')
  run('ip', '-n', n1.namespace, 'route', 'replace', 'default', 'via', OUTSIDE)
  assert.ok(!answers())
  overlab('pool', 'set', '10.244.0.0/16', '--nat-outgoing', ...STORE)
  await eventually(() => rules().includes('overlab_cluster'), 'the table is there')
  assert.ok(answers())
  assert.ok(reaches(n1, n2))
  const chain = run(
    'ip',
    'netns',
    'exec',
    n1.namespace,
    'nft',
    '-nn',
    'list',
    'chain',
    'ip',
    'overlab_cluster',
    'postrouting',
  )
  assert.match(chain, /ip daddr 10\.244\.0\.0\/16 return\n\s+ip saddr 10\.244\.0\.0\/16 masquerade fully-random\n/)
  overlab('pool', 'set', '10.244.0.0/16', '--no-nat-outgoing', ...STORE)
  await eventually(() => !rules().includes('overlab_cluster'), 'the table is gone')
})

test('a node that is stopped tells so: its routes and its neighbours go', async () => {
  assert.equal(await cluster.end(n3, 'SIGTERM'), 0)
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
