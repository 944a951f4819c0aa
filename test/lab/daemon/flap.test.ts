/** Links that go down and up, again and again: on the switch, where a node sees its carrier go, and on the node itself. */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { run } from '../../support/command.ts'
import { eventually, type Network, type StoreUnderTest, SWITCH, startNetwork, startStore } from './network.ts'

const NETWORK = { Network: '10.5.0.0/16' }
const ROUNDS = 5

let store: StoreUnderTest
beforeAll(async () => {
  store = await startStore('etcd')
})
afterAll(async () => {
  await store[Symbol.asyncDispose]()
  run('ip', 'netns', 'delete', SWITCH)
})

async function shape(network: Network): Promise<string> {
  return JSON.stringify([network.nodes.map((node) => [node.entries(), node.subnets]), await network.leases()])
}

describe.each(['vxlan', 'host-gw', 'udp'])('%s', (Type) => {
  test(`a link that flaps ${ROUNDS} times, slowly and fast: all is as before, and pods reach each other`, async () => {
    await using network = await startNetwork({ store, config: { ...NETWORK, Backend: { Type } }, nodes: 2 })
    const [one] = network.nodes
    const before = await shape(network)
    const port = (state: 'up' | 'down') => run('ip', '-n', SWITCH, 'link', 'set', 'n1', state)
    const own = (state: 'up' | 'down') => one!.ip(`link set eth0 ${state}`)
    for (const set of [port, own]) {
      for (let round = 0; round < ROUNDS; round++) {
        set('down')
        if (round < 2) await setTimeout(1000)
        set('up')
        if (round < 2) await setTimeout(500)
      }
      // What hung on the link was the network's own, and the kernel has taken it.
      one!.ip('route replace default via 192.168.77.100')
      await eventually('all is as before', async () => (await shape(network)) === before)
      await eventually('pods reach each other', () => network.unreachable().length === 0)
      for (const { name, log } of network.nodes) assert.doesNotMatch(log, / is gone: | ended /, name)
    }
  })
})
