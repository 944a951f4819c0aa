/**
 * The Vagrantfile's provisioning, on nodes that are namespaces instead of machines: the same archive, the same scripts.
 *
 *   n1 192.168.56.11 ─┐
 *   n2 192.168.56.12 ─┼─ underlay
 *   n3 192.168.56.13 ─┘
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { run } from '../support/command.ts'

const checkout = join(import.meta.dirname, '../..')
const scripts = join(checkout, 'scripts/vagrant')
const archive = join(checkout, '.cache/vagrant/overlab.tar.gz')

const numbers = [1, 2, 3]
const machines: ChildProcess[] = []

/** What a machine has for itself, and a namespace has not. */
const ownFolders = ['/etc', '/opt', '/usr/local']

beforeAll(async () => {
  run(process.execPath, join(scripts, 'pack.ts'))
  run('ip', 'link', 'add', 'underlay', 'type', 'bridge')
  run('ip', 'link', 'set', 'underlay', 'up')
  for (const number of numbers) {
    machines.push(await startMachine())
    const pid = String(machines.at(-1)!.pid)
    run('ip', 'link', 'add', `n${number}`, 'type', 'veth', 'peer', 'name', 'eth1', 'netns', pid)
    run('ip', 'link', 'set', `n${number}`, 'master', 'underlay', 'up')
    on(number, `ip address add 192.168.56.${10 + number}/24 dev eth1; ip link set eth1 up; ip link set lo up`)
    on(number, `cp '${archive}' /run/archive; sh '${scripts}/install.sh' ${number} /run/archive`)
    const others = numbers.filter((other) => other !== number)
    const routes = others.map((other) => `10.244.${other}.0/24 192.168.56.${10 + other}`)
    on(number, `sh '${scripts}/routes.sh' ${routes.join(' ')}`)
  }
})

afterAll(() => {
  for (const machine of machines) machine.kill('SIGKILL')
})

test('pods of each node reach the pods of every other', () => {
  for (const number of numbers) on(number, 'pod add web')
  for (const number of numbers) {
    for (const other of numbers) {
      assert.match(on(number, `pod exec web ping -c 1 -W 2 10.244.${other}.2`), / 0% packet loss/)
    }
  }
})

test('a pod comes with the address of its node, and goes', () => {
  assert.match(on(2, 'pod add app'), /10\.244\.2\.\d+\/24/)
  on(2, 'pod delete app')
  assert.doesNotMatch(on(2, 'ip netns'), /app/)
  assert.doesNotMatch(on(2, 'overlab cni list'), /app/)
})

test('the Vagrantfile uses these scripts, addresses and subnets', () => {
  const vagrantfile = readFileSync(join(checkout, 'Vagrantfile'), 'utf8')
  for (const part of [
    'scripts/vagrant/install.sh',
    'scripts/vagrant/routes.sh',
    '192.168.56.#{10 + number}',
    '10.244.',
  ]) {
    assert.ok(vagrantfile.includes(part), part)
  }
})

/** A process in namespaces of its own, with folders of its own. */
async function startMachine(): Promise<ChildProcess> {
  const overlays = ownFolders.map((folder, index) => {
    const [upper, work] = [`/run/overlay/${index}/upper`, `/run/overlay/${index}/work`]
    return `mkdir -p ${upper} ${work}; mount -t overlay none -o lowerdir=${folder},upperdir=${upper},workdir=${work} ${folder}`
  })
  const script = [
    'set -e',
    ...['/run', '/var/lib'].map((folder) => `mount -t tmpfs tmpfs ${folder}`),
    ...overlays,
    'echo ready',
    'exec sleep infinity',
  ].join('\n')
  const machine = spawn('unshare', ['--net', '--mount', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve, reject) => {
    machine.stdout.once('data', () => resolve())
    machine.once('exit', () => reject(new Error('Cannot start a machine: its namespaces or mounts failed')))
  })
  return machine
}

function on(number: number, command: string): string {
  const pid = String(machines[number - 1]!.pid)
  return execFileSync('nsenter', ['--net', '--mount', '--target', pid, 'sh', '-ec', command], { encoding: 'utf8' })
}
