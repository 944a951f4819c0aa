/** Nodes that all announce one address, that of their NAT cards: each has a subnet of its own, and it is said. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
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
  assert.equal(Object.keys(await world.leases()).length, 2)
  const said = /our own address, which VirtualBox gives the NAT card of every machine; .*--iface/
  for (const { notices } of nodes) assert.ok(notices.some(({ message }) => said.test(message)))
})
