/** The bridge plugin's VLANs, seen through `bridge vlan`. */
import assert from 'node:assert/strict'
import { afterEach, test } from 'vitest'
import { deleteLink, hostVethName } from '../../../src/cni/container.ts'
import { CniCode } from '../../../src/cni/errors.ts'
import { host } from '../../../src/linux/host.ts'
import { linux } from '../../../src/linux/linux.ts'
import { bridge } from '../../../src/plugins/bridge.ts'
import { ipamOf, leased, surroundingsOn } from '../../support/attachment.ts'
import { run } from '../../support/command.ts'
import { networkConfig } from '../../support/configuration.ts'
import { addContainer, attach } from '../../support/linux-attachment.ts'

interface Vlan {
  readonly vlan: number
  readonly flags?: readonly string[]
}

const port = hostVethName('lan', { containerId: 'c1', ifName: 'eth0' })

/** `100 PVID Egress Untagged`, and so on for each VLAN of the link. */
function vlansOf(link: string): string[] {
  const [entry] = JSON.parse(run('bridge', '-j', 'vlan', 'show', 'dev', link)) as { vlans: Vlan[] }[]
  return (entry?.vlans ?? []).map(({ vlan, flags = [] }) => [vlan, ...flags].join(' '))
}

afterEach(() => {
  for (const name of linux.namespaces.list()) linux.namespaces.delete(name)
  for (const { name, kind } of linux.links.list()) if (kind === 'veth' || kind === 'bridge') deleteLink(linux, name)
})

const rows = [
  { network: { vlan: 100 }, vlans: ['100 PVID Egress Untagged'] },
  { network: { vlan: 100, preserveDefaultVlan: true }, vlans: ['1 Egress Untagged', '100 PVID Egress Untagged'] },
  {
    network: { vlanTrunk: [{ id: 5 }, { minID: 7, maxID: 9 }] },
    vlans: ['1 PVID Egress Untagged', '5', '7', '8', '9'],
  },
  { network: { vlan: 3, vlanTrunk: [{ id: 5 }] }, vlans: ['3 PVID Egress Untagged', '5'] },
]

for (const { network, vlans } of rows) {
  test(`${JSON.stringify(network)} makes the port member of ${vlans.join(', ')}`, () => {
    const { check } = attach(bridge, network, addContainer('c1'))
    assert.deepEqual(vlansOf(port), vlans)
    check()
  })
}

test('CHECK notices a VLAN that is gone, and one too many', () => {
  const { check } = attach(bridge, { vlan: 100 }, addContainer('c1'))
  run('bridge', 'vlan', 'add', 'dev', port, 'vid', '7')
  assert.throws(check, { code: CniCode.notAsPromised, message: /VLAN 7 on .* should not be there/ })
  run('bridge', 'vlan', 'del', 'dev', port, 'vid', '7')
  check()
  run('bridge', 'vlan', 'del', 'dev', port, 'vid', '100')
  assert.throws(check, { code: CniCode.notAsPromised, message: /VLAN 100 on .* is missing/ })
})

test('with a VLAN, the gateway is an interface in it, shared by containers and kept by GC', () => {
  const network = { vlan: 100, isGateway: true }
  const { result, check, del } = attach(bridge, network, addContainer('c1'), { ipam: ipamOf(leased('10.1.2.5/24')) })
  attach(bridge, network, addContainer('c2'), { ipam: ipamOf(leased('10.1.2.6/24')) })
  assert.deepEqual(
    result.interfaces.map(({ name }) => name),
    ['cni0', port, 'eth0', 'cni0.100'],
  )
  run('ip', 'netns', 'exec', 'c1', 'ping', '-c1', '-W2', '10.1.2.1')
  run('ip', 'netns', 'exec', 'c1', 'ping', '-c1', '-W2', '10.1.2.6')
  check()
  del()
  const ipam = ipamOf(leased())
  bridge.gc!(
    { config: bridge.parseConfig(networkConfig(network)), validAttachments: [] },
    surroundingsOn({ kernel: linux, host }, ipam),
  )
  const names = linux.links.list().map(({ name }) => name)
  assert.ok(names.includes('cni0.100'))
  assert.equal(names.filter((name) => name.startsWith('veth')).length, 1, "the gateway's own port")
})

test('containers in different VLANs of one bridge do not hear each other', () => {
  attach(bridge, { vlan: 100 }, addContainer('c1'), { ipam: ipamOf(leased('10.1.2.5/24')) })
  attach(bridge, { name: 'other', vlan: 200 }, addContainer('c2'), { ipam: ipamOf(leased('10.1.2.6/24')) })
  assert.throws(() => run('ip', 'netns', 'exec', 'c1', 'ping', '-c1', '-W1', '10.1.2.6'))
  attach(bridge, { name: 'third', vlan: 100 }, addContainer('c3'), { ipam: ipamOf(leased('10.1.2.7/24')) })
  run('ip', 'netns', 'exec', 'c1', 'ping', '-c1', '-W2', '10.1.2.7')
})
