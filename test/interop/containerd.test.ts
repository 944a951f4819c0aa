/**
 * containerd 1.6 starts containers on our bridge, and on an overlay's subnet of the node by flannel: `ctr run --cni`.
 *
 * With `--rm --cni` containerd removes the container first, so DEL comes when its namespace is gone, without CNI_NETNS.
 */
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { run } from '../support/command.ts'
import { OUTSIDE } from '../support/outside.ts'
import { debianPackage } from '../support/peers.ts'
import { buildImage, IMAGE } from './image.ts'
import { eventually, leftovers, makeNode, type Running, start, writeJson } from './node.ts'

const bridge = {
  cniVersion: '1.0.0',
  name: 'overlab-containerd',
  plugins: [
    {
      type: 'bridge',
      bridge: 'ovlctr0',
      isGateway: true,
      ipMasq: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.219.0.0/16' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
  ],
}
const flannel = {
  cniVersion: '1.0.0',
  name: 'overlab-flannel',
  plugins: [{ type: 'flannel', delegate: { bridge: 'ovlctr1', isDefaultGateway: true } }],
}
const subnetEnv = 'FLANNEL_NETWORK=10.0.0.0/8\nFLANNEL_SUBNET=10.220.0.1/16\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n'

const networks = [
  { network: bridge, subnet: '10.219.0.0/16', address: /^10\.219\.0\.[23]$/ },
  { network: flannel, subnet: '10.220.0.0/16', address: /^10\.220\.0\.[23]$/ },
]
/** containerd reads it for each container. */
const CONFIGURATION = '/etc/cni/net.d/10-overlab.conflist'
const SCRATCHES = '/var/lib/cni/flannel'
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
  mkdirSync('/run/flannel')
  writeFileSync('/run/flannel/subnet.env', subnetEnv)
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

test.each(
  networks,
)('pods on $network.name reach each other and, masqueraded, the network outside; their removal leaves nothing', async ({
  network,
  subnet,
  address,
}) => {
  writeJson(CONFIGURATION, network)
  const pods = ['pod1', 'pod2'].map((name) =>
    start('ctr', [...client, 'run', '--rm', '--cni', IMAGE, name, '/bin/sleep', '600']),
  )
  try {
    await eventually(() => execute('pod1', 'ip', 'addr'), START_LIMIT)
    const other = await eventually(() => addressOf('pod2'), START_LIMIT)
    assert.match(other, address)
    assert.match(ping('pod1', other), / 0% packet loss/)
    assert.match(ping('pod1', OUTSIDE), / 0% packet loss/)
    assert.notDeepEqual(leftovers(network.name, subnet), [], 'while the pods live their traces are found')
  } catch (error) {
    throw new Error(`ctr wrote: ${pods.map((pod) => pod.output()).join('')}`, { cause: error })
  } finally {
    for (const name of ['pod1', 'pod2']) ctr('task', 'kill', '--signal', 'SIGKILL', name)
    await Promise.all(pods.map((pod) => pod.ended()))
  }
  assert.deepEqual(leftovers(network.name, subnet), [])
  if (network === flannel) assert.deepEqual(readdirSync(SCRATCHES), [])
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
