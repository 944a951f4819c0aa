/** How the daemon behaves as a process: health, signals, systemd, and what it does while there is nothing to do. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, test } from 'vitest'
import { run } from '../../support/command.ts'
import { startEtcd } from '../../support/etcd.ts'
import { eventually, type Node, type StoreUnderTest, SWITCH, startNetwork, startStore } from './network.ts'

/** The nodes get none of the subnets that peers are put in by hand. */
const NETWORK = { Network: '10.5.0.0/16', SubnetMin: '10.5.16.0' }
const vxlan = { ...NETWORK, Backend: { Type: 'vxlan' } }
const HEALTH = ['-healthz-port=8081']

let store: StoreUnderTest
beforeAll(async () => {
  store = await startStore('etcd')
})
afterAll(async () => {
  await store[Symbol.asyncDispose]()
  run('ip', 'netns', 'delete', SWITCH)
})

/** Status and text of a page. */
function get(node: Node, path: string): readonly [number, string] {
  const text = node.run('curl', '-s', '-m', '2', '-w', '\n%{http_code}', `http://127.0.0.1:8081${path}`)
  const end = text.lastIndexOf('\n')
  return [Number(text.slice(end + 1)), text.slice(0, end)]
}

test('H1: health tells of a store that is away, a device that is missing, and counts', async () => {
  const flags = [...HEALTH, '--subnet-lease-ttl', '60s', '--subnet-lease-renew-margin', '1s']
  await using network = await startNetwork({ store, config: vxlan, nodes: 2, flags })
  const [one] = network.nodes
  assert.deepEqual(get(one!, '/readyz'), [200, 'overlab daemon is ready\n'])
  assert.deepEqual(get(one!, '/healthz'), [200, 'overlab daemon is running\n'])
  const [status, metrics] = get(one!, '/metrics')
  assert.equal(status, 200)
  assert.match(metrics, /^overlab_peers 1$/m)
  assert.match(metrics, /^overlab_kernel_operations_total{subject="fdb",operation="add",cause="desired"} 1$/m)
  assert.equal(get(one!, '/elsewhere')[0], 404)
  // Nobody else reaches it.
  const argv = ['netns', 'exec', SWITCH, 'curl', '-s', '-m', '2', 'http://192.168.77.1:8081/healthz']
  assert.notEqual(spawnSync('ip', argv).status, 0)

  await store.etcd!.kill()
  try {
    await eventually('the store is away', () => /the store has been away for [2-9] s/.test(get(one!, '/readyz')[1]))
    assert.equal(get(one!, '/readyz')[0], 503)
    assert.match(get(one!, '/healthz')[1], /^overlab daemon is running\nproblem: the store has been away/)
    assert.deepEqual(network.unreachable(), [])
  } finally {
    await store.etcd!.restart()
  }
  await eventually('it is ready again', () => get(one!, '/readyz')[0] === 200)
  one!.ip('link delete eth0')
  await eventually('the device is missing', () => /problem: device flannel\.1 is missing/.test(get(one!, '/readyz')[1]))
  assert.equal(get(one!, '/readyz')[0], 503)
})

test('E4: etcd stops and comes back: pods do not notice, and what is changed then is known', async () => {
  await using network = await startNetwork({ store, config: vxlan, nodes: 2 })
  const [one, two] = network.nodes
  const ping = one!.pingOn(two!)
  await store.etcd!.kill()
  await eventually('it is noticed', () => /trying again, and everything stays as it is/.test(one!.log))
  const before = cpuTicks(one!)
  await setTimeout(5000)
  // A hundred ticks are a second of one CPU.
  assert.ok(cpuTicks(one!) - before < 50, `${cpuTicks(one!) - before} ticks in five seconds`)
  await store.etcd!.restart()
  const data = '"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:09"}'
  await network.put('10.5.9.0-24', `{"PublicIP":"192.168.77.9",${data}}`)
  await eventually('the peer is known', () => one!.entries().join().includes('02:00:00:00:00:09'))
  assert.equal((await ping.stop()).lost, 0)
})

function cpuTicks(node: Node): number {
  const fields = readFileSync(`/proc/${node.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return Number(fields[11]) + Number(fields[12])
}

test('ends with 0 on SIGTERM and SIGINT, with 1 when it cannot begin, with 2 for a flag that is none', async () => {
  await using network = await startNetwork({ store, config: vxlan, nodes: 1 })
  const [node] = network.nodes
  assert.equal(await node!.stop('SIGTERM'), 0)
  node!.start()
  await node!.ready()
  assert.equal(await node!.stop('SIGINT'), 0)
  node!.start(['--iface', 'nowhere'])
  assert.equal(await node!.ended(), 1)
  assert.match(node!.log, /Cannot use link "nowhere": there is none; there are .*eth0 \(192\.168\.77\.1\/24/)
  node!.start(['--kube-subnet-mgr'])
  assert.equal(await node!.ended(), 2)
  assert.match(node!.log, /--kube-subnet-mgr: .*use --etcd-endpoints/)
  node!.start(['--etcd-username', 'root', '--etcd-password', 'secret'])
  await node!.ready()
  assert.equal(await node!.stop(), 0)
  assert.doesNotMatch(node!.log, /secret/)
})

test('waits for the first configuration', async () => {
  await using network = await startNetwork({ store, nodes: 1, idle: true })
  const [node] = network.nodes
  node!.start()
  await eventually('it waits', () => /There is no network configuration/.test(node!.log))
  await network.configure(vxlan)
  await node!.ready()
  assert.equal(await node!.stop(), 0)
})

test('E9: a user of etcd; a wrong password is an error at once, and is not in the log', async () => {
  await using network = await startNetwork({ store, config: vxlan, nodes: 1, idle: true })
  const [node] = network.nodes
  await using etcd = await startEtcd({ address: '192.168.77.99' })
  await etcd.etcdctl('put', `${network.prefix}/config`, JSON.stringify(vxlan))
  await etcd.etcdctl('user', 'add', 'root:right-password')
  await etcd.etcdctl('user', 'grant-role', 'root', 'root')
  await etcd.etcdctl('auth', 'enable')
  const flags = ['-etcd-endpoints', etcd.endpoint, '-etcd-username', 'root']
  node!.start(flags, { env: { FLANNELD_ETCD_PASSWORD: 'right-password' } })
  await node!.ready()
  assert.equal(await node!.stop(), 0)
  node!.start([...flags, '-etcd-password=wrong-password'])
  assert.equal(await node!.ended(), 1)
  assert.match(node!.log, /authentication failed|password/)
  assert.doesNotMatch(node!.log, /right-password|wrong-password/)
})

test('begins while etcd is away, and goes on when it is there', async () => {
  await using network = await startNetwork({ store, config: vxlan, nodes: 1, idle: true })
  const [node] = network.nodes
  await store.etcd!.kill()
  try {
    node!.start()
    await eventually('it waits', () => /trying again/.test(node!.log))
  } finally {
    await store.etcd!.restart()
  }
  await node!.ready()
})

test('tells systemd that it is ready, how it is, that it lives, and that it ends', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'overlab-notify-'))
  const path = join(folder, 'socket')
  const receiver = spawn('python3', ['-u', '-c', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  let heard = ''
  receiver.stdout.setEncoding('utf8').on('data', (text: string) => {
    heard += text
  })
  try {
    await eventually('it listens', () => heard.includes('listening'))
    await using network = await startNetwork({ store, config: vxlan, nodes: 1, idle: true })
    const [node] = network.nodes
    node!.start([], { env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '2000000' } })
    await node!.ready()
    await eventually('it has told', () => /READY=1.*STATUS=Backend vxlan.*WATCHDOG=1/s.test(heard))
    await node!.stop()
    await eventually('it ends', () => heard.includes('STOPPING=1'))
  } finally {
    receiver.kill()
    await once(receiver, 'close')
    rmSync(folder, { recursive: true })
  }
})

const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening')
while True: print(s.recv(4096).decode())
`

test('H2: while nothing happens it takes no time, executes nothing, and makes few calls', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'overlab-strace-'))
  const trace = join(folder, 'trace')
  try {
    await using network = await startNetwork({ store, config: vxlan, nodes: 1, flags: ['--ip-masq', ...HEALTH] })
    const [node] = network.nodes
    // Eight seconds after its memory was tidied up V8 looks whether there is more: its memory reducer.
    await setTimeout(12_000)
    const before = cpuTicks(node!)
    await setTimeout(10_000)
    // 0.8 % of a CPU, which is what flannel takes.
    assert.ok(cpuTicks(node!) - before <= 8, `${cpuTicks(node!) - before} ticks in ten seconds`)
    const strace = spawn('strace', ['-f', '-tt', '-o', trace, '-p', String(node!.pid)], { stdio: 'ignore' })
    await setTimeout(12_000)
    strace.kill('SIGINT')
    await once(strace, 'close')
    const lines = readFileSync(trace, 'utf8').split('\n')
    assert.deepEqual(
      lines.filter((line) => /execve|fork|clone/.test(line)),
      [],
    )
    assert.ok(lines.length < 150, `${lines.length} system calls in twelve seconds`)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('runs from a copy outside the checkout, worker and libraries and all', async () => {
  const root = join(import.meta.dirname, '../../..')
  const folder = mkdtempSync(join(tmpdir(), 'overlab-copy-'))
  try {
    const script = "const { buildLibrary } = await import('./scripts/build-library.ts'); await buildLibrary()"
    run('sh', '-c', `cd ${root} && ${process.execPath} --input-type=module -e "${script}"`)
    for (const name of ['package.json', 'dist']) cpSync(join(root, name), join(folder, name), { recursive: true })
    copyPackages(root, folder)
    await using network = await startNetwork({
      store,
      config: { ...NETWORK, Backend: { Type: 'udp' } },
      nodes: 2,
      idle: true,
    })
    for (const node of network.nodes) node.start([], { main: join(folder, 'dist/cli/main.js') })
    for (const node of network.nodes) await node.ready()
    for (const node of network.nodes) node.addPod()
    await network.settled()
    assert.deepEqual(network.unreachable(), [])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** What the command line may import, as npm has locked it. */
function copyPackages(root: string, folder: string): void {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>
  }
  mkdirSync(join(folder, 'node_modules'))
  for (const [path, { dev, optional }] of Object.entries(lock.packages)) {
    if (path === '' || dev || (optional && !path.includes('koffi'))) continue
    try {
      cpSync(join(root, path), join(folder, path), { recursive: true })
    } catch (error) {
      if (!optional) throw error // one of another platform is not installed
    }
  }
  writeFileSync(join(folder, 'README'), '')
}
