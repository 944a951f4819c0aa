/**
 * Linux keeps the contract also where it has VLAN filtering, vlan, dummy and ipvlan. The cases themselves ask whether the kernel
 * can, so it is tested first that this one does.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { bridgeVlanCases } from '../../contract/kernel/bridge-vlan.ts'
import { linkCases } from '../../contract/kernel/link.ts'
import { linuxWorld } from '../../contract/linux-world.ts'
import { run } from '../../support/command.ts'

test('the kernel has what the development machine lacks', () => {
  run('ip', 'link', 'add', 'filtering', 'type', 'bridge', 'vlan_filtering', '1')
  run('ip', 'link', 'add', 'tagged', 'link', 'filtering', 'type', 'vlan', 'id', '7')
  run('ip', 'link', 'add', 'dummy0', 'type', 'dummy')
  run('ip', 'link', 'add', 'slave', 'link', 'dummy0', 'type', 'ipvlan')
  assert.match(run('bridge', '-d', 'vlan', 'show', 'dev', 'filtering'), /1 PVID Egress Untagged/)
})

for (const { title, check } of [...bridgeVlanCases, ...linkCases]) {
  test(`linux: ${title}`, async () => {
    const { tearDown, ...world } = linuxWorld()
    try {
      await check(world)
    } finally {
      tearDown()
    }
  })
}
