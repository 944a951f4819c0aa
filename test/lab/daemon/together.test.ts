/** Nodes that begin at the same moment, in a network that has just as many subnets as there may be nodes. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { run } from '../../support/command.ts'
import { eventually, type Network, type StoreUnderTest, SWITCH, startNetwork, startStore } from './network.ts'

/** Four subnets. */
const config = { Network: '10.5.0.0/16', SubnetMin: '10.5.1.0', SubnetMax: '10.5.4.0', Backend: { Type: 'vxlan' } }
const FOUR = ['10.5.1.0-24', '10.5.2.0-24', '10.5.3.0-24', '10.5.4.0-24']

describe.each(['etcd', 'file'] as const)('leases in %s', (kind) => {
  let store: StoreUnderTest
  beforeAll(async () => {
    store = await startStore(kind)
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    run('ip', 'netns', 'delete', SWITCH)
  })

  test.each([
    { nodes: 2, rounds: 20 },
    { nodes: 4, rounds: 4 },
  ])('$nodes nodes and four subnets, $rounds times: each has its own, and knows the others', async (options) => {
    await using network = await startNetwork({ store, config, nodes: options.nodes, idle: true })
    for (let round = 0; round < options.rounds; round++) {
      for (const node of network.nodes) node.start()
      // Who ends is not ready.
      for (const node of network.nodes) await node.ready()
      await eventually('each knows the others', () =>
        network.nodes.every((node) => node.entries().length === 3 * (options.nodes - 1)),
      )
      const names = Object.keys(await network.leases())
      assert.deepEqual(names, network.nodes.map(({ gateway }) => `${gateway}-24`).sort(), `round ${round}`)
      assert.equal(new Set(names).size, options.nodes)
      assert.ok(names.every((name) => FOUR.includes(name)))
      for (const node of network.nodes) assert.doesNotMatch(node.log, / error /, `round ${round}`)
      await forget(network)
    }
  })
})

/** As if none of them had ever been there. */
async function forget(network: Network): Promise<void> {
  await Promise.all(network.nodes.map((node) => node.stop('SIGKILL')))
  for (const node of network.nodes) {
    rmSync(node.subnetPath)
    node.ip('link delete flannel.1')
  }
  for (const name of Object.keys(await network.leases())) await network.delete(name)
}
