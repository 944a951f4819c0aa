/**
 * podman 4.3 starts containers on our bridge: its CNI backend, the last before netavark.
 *
 * podman asks VERSION first, and quietly takes its default network where that fails. Its own default list wants portmap, firewall
 * and tuning; ours here is the bridge alone. When a container's namespace has gone before it, podman calls no DEL at all, so what
 * happens then is containerd's test.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { afterEach, beforeAll, test } from 'vitest'
import { run } from '../support/command.ts'
import { OUTSIDE } from '../support/outside.ts'
import { debianPackage } from '../support/peers.ts'
import { buildImage, IMAGE } from './image.ts'
import { leftovers, makeNode, writeJson } from './node.ts'

const NETWORK = 'overlab-podman'
const SUBNET = '10.218.0.0/16'

beforeAll(() => {
  makeNode()
  const libraries = ['libgpgme11', 'libassuan0', 'libsubid4', 'libdevmapper1.02.1']
  process.env.PATH = `${debianPackage('podman')}/usr/bin:${process.env.PATH}`
  process.env.LD_LIBRARY_PATH = libraries.flatMap(libraryFolders).join(':')
  process.env.CONTAINERS_CONF = '/etc/containers/containers.conf'
  process.env.CONTAINERS_STORAGE_CONF = '/etc/containers/storage.conf'
  writeJson('/etc/containers/policy.json', { default: [{ type: 'insecureAcceptAnything' }] })
  writeFileSync(process.env.CONTAINERS_CONF, containersConf())
  writeFileSync(
    process.env.CONTAINERS_STORAGE_CONF,
    '[storage]\ndriver = "overlay"\ngraphroot = "/var/lib/containers"\nrunroot = "/run/containers"\n',
  )
  writeJson('/etc/cni/net.d/87-podman.conflist', {
    cniVersion: '0.4.0',
    name: NETWORK,
    plugins: [
      {
        type: 'bridge',
        bridge: 'ovlpod0',
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: { type: 'host-local', ranges: [[{ subnet: SUBNET }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
    ],
  })
  buildImage('/run/image.tar')
  podman('load', '--input', '/run/image.tar')
})

afterEach(() => {
  podman('rm', '--force', '--all', '--time', '0')
})

test('pods reach each other and, masqueraded, the network outside; their removal leaves nothing', () => {
  const [pod1, pod2] = [startPod(), startPod()]
  const other = addressOf(pod2)
  assert.match(other, /^10\.218\.0\.[23]$/)
  assert.match(ping(pod1, other), / 0% packet loss/)
  assert.match(ping(pod1, OUTSIDE), / 0% packet loss/)
  assert.notDeepEqual(leftovers(NETWORK, SUBNET), [], 'while the pods live their traces are found')

  podman('rm', '--force', '--time', '0', pod1, pod2)
  assert.deepEqual(leftovers(NETWORK, SUBNET), [])
})

function podman(...args: string[]): string {
  return run('podman', '--log-level=error', ...args)
}

function startPod(): string {
  return podman('run', '--detach', IMAGE, '/bin/sleep', '600').trim()
}

function addressOf(pod: string): string {
  const format = `{{(index .NetworkSettings.Networks "${NETWORK}").IPAddress}}`
  return podman('inspect', '--format', format, pod).trim()
}

function ping(pod: string, address: string): string {
  return podman('exec', pod, 'ping', '-c', '2', '-W', '2', address)
}

function libraryFolders(name: string): string[] {
  const folder = debianPackage(name)
  return ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'].map((path) => `${folder}/${path}`)
}

/** runc, because crun refuses hybrid cgroups; no pids limit and small ulimits, for a machine that gives no CAP_SYS_RESOURCE. */
function containersConf(): string {
  return `[network]
network_backend = "cni"
cni_plugin_dirs = ["/opt/cni/bin"]
network_config_dir = "/etc/cni/net.d"
default_network = "${NETWORK}"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
tmp_dir = "/run/libpod"
conmon_path = ["${debianPackage('conmon')}/usr/bin/conmon"]
[engine.runtimes]
runc = ["${debianPackage('runc')}/usr/sbin/runc"]
[containers]
seccomp_profile = "unconfined"
log_driver = "k8s-file"
pids_limit = 0
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
`
}
