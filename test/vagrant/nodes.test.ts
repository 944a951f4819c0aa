/**
 * The Vagrant lab's provisioning, on nodes that are namespaces instead of machines: the same archive, the same script.
 *
 *   n1 192.168.56.11, etcd ─┐
 *   n2 192.168.56.12 ───────┼─ the network between the nodes
 *   n3 192.168.56.13 ───────┘
 *
 * The suite vm has machines, with a kernel each.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, test } from 'vitest'
import { run } from '../support/command.ts'

const checkout = join(import.meta.dirname, '../..')
const scripts = join(checkout, 'scripts/vagrant')
const archive = join(checkout, '.cache/vagrant/overlab.tar')

const numbers = [1, 2, 3]
const ETCD = '192.168.56.11'
const machines: ChildProcess[] = []

/** What a machine has for itself, and a namespace has not. */
const ownFolders = ['/etc', '/opt', '/usr/local']

beforeAll(async () => {
  run(process.execPath, join(scripts, 'pack.ts'))
  run('ip', 'link', 'add', 'between', 'type', 'bridge')
  run('ip', 'link', 'set', 'between', 'up')
  for (const number of numbers) {
    machines.push(await startMachine(number))
    const pid = String(pidOf(number))
    run('ip', 'link', 'add', `n${number}`, 'type', 'veth', 'peer', 'name', 'eth1', 'netns', pid)
    run('ip', 'link', 'set', `n${number}`, 'master', 'between', 'up')
    await on(number, `ip address add 192.168.56.${10 + number}/24 dev eth1; ip link set eth1 up; ip link set lo up`)
  }
  for (const number of numbers) await install(number, 'host-gw')
})

afterAll(() => {
  for (const machine of machines) machine.kill('SIGKILL')
})

test('pods of each node reach the pods of every other', async () => {
  for (const number of numbers)
    assert.match(await on(number, `pod add web${number}`), /^n\d\/web\d 10\.244\.\d+\.\d+$/m)
  for (const number of numbers) {
    const answers = await on(number, 'pod ping 3')
    assert.equal(answers.match(/ answers$/gm)?.length, 3, answers)
  }
})

test('the nodes have leases by their own addresses, of the backend that was asked for', async () => {
  const leases = (await on(2, 'overlay leases')).trim().split('\n')
  assert.equal(leases.length, 3)
  for (const number of numbers) {
    assert.ok(
      leases.some((lease) => lease.includes(`"PublicIP":"192.168.56.${10 + number}"`) && lease.includes('"host-gw"')),
      leases.join('\n'),
    )
  }
})

test('a pod that is deleted leaves neither a link nor an address', async () => {
  await on(2, 'pod add app')
  const before = await on(2, 'overlab cni list; ls /var/lib/cni/networks/flannel')
  await on(2, 'pod delete app')
  assert.notEqual(await on(2, 'ls /var/lib/cni/networks/flannel'), before)
  assert.equal((await on(2, 'ip -br link show type veth master cni-flannel')).trim().split('\n').length, 1)
  assert.doesNotMatch(await on(2, 'pod list'), /app/)
})

test('installed again, a node keeps its subnet and its pods', async () => {
  const before = await on(3, 'cat /run/flannel/subnet.env; pod list')
  await install(3, 'host-gw')
  assert.equal(await on(3, 'cat /run/flannel/subnet.env; pod list'), before)
  assert.match(await on(3, 'pod ping 3'), /n1\/web1 .* answers/)
})

test('a step that fails is named', async () => {
  const install = `sh '${scripts}/install.sh' /run/no-archive`
  await assert.rejects(on(2, `${install} 192.168.56.12 ${ETCD} vxlan`), {
    stderr: /Cannot make n2 a node: "unpack \/run\/no-archive" failed/,
  })
  await assert.rejects(on(2, `${install} 10.0.2.15 ${ETCD} vxlan`), {
    stderr: /No link has 10\.0\.2\.15; there are:\n.*eth1/s,
  })
})

test('the Vagrantfile uses this script and these addresses', () => {
  const vagrantfile = readFileSync(join(checkout, 'Vagrantfile'), 'utf8')
  for (const part of ['scripts/vagrant/install.sh', '192.168.56.#{10 + number}', 'pod ping']) {
    assert.ok(vagrantfile.includes(part), part)
  }
})

async function install(number: number, backend: string): Promise<string> {
  return await on(number, `sh '${scripts}/install.sh' '${archive}' 192.168.56.${10 + number} ${ETCD} ${backend}`)
}

/** A process in namespaces of its own, with folders of its own. What it starts ends with it. */
async function startMachine(number: number): Promise<ChildProcess> {
  const overlays = ownFolders.map((folder, index) => {
    const [upper, work] = [`/run/overlay/${index}/upper`, `/run/overlay/${index}/work`]
    return `mkdir -p ${upper} ${work}; mount -t overlay none -o lowerdir=${folder},upperdir=${upper},workdir=${work} ${folder}`
  })
  const script = [
    'set -e',
    ...['/run', '/var/lib', '/var/log'].map((folder) => `mount -t tmpfs tmpfs ${folder}`),
    ...overlays,
    `hostname n${number}`,
    'echo ready',
    'exec sleep infinity',
  ].join('\n')
  const namespaces = ['--net', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc']
  const machine = spawn('unshare', [...namespaces, 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve, reject) => {
    machine.stdout.once('data', () => resolve())
    machine.once('exit', () => reject(new Error('Cannot start a machine: its namespaces or mounts failed')))
  })
  return machine
}

/** Of the machine's first process, which unshare has started. */
function pidOf(number: number): number {
  const { pid } = machines[number - 1]!
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'))
}

async function on(number: number, command: string): Promise<string> {
  const namespaces = ['--net', '--mount', '--uts', '--pid', '--target', String(pidOf(number))]
  const { stdout } = await promisify(execFile)('nsenter', [...namespaces, 'sh', '-ec', command], { encoding: 'utf8' })
  return stdout
}
