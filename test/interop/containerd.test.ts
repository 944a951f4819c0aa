/**
 * containerd 1.6 starts containers on our bridge: `ctr run --cni`.
 *
 * With `--rm --cni` containerd removes the container first, so DEL comes when its namespace is gone, without CNI_NETNS.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { run } from '../support/command.ts'
import { OUTSIDE } from '../support/outside.ts'
import { debianPackage } from '../support/peers.ts'
import { buildImage, IMAGE } from './image.ts'
import { eventually, leftovers, makeNode, type Running, start, writeJson } from './node.ts'

const NETWORK = 'overlab-containerd'
const SUBNET = '10.219.0.0/16'
const SOCKET = '/run/containerd.sock'
const START_LIMIT = 60_000

const tools = {
  ...process.env,
  PATH: `${debianPackage('containerd')}/usr/bin:${debianPackage('runc')}/usr/sbin:${process.env.PATH}`,
}
process.env.PATH = tools.PATH

let containerd: Running

beforeAll(async () => {
  makeNode()
  writeJson('/etc/cni/net.d/10-overlab.conflist', {
    cniVersion: '1.0.0',
    name: NETWORK,
    plugins: [
      {
        type: 'bridge',
        bridge: 'ovlctr0',
        isGateway: true,
        ipMasq: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: SUBNET }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
    ],
  })
  const config = '/run/containerd.toml'
  writeFileSync(
    config,
    `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${SOCKET}"
[ttrpc]
  address = "${SOCKET}.ttrpc"
`,
  )
  containerd = start('containerd', ['-c', config])
  await eventually(() => ctr('version'), START_LIMIT)
  const archive = join('/run', 'image.tar')
  buildImage(archive)
  ctr('images', 'import', archive)
})

afterAll(async () => {
  await containerd?.end('SIGTERM')
})

test('pods reach each other and, masqueraded, the network outside; their removal leaves nothing', async () => {
  const pods = ['pod1', 'pod2'].map((name) =>
    start('ctr', [...client, 'run', '--rm', '--cni', IMAGE, name, '/bin/sleep', '600']),
  )
  try {
    await eventually(() => execute('pod1', 'ip', 'addr'), START_LIMIT)
    const other = await eventually(() => addressOf('pod2'), START_LIMIT)
    assert.match(other, /^10\.219\.0\.[23]$/)
    assert.match(ping('pod1', other), / 0% packet loss/)
    assert.match(ping('pod1', OUTSIDE), / 0% packet loss/)
    assert.notDeepEqual(leftovers(NETWORK, SUBNET), [], 'while the pods live their traces are found')
  } catch (error) {
    throw new Error(`ctr wrote: ${pods.map((pod) => pod.output()).join('')}`, { cause: error })
  } finally {
    for (const name of ['pod1', 'pod2']) ctr('task', 'kill', '--signal', 'SIGKILL', name)
    await Promise.all(pods.map((pod) => pod.ended()))
  }
  assert.deepEqual(leftovers(NETWORK, SUBNET), [])
  assert.equal(pods.map((pod) => pod.output()).join(''), '')
})

const client = ['--address', SOCKET, '--namespace', 'overlab']

function ctr(...args: string[]): string {
  return run('ctr', ...client, ...args)
}

let executions = 0

function execute(pod: string, ...command: string[]): string {
  return ctr('task', 'exec', '--exec-id', `exec${executions++}`, pod, ...command)
}

function addressOf(pod: string): string {
  const match = /inet (10\.[\d.]+)/.exec(execute(pod, 'ip', '-4', '-o', 'addr', 'show', 'dev', 'eth0'))
  if (!match) throw new Error(`Cannot find an address of ${pod}`)
  return match[1]!
}

function ping(pod: string, address: string): string {
  return execute(pod, 'ping', '-c', '2', '-W', '2', address)
}
