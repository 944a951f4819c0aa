/**
 * The Vagrant lab's provisioning in three machines with a kernel of Debian's: the archive, the script and the addresses of the
 * Vagrantfile.
 *
 *   10.0.2.15 eth0 ── n1 ── eth1 192.168.56.11, etcd ─┐
 *   10.0.2.15 eth0 ── n2 ── eth1 192.168.56.12 ───────┤
 *   10.0.2.15 eth0 ── n3 ── eth1 192.168.56.13 ───────┘
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, test } from 'vitest'
import { run } from '../support/command.ts'
import { buildInitramfs, debianKernel } from './initramfs.ts'
import { CHECKOUT, Machine } from './machine.ts'

const checkout = join(import.meta.dirname, '../..')
const archive = join(checkout, '.cache/vagrant/overlab.tar')

const numbers = [1, 2, 3]
const ETCD = '192.168.56.11'

/** With what each node's routes to the other two look like. */
const backends = [
  { backend: 'vxlan', route: /^10\.244\.\d+\.0\/24 via 10\.244\.\d+\.0 dev flannel\.1 .*onlink/gm, routes: 2 },
  { backend: 'host-gw', route: /^10\.244\.\d+\.0\/24 via 192\.168\.56\.1\d dev eth1/gm, routes: 2 },
  { backend: 'udp', route: /^10\.244\.0\.0\/16 dev flannel0/gm, routes: 1 },
]

/** Milliseconds, for what a daemon does within one; the machines are slow, and so is a question to them. */
const CHANGE_LIMIT = 60_000

const folder = mkdtempSync(join(tmpdir(), 'overlab-vm-'))
let machines: Machine[] = []

beforeAll(async () => {
  run(process.execPath, join(checkout, 'scripts/vagrant/pack.ts'))
  const kernel = debianKernel()
  const initramfs = join(folder, 'initramfs')
  buildInitramfs(kernel, initramfs)
  machines = numbers.map((number) => new Machine(number, { folder, checkout, kernel, initramfs, archive }))
  await all((machine) => machine.switchOn())
  await all((machine, number) => install(machine, number, 'vxlan'))
})

afterAll(async () => {
  await all((machine) => machine.switchOff())
  rmSync(folder, { recursive: true, force: true })
})

test('the machines run a kernel of Debian’s, and programs that the archive brought', async () => {
  await all(async (machine, number) => {
    assert.match(await machine.run('hostname; uname -r'), new RegExp(`^n${number}\n6\\.1\\..*-amd64\n`))
    for (const program of ['node', 'containerd', 'runc', 'ctr', 'etcd']) {
      assert.equal(await machine.run(`readlink -f $(command -v ${program})`), `/opt/overlab/bin/${program}\n`)
    }
  })
})

test('each node has the address of its card to the other nodes, not the one that all of them have', async () => {
  const leases = await onNode(2).run('overlay leases')
  for (const number of numbers) assert.ok(leases.includes(`"PublicIP":"192.168.56.1${number}"`), leases)
  assert.doesNotMatch(leases, /10\.0\.2\.15/)
})

test('each node runs a pod', async () => {
  await all(async (machine, number) => {
    assert.match(await machine.run('pod add web'), new RegExp(`^n${number}/web 10\\.244\\.\\d+\\.\\d+$`, 'm'))
  })
})

test('a node switched off is missed by nobody else; switched on, it has its subnet again', async () => {
  const before = await onNode(3).run('cat /run/flannel/subnet.env')
  await onNode(3).switchOff()
  const answers = await onNode(1).run('pod ping 3 2>&1 || true')
  assert.match(answers, /n2\/web \S+ answers/)
  assert.match(answers, /n3\/web \S+ LOST/)

  await onNode(3).switchOn()
  await onNode(3).run('overlay wait && pod add web')
  assert.equal(await onNode(3).run('cat /run/flannel/subnet.env'), before)
  await allPing()
})

for (const { backend, route, routes } of backends) {
  test(`${backend}: pods ping each other across the nodes`, async () => {
    await onNode(1).run(`overlay backend ${backend}`)
    await all((machine) => untilRouted(machine, route, routes))
    await all((machine) => machine.run('overlay wait'))
    await allPing()
  })
}

test('the node with etcd switched off: pods of the others go on; switched on, it is as before', async () => {
  const before = await onNode(1).run('overlay leases; cat /run/flannel/subnet.env')
  const address = /n3\/web (\S+)/.exec(await onNode(2).run('pod list'))![1]!
  await onNode(1).switchOff()
  assert.match(await onNode(2).run(`pod exec web ping -c 3 ${address}`), / 0% packet loss/)

  await onNode(1).switchOn()
  await onNode(1).run('overlay wait && pod add web')
  assert.equal(await onNode(1).run('overlay leases; cat /run/flannel/subnet.env'), before)
  await allPing()
})

async function all(act: (machine: Machine, number: number) => Promise<unknown>): Promise<void> {
  await Promise.all(machines.map((machine, index) => act(machine, numbers[index]!)))
}

function onNode(number: number): Machine {
  return machines[number - 1]!
}

async function install(machine: Machine, number: number, backend: string): Promise<string> {
  return machine.run(`sh ${CHECKOUT}/scripts/vagrant/install.sh /dev/vdb 192.168.56.1${number} ${ETCD} ${backend}`)
}

async function untilRouted(machine: Machine, route: RegExp, wanted: number): Promise<void> {
  const end = performance.now() + CHANGE_LIMIT
  for (;;) {
    const routes = await machine.run('ip route')
    if (routes.match(route)?.length === wanted) return
    if (performance.now() > end) assert.fail(`${machine.name} has no such routes: ${routes}`)
    await sleep(500)
  }
}

/** From each node's pod to every pod. */
async function allPing(): Promise<void> {
  await all(async (machine) => {
    const answers = await machine.run('pod ping 3')
    assert.equal(answers.match(/ answers$/gm)?.length, numbers.length, answers)
  })
}
