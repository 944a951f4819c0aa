/**
 * Nodes whose wall clock is wrong: libfaketime tells the daemon of one node another time than the other one has, and its
 * steady clock goes on, as when somebody sets the time.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, test } from 'vitest'
import { run } from '../../support/command.ts'
import { eventually, type Network, type StoreUnderTest, SWITCH, startNetwork, startStore } from './network.ts'

/** The nodes get none of the subnets that peers are put in by hand. */
const vxlan = { Network: '10.5.0.0/16', SubnetMin: '10.5.16.0', Backend: { Type: 'vxlan' } }
/** More than a lease has, which is 24 hours. */
const [AHEAD, BEHIND, RIGHT] = ['+25h', '-25h', '+0']

const folder = mkdtempSync(join(tmpdir(), 'overlab-clock-'))
const offset = join(folder, 'offset')
afterAll(() => rmSync(folder, { recursive: true }))

/** The daemon's time is asked for in the file whenever it looks; ld.so(8) knows what $LIB is. */
const FAKED = [
  'env',
  'LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1',
  `FAKETIME_TIMESTAMP_FILE=${offset}`,
  'FAKETIME_NO_CACHE=1',
  'FAKETIME_DONT_FAKE_MONOTONIC=1',
]
const setClock = (to: string) => writeFileSync(offset, to)
beforeEach(() => setClock(RIGHT!))

const value = (number: number) =>
  `{"PublicIP":"192.168.77.${number}","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:0${number}"}}`

/** Two nodes; the clock of the first one is `setClock`'s. */
async function startFaked(store: StoreUnderTest, flags: readonly string[] = []): Promise<Network> {
  const network = await startNetwork({ store, config: vxlan, nodes: 2, flags, idle: true })
  const [one, two] = network.nodes
  one!.start([], { before: FAKED })
  two!.start()
  for (const node of network.nodes) await node.ready()
  for (const node of network.nodes) node.addPod()
  await network.settled()
  return network
}

describe.each(['etcd', 'file'] as const)('leases in %s', (kind) => {
  let store: StoreUnderTest
  beforeAll(async () => {
    store = await startStore(kind)
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    run('ip', 'netns', 'delete', SWITCH)
  })

  test('a clock that jumps: leases and entries stay, new peers are known, and no packet is lost', async () => {
    await using network = await startFaked(store)
    const [one, two] = network.nodes
    const shape = async () => [await network.leases(), one!.entries(), two!.entries()]
    const before = await shape()
    const ping = one!.pingOn(two!)
    for (const to of [AHEAD, BEHIND, RIGHT]) {
      setClock(to!)
      // So that it has something to do, and to tell, with its new time.
      await network.put('10.5.9.0-24', value(9))
      await network.put('garbage', to!)
      for (const node of network.nodes)
        await eventually(`${node.name} knows the peer, ${to}`, () =>
          node.entries().join().includes('02:00:00:00:00:09'),
        )
      for (const name of ['10.5.9.0-24', 'garbage']) await network.delete(name)
      for (const node of network.nodes)
        await eventually(`${node.name} forgets it, ${to}`, () => !node.entries().join().includes('02:00:00:00:00:09'))
      assert.deepEqual(await shape(), before, to)
    }
    assert.equal((await ping.stop()).lost, 0)
    for (const { name, log } of network.nodes) assert.doesNotMatch(log, / is gone: | acquiring /, name)
    assert.match(one!.log, new RegExp(dayOf(25)))
  })

  test.each([
    AHEAD,
    BEHIND,
  ])('leases are renewed while one clock is %s, and end when their node has gone', async (to) => {
    const flags = ['--subnet-lease-ttl', '4s', '--subnet-lease-renew-margin', '3s']
    await using network = await startFaked(store, flags)
    const [one, two] = network.nodes
    const before = await network.leases()
    const ping = one!.pingOn(two!)
    setClock(to!)
    for (let second = 0; second < 6; second++) {
      await setTimeout(1000)
      assert.deepEqual(await network.leases(), before, `after ${second} s`)
    }
    assert.equal((await ping.stop()).lost, 0)
    for (const { name, log } of network.nodes) assert.doesNotMatch(log, / is gone: /, name)
    await one!.stop('SIGKILL')
    await eventually('the other one forgets it', () => two!.entries().length === 0)
    assert.deepEqual(Object.keys(await network.leases()), [`${two!.gateway}-24`])
  })

  test.each([AHEAD, BEHIND])('a daemon that begins while its clock is %s: each node has its subnet', async (to) => {
    await using network = await startFaked(store)
    const [one, two] = network.nodes
    const shape = async () => [await network.leases(), one!.entries(), two!.entries()]
    const before = await shape()
    for (const next of [to!, RIGHT!]) {
      await one!.stop('SIGKILL')
      setClock(next)
      await one!.start([], { before: FAKED }).ready()
      await eventually('all is as before', async () => JSON.stringify(await shape()) === JSON.stringify(before))
    }
    // The other one begins while the first one's lease has the wrong time.
    setClock(to!)
    await network.delete(`${one!.gateway}-24`)
    await eventually('the first has its lease', async () => Object.keys(await network.leases()).length === 2)
    await two!.stop('SIGKILL')
    await two!.start().ready()
    await eventually('all is as before', async () => JSON.stringify(await shape()) === JSON.stringify(before))
    await network.settled()
    assert.deepEqual(network.unreachable(), [])
  })
})

/** A line of the log from so many hours later: that the clock was another one indeed. */
function dayOf(hours: number): string {
  return new Date(Date.now() + hours * 3_600_000).toISOString().slice(0, 10)
}
