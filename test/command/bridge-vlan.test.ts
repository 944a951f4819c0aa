/**
 * `bridge vlan show`, as iproute2 6.1 printed it in User-Mode Linux 6.1 (the development kernel has no VLAN filtering) after
 *
 *   ip link add br0 type bridge vlan_filtering 1; ip link set v1 master br0; bridge vlan add dev v1 vid 5
 *   bridge vlan add dev v1 vid 10-12 untagged; bridge vlan add dev br0 vid 7 self
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Context } from '../../src/command/command.ts'
import { runLine } from '../../src/command/run.ts'
import { KernelError } from '../../src/kernel/errors.ts'
import type { BridgeVlan } from '../../src/kernel/link.ts'

const own: BridgeVlan = { id: 1, end: 1, pvid: true, untagged: true }
const vlans: Readonly<Record<string, readonly BridgeVlan[]>> = {
  br0: [own, { id: 7, end: 7, pvid: false, untagged: false }],
  v1: [own, { id: 5, end: 5, pvid: false, untagged: false }, { id: 10, end: 12, pvid: false, untagged: true }],
}
const links = [
  { name: 'lo', kind: 'loopback' },
  { name: 'br0', kind: 'bridge' },
  { name: 'v1', kind: 'veth', port: {} },
]

function machine(list: (link: string) => readonly BridgeVlan[]): Context {
  const kernel = {
    links: { list: () => links, get: (name: string) => links.find((link) => link.name === name) },
    bridgeVlans: { list },
  }
  return { kernel: kernel as unknown as Context['kernel'], now: () => 0, sleep: async () => {} }
}

const rows: readonly { readonly line: string; readonly stdout: string }[] = [
  {
    line: 'bridge vlan show',
    stdout: `port              vlan-id  
br0               1 PVID Egress Untagged
                  7
v1                1 PVID Egress Untagged
                  5
                  10 Egress Untagged
                  11 Egress Untagged
                  12 Egress Untagged
`,
  },
  {
    line: 'bridge vlan show dev br0',
    stdout: `port              vlan-id  
br0               1 PVID Egress Untagged
                  7
`,
  },
  {
    line: 'bridge -j vlan show',
    stdout:
      '[{"ifname":"br0","vlans":[{"vlan":1,"flags":["PVID","Egress Untagged"]},{"vlan":7}]},{"ifname":"v1","vlans":[{"vlan":1,"flags":["PVID","Egress Untagged"]},{"vlan":5},{"vlan":10,"flags":["Egress Untagged"]},{"vlan":11,"flags":["Egress Untagged"]},{"vlan":12,"flags":["Egress Untagged"]}]}]\n',
  },
  {
    line: 'bridge -j -p vlan show dev br0',
    stdout: `[ {
        "ifname": "br0",
        "vlans": [ {
                "vlan": 1,
                "flags": [ "PVID","Egress Untagged" ]
            },{
                "vlan": 7
            } ]
    } ]
`,
  },
]
for (const { line, stdout } of rows) {
  test(line, async () => {
    assert.deepEqual(
      await runLine(
        line,
        machine((link) => vlans[link]!),
      ),
      { status: 0, stdout, stderr: '' },
    )
  })
}

test('a kernel without VLAN filtering has none to show', async () => {
  const without = machine(() => {
    throw new KernelError('EOPNOTSUPP', 'list VLANs')
  })
  assert.equal((await runLine('bridge vlan', without)).stdout, 'port              vlan-id  \n')
})
