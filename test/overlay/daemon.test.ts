/** Daemons, from an empty store to pods that reach each other: rows A and B of the acceptance scenarios, on the model. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { entriesOf, startNodes } from './daemon-world.ts'

const NETWORK = { Network: '10.5.0.0/16' }
const vxlan = { ...NETWORK, Backend: { Type: 'vxlan' } }

test('A1: two nodes on vxlan begin with an empty store, and their pods reach each other', async () => {
  const world = await startNodes(2, vxlan)
  assert.deepEqual(await world.unreachable(), [])
  const [one, two] = world.nodes
  assert.equal(
    one!.subnetFile,
    'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n',
  )
  const mac = one!.kernel.links.get('flannel.1')!.mac
  assert.deepEqual(entriesOf(two!.kernel), [
    `fdb ${mac} 192.168.77.1`,
    `neigh 10.5.1.0 ${mac}`,
    'route 10.5.1.0/24 via 10.5.1.0 dev flannel.1',
  ])
})
