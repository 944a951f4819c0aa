/**
 * `overlab bgp run` and those who ask it: two speakers, each in a network namespace, joined by a veth pair. What is looked at is
 * the kernel of the other.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { MAIN } from '../cli/overlab.ts'
import { eventually } from '../contract/kernel/case.ts'
import { run } from '../support/command.ts'

const FAR = 'bgp-run-far'
const folder = mkdtempSync(join(tmpdir(), 'overlab-bgp-run-'))

interface Node {
  readonly name: string
  readonly namespace: string | undefined
  readonly directory: string
  readonly config: string
  readonly socket: string
  child: ChildProcess | undefined
}

const near = node('near', undefined)
const far = node('far', FAR)

function node(name: string, namespace: string | undefined): Node {
  const directory = join(folder, name)
  mkdirSync(directory)
  return {
    name,
    namespace,
    directory,
    config: join(directory, 'bgp.yaml'),
    socket: join(directory, 'control.sock'),
    child: undefined,
  }
}

/** As a user would replace it. */
function write({ config }: Node, text: string): void {
  writeFileSync(`${config}.new`, text)
  renameSync(`${config}.new`, config)
}

function nearConfig(networks: readonly string[], more = ''): string {
  return [
    'name: near',
    'routerId: 10.36.0.1',
    'as: 65001',
    `networks: [${networks.join(', ')}]`,
    'neighbors:',
    '  - { name: far, address: 10.36.0.2, remoteAs: 65002, localAddress: 10.36.0.1, connectRetry: 1 }',
    more,
  ].join('\n')
}

const FAR_CONFIG = [
  'routerId: 10.36.0.2',
  'as: 65002',
  'networks: [10.244.2.0/26]',
  'neighbors: [{ name: near, address: 10.36.0.1, remoteAs: 65001, localAddress: 10.36.0.2, connectRetry: 1 }]',
].join('\n')

function start(node: Node, ...more: readonly string[]): ChildProcess {
  const { namespace, config, directory, socket } = node
  const argv = [MAIN, 'bgp', 'run', '--config', config, '--state', directory, '--socket', socket, ...more]
  const [program, ...rest] = namespace ? ['ip', 'netns', 'exec', namespace, process.execPath] : [process.execPath]
  const child = spawn(program!, [...rest, ...argv], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    log += text
    writeFileSync(join(directory, 'log'), log)
  })
  node.child = child
  return child
}

async function end({ child }: Node, signal: NodeJS.Signals): Promise<number | null> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return null
  const ended = once(child, 'exit')
  child.kill(signal)
  return (await ended)[0] as number | null
}

function ask({ socket }: Node, ...argv: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'bgp', ...argv, '--socket', socket], {
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

function routesOf({ namespace }: Node): string[] {
  const text = run('ip', ...(namespace ? ['-n', namespace] : []), '-j', 'route', 'show', 'proto', '182')
  return (JSON.parse(text) as { type?: string; dst: string; gateway?: string }[])
    .map(({ type, dst, gateway }) => [...(type ? [type] : []), dst, ...(gateway ? ['via', gateway] : [])].join(' '))
    .sort()
}

const logOf = ({ directory }: Node) => readFileSync(join(directory, 'log'), 'utf8')

async function has(node: Node, ...routes: readonly string[]): Promise<void> {
  const wanted = [...routes].sort().join(', ')
  await eventually(() => routesOf(node).join(', ') === wanted, `${node.name} has ${wanted}`)
}

beforeAll(() => {
  run('ip', 'netns', 'add', FAR)
  run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', FAR)
  for (const [i, { namespace }] of [near, far].entries()) {
    const ip = (...argv: string[]) => run('ip', ...(namespace ? ['-n', namespace] : []), ...argv)
    ip('link', 'set', 'lo', 'up')
    ip('address', 'add', `10.36.0.${i + 1}/24`, 'dev', 'eth0')
    ip('link', 'set', 'eth0', 'up')
  }
  write(near, nearConfig(['10.244.1.0/26']))
  write(far, FAR_CONFIG)
  start(near, '--metrics', '127.0.0.1:9179')
  start(far)
})

afterAll(async () => {
  await Promise.all([end(near, 'SIGKILL'), end(far, 'SIGKILL')])
  run('ip', 'netns', 'delete', FAR)
  rmSync(folder, { recursive: true, force: true })
})

test('routes of each are in the kernel of the other, and own blocks lead nowhere', async () => {
  await has(near, 'blackhole 10.244.1.0/26', '10.244.2.0/26 via 10.36.0.2')
  await has(far, 'blackhole 10.244.2.0/26', '10.244.1.0/26 via 10.36.0.1')
})

test('it says that it is ready, and shows what it knows', () => {
  const { status, stdout } = ask(near, 'status')
  assert.equal(status, 0, stdout)
  assert.match(stdout, /^near: AS 65001, router id 10\.36\.0\.1, .*\n1 of 1 sessions are established\n/)
  assert.match(
    ask(near, 'show', 'neighbors').stdout,
    /10\.36\.0\.2 +far +65002 +Established +\d+ s +1 +1 +10\.36\.0\.1/,
  )
  assert.match(
    ask(near, 'show', 'neighbor', '10.36.0.2').stdout,
    /^Established with far .*ipv4 1 received, 1 accepted, 1 sent/s,
  )
  assert.match(ask(near, 'show', 'routes').stdout, /10\.244\.2\.0\/26 +best +10\.36\.0\.2 +10\.36\.0\.2 .* 65002/)
  assert.match(ask(near, 'show', 'why', '10.244.2.9').stdout, /^10\.244\.2\.0\/26\n {2}best: from 10\.36\.0\.2/)
  assert.match(ask(near, 'show', 'adj-out', '10.36.0.2').stdout, /10\.244\.1\.0\/26 +10\.36\.0\.1/)
  assert.match(ask(near, 'show', 'adj-in', '10.36.0.2').stdout, /10\.244\.2\.0\/26/)
  assert.match(ask(near, 'show', 'kernel').stdout, /protocol 182, metric 32: 2 IPv4/)
  const { routes } = JSON.parse(ask(near, 'show', 'routes', '-o', 'json').stdout) as { routes: { prefix: string }[] }
  assert.deepEqual(
    routes.map(({ prefix }) => prefix),
    ['10.244.1.0/26', '10.244.2.0/26'],
  )
})

test('what is announced survives a reload, and a speaker that was killed', async () => {
  assert.equal(ask(near, 'announce', '10.96.0.1/32', '--community', '65001:7').status, 0)
  await has(far, 'blackhole 10.244.2.0/26', '10.244.1.0/26 via 10.36.0.1', '10.96.0.1 via 10.36.0.1')
  write(near, nearConfig(['10.244.3.0/26']))
  near.child!.kill('SIGHUP')
  await has(far, 'blackhole 10.244.2.0/26', '10.244.3.0/26 via 10.36.0.1', '10.96.0.1 via 10.36.0.1')
  assert.doesNotMatch(logOf(far), /Not established with near .*Cease/, 'no session was touched')

  await end(near, 'SIGKILL')
  assert.ok(routesOf(near).includes('10.244.2.0/26 via 10.36.0.2'), 'routes stay')
  start(near, '--metrics', '127.0.0.1:9179')
  await has(far, 'blackhole 10.244.2.0/26', '10.244.3.0/26 via 10.36.0.1', '10.96.0.1 via 10.36.0.1')
  assert.match(ask(far, 'show', 'routes', '10.96.0.1').stdout, /65001:7/)
  assert.equal(ask(near, 'withdraw', '10.96.0.1/32').status, 0)
  await has(far, 'blackhole 10.244.2.0/26', '10.244.3.0/26 via 10.36.0.1')
  assert.equal(ask(near, 'withdraw', '10.96.0.1/32').status, 1)
})

test('a configuration that cannot be used changes nothing', async () => {
  write(near, nearConfig(['10.244.4.0/26'], 'listenport: 1'))
  const { status, stderr } = ask(near, 'reload')
  assert.equal(status, 1)
  assert.match(stderr, /bgp\.yaml: listenport is not known; did you mean "listenPort"\?/)
  near.child!.kill('SIGHUP')
  const refusals = () => logOf(near).match(/is not applied, all goes on as before/g)?.length
  await eventually(() => refusals() === 2, 'the signal is answered, too')
  assert.deepEqual(routesOf(far), ['10.244.3.0/26 via 10.36.0.1', 'blackhole 10.244.2.0/26'])
  write(near, nearConfig(['10.244.3.0/26']))
  assert.deepEqual(ask(near, 'reload'), { status: 0, stdout: 'The configuration is applied\n', stderr: '' })
})

test('a session that is disabled says so, and comes up again', async () => {
  assert.equal(ask(near, 'disable', '10.36.0.2', '--text', 'new switch').status, 0)
  await has(far, 'blackhole 10.244.2.0/26')
  assert.match(ask(far, 'status').stdout, /Not established with near \(10\.36\.0\.1\) from 10\.36\.0\.2 .*new switch/)
  assert.equal(ask(far, 'status').status, 1)
  const text = await (await fetch('http://127.0.0.1:9179/metrics')).text()
  assert.match(text, /^overlab_bgp_session_flaps_total\{neighbor="10\.36\.0\.2"\} 1$/m)
  assert.match(text, /^overlab_bgp_sessions\{state="Idle"\} 1$/m)
  assert.equal(ask(near, 'enable', '10.36.0.2').status, 0)
  await has(far, 'blackhole 10.244.2.0/26', '10.244.3.0/26 via 10.36.0.1')
})

test('a second speaker at the same socket is refused, and the first goes on', () => {
  const { status, stderr } = spawnSync(
    process.execPath,
    [MAIN, 'bgp', 'run', '--config', near.config, '--socket', near.socket],
    { encoding: 'utf8' },
  )
  assert.equal(status, 4, stderr)
  assert.equal(ask(near, 'status').status, 0)
})

test('SIGTERM: the peer is told, its routes and ours are gone, the status is 0', async () => {
  const before = performance.now()
  assert.equal(await end(near, 'SIGTERM'), 0)
  assert.ok(performance.now() - before < 5000)
  assert.deepEqual(routesOf(near), [])
  await has(far, 'blackhole 10.244.2.0/26')
  assert.match(logOf(far), /received 6\/2 Cease: Administrative Shutdown/)
})
