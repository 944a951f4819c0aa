/** Offloads off over netlink, witnessed by ethtool(8). */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { afterAll, test } from 'vitest'
import { KernelError } from '../../src/kernel/errors.ts'
import { LinuxKernel } from '../../src/linux/linux.ts'
import { liveLinux } from '../../src/linux/live.ts'
import { disableOffloads } from '../../src/linux/netlink/ethtool.ts'

const root = liveLinux()
const name = `ethtool-${process.pid}`
const kernel = root.enter(root.namespaces.add(name))!
assert.ok(kernel instanceof LinuxKernel)
const { namespace } = kernel

afterAll(() => {
  kernel.close()
  root.namespaces.delete(name)
  root.close()
})

const features = (link: string) =>
  execFileSync('ip', ['netns', 'exec', name, 'ethtool', '-k', link], { encoding: 'utf8' }).split('\n')

const OFF = [
  'rx-checksumming',
  'tx-checksumming',
  'tx-tcp-segmentation',
  'tx-tcp6-segmentation',
  'generic-segmentation-offload',
  'generic-receive-offload',
]

test('a veth computes its checksums and cuts its segments itself', () => {
  kernel.links.add({ kind: 'veth', name: 'a', peer: { name: 'b' } })
  assert.ok(features('a').includes('tx-checksumming: on'))
  disableOffloads(namespace, ['a', 'b'])
  for (const link of ['a', 'b']) {
    const lines = features(link).map((line) => line.trim())
    for (const feature of OFF) assert.ok(lines.includes(`${feature}: off`), `${link} ${feature}`)
  }
})

test('a bridge and a VXLAN device have less to switch off', () => {
  kernel.links.add({ kind: 'bridge', name: 'br0' })
  kernel.links.add({ kind: 'vxlan', name: 'vx0', vxlan: { vni: 1, port: 8472, local: '192.0.2.1' } })
  disableOffloads(namespace, ['br0', 'vx0'])
  assert.ok(features('vx0').includes('tx-checksumming: off'))
})

test('no such link is ENODEV', () => {
  assert.throws(
    () => disableOffloads(namespace, ['nowhere']),
    (error: unknown) => error instanceof KernelError && error.errno === 'ENODEV',
  )
})
