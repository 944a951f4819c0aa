/** Nodes that all announce one address, that of their NAT cards: each has a subnet of its own, and it is said. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { leaseOf, parseLeaseAttributes } from '../../src/overlay/lease.ts'
import { parseLeaseKey } from '../../src/overlay/lease-key.ts'
import { sharedAddresses } from '../../src/overlay/uplink.ts'
import { World } from './daemon-world.ts'

test('two new nodes behind NAT cards with one address do not share a lease', async () => {
  const world = new World({ Network: '10.5.0.0/16', Backend: { Type: 'vxlan' } })
  const nodes = [1, 2].map((number) => world.addNode(number))
  for (const node of nodes) {
    node.kernel.links.add({ kind: 'dummy', name: 'nat0', up: true })
    node.kernel.addresses.add({ link: 'nat0', prefix: '10.0.2.15/24' })
    node.start({ uplink: { interfaces: ['nat0'], patterns: [], canReach: undefined, publicIp: {} } })
    await world.pass(3)
  }
  const leases = Object.entries(await world.leases()).map(([name, value]) =>
    leaseOf(parseLeaseKey(name)!, parseLeaseAttributes(value)),
  )
  assert.equal(leases.length, 2)
  assert.match(sharedAddresses(leases)[0]!, /announce the same address 10\.0\.2\.15, which VirtualBox/)
  for (const { notices } of nodes) assert.ok(notices.some(({ subject }) => subject === 'conflict'))
})
