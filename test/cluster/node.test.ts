/** Nodes of a cluster, as the store makes them: what they announce, whom they speak with, what goes through tunnels. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { World } from './world.ts'

test('pods of three nodes in one subnet reach each other by blocks that BGP tells of', async () => {
  const world = new World()
  await world.pool({ cidr: '10.244.0.0/24', blockSize: 28 })
  const nodes = [1, 2, 3].map((number) => world.addNode(number).start())
  await world.pass(1)
  for (const node of nodes) await node.addPod('web')
  await world.until(() => nodes.every(({ routes }) => routes.length === 3), 'each knows three blocks')
  assert.deepEqual(await world.unreachable(), [])
})
