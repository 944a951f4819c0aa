/**
 * Daemons that are killed at any moment, from before their first instruction to long after they are ready: pods do not notice,
 * and the next daemon has the same lease. And daemons that are told to end in the wrong moment, or twice.
 *
 * The moments are drawn from a seed that the titles tell; SEED=… draws them again.
 */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { files } from '../../../src/linux/files.ts'
import { Random } from '../../../src/model/random.ts'
import { parseSubnetFile } from '../../../src/overlay/subnet-file.ts'
import { run } from '../../support/command.ts'
import {
  eventually,
  type Network,
  type Node,
  type StoreUnderTest,
  SWITCH,
  startNetwork,
  startStore,
} from './network.ts'

const NETWORK = { Network: '10.5.0.0/16' }
const vxlan = { ...NETWORK, Backend: { Type: 'vxlan' } }
const hostGw = { ...NETWORK, Backend: { Type: 'host-gw' } }
const udp = { ...NETWORK, Backend: { Type: 'udp' } }
const FLAGS = ['--ip-masq']
/** Of the log, until it is ready. */
const LINES = 4
/** Milliseconds, for many rounds on a busy machine. */
const PATIENCE = 300_000

const seed = Number(process.env.SEED ?? randomInt(2 ** 31))
const random = new Random(seed)

/** Begins it, and kills it somewhere between now and half as long again as it takes to be ready, or just when it does something. */
async function beginAndKill(node: Node, milliseconds: number): Promise<void> {
  node.start()
  if (random.below('daemon', 2) === 0) await setTimeout(random.below('daemon', 1.5 * milliseconds))
  else {
    const lines = 1 + random.below('daemon', LINES)
    const end = performance.now() + 2 * milliseconds
    while (node.log.split('\n').length <= lines && performance.now() < end) await setTimeout(1)
    await setTimeout(random.below('daemon', 30))
  }
  await node.stop('SIGKILL')
}

/** Milliseconds from its beginning until it is ready, on this machine just now. */
async function beginAndMeasure(node: Node): Promise<number> {
  const start = performance.now()
  await node.start().ready()
  return performance.now() - start
}

/** What must never change: what pods and other nodes go by. */
async function shape(network: Network, node: Node): Promise<unknown> {
  return { entries: node.entries(), file: readFileSync(node.subnetPath, 'utf8'), leases: await network.leases() }
}

async function leasesOf(network: Network, node: Node): Promise<string[]> {
  const own = Object.entries(await network.leases()).filter(([, value]) => value.includes(`.77.${node.number}"`))
  return own.map(([name]) => name)
}

describe.each(['etcd', 'file'] as const)(`leases in %s, SEED=${seed}`, (kind) => {
  let store: StoreUnderTest
  beforeAll(async () => {
    store = await startStore(kind)
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    run('ip', 'netns', 'delete', SWITCH)
  })

  test.each([
    { name: 'vxlan', config: vxlan, rounds: 25 },
    { name: 'host-gw', config: hostGw, rounds: 5 },
  ])(
    '$name, killed $rounds times: no packet is lost, and all is as before',
    async ({ config, rounds }) => {
      await using network = await startNetwork({ store, config, nodes: 2, flags: FLAGS })
      const [one, two] = network.nodes
      const [before, rules] = [await shape(network, one!), one!.run('iptables-save')]
      const ping = two!.pingOn(one!)
      await one!.stop('SIGKILL')
      const life = await beginAndMeasure(one!)
      await one!.stop('SIGKILL')
      for (let round = 0; round < rounds; round++) {
        await beginAndKill(one!, life)
        assert.deepEqual(await shape(network, one!), before, `round ${round}`)
      }
      await one!.start().ready()
      assert.equal((await ping.stop()).lost, 0)
      assert.deepEqual(await shape(network, one!), before)
      assert.deepEqual(withoutCounts(one!.run('iptables-save')), withoutCounts(rules))
    },
    PATIENCE,
  )

  test('vxlan, killed while it begins with nothing: one lease, which the next one takes up', async () => {
    await using network = await startNetwork({ store, config: vxlan, nodes: 2, flags: FLAGS })
    const [one, two] = network.nodes
    await one!.stop('SIGKILL')
    let life = 1000
    for (let round = 0; round < 8; round++) {
      one!.ip('link delete flannel.1')
      one!.run('iptables', '-F', 'FLANNEL-FWD')
      for (const name of await leasesOf(network, one!)) await network.delete(name)
      rmSync(one!.subnetPath)
      await beginAndKill(one!, life)
      const leases = await leasesOf(network, one!)
      assert.ok(leases.length <= 1, `round ${round}: ${leases}`)
      const written = existsSync(one!.subnetPath) ? parseSubnetFile(readFileSync(one!.subnetPath, 'utf8')) : undefined
      if (written) assert.deepEqual([`${written.subnets.ipv4!.replace('/', '-')}`], leases, `round ${round}`)
      life = await beginAndMeasure(one!)
      const name = one!.subnets.ipv4!.replace('/', '-')
      assert.deepEqual(await leasesOf(network, one!), [name])
      if (leases.length > 0) assert.deepEqual(leases, [name], `round ${round}`)
      await eventually('the peer has the way', () => two!.reaches(one!) && two!.entries().join().includes(one!.mac()))
      assert.equal(two!.entries().length, 3)
      await one!.stop('SIGKILL')
    }
  })

  test('udp, killed 5 times: the device stays, and packets pass again', async () => {
    await using network = await startNetwork({ store, config: udp, nodes: 2, flags: FLAGS })
    const [one] = network.nodes
    const device = () => one!.ip('-o link show flannel0').replace(/:.*/s, '')
    const [before, index] = [await shape(network, one!), device()]
    await one!.stop('SIGKILL')
    const life = await beginAndMeasure(one!)
    await one!.stop('SIGKILL')
    for (let round = 0; round < 5; round++) {
      await beginAndKill(one!, life)
      assert.deepEqual([await shape(network, one!), device()], [before, index], `round ${round}`)
    }
    await one!.start().ready()
    await eventually('packets pass', () => network.unreachable().length === 0)
    assert.deepEqual([await shape(network, one!), device()], [before, index])
  })

  test('told to end while it begins, twice, or while the store does not answer: it ends', async () => {
    await using network = await startNetwork({ store, config: vxlan, nodes: 1, flags: FLAGS })
    const [node] = network.nodes
    // The second signal may come when it has ended in order, or end it.
    assert.ok([0, 'SIGINT'].includes(await endTwice(node!, 'SIGINT')))
    assert.ok([0, 'SIGTERM'].includes(await endTwice(node!.start(), 'SIGTERM')))
    // Both at once are one.
    await node!.start().ready()
    node!.signal('SIGSTOP')
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGCONT'] as const) node!.signal(signal)
    assert.equal(await node!.ended(), 0)

    const before = await shape(network, node!)
    for (let round = 0; round < 5; round++) {
      node!.start()
      await setTimeout(random.below('daemon', 1000))
      // Before it can hear of it, SIGTERM does what it does to everybody.
      assert.ok([0, 'SIGTERM'].includes(await node!.stop()))
    }
    const speak = silence(store)
    try {
      node!.start()
      await eventually('it has begun', () => / begins, process /.test(node!.log))
      await setTimeout(500)
      assert.equal(await node!.stop(), 0)
    } finally {
      speak()
    }
    await node!.start().ready()
    assert.deepEqual(await shape(network, node!), before)
  })
})

/** The second signal comes when the first one has been heard. */
async function endTwice(node: Node, signal: 'SIGINT' | 'SIGTERM'): Promise<number | NodeJS.Signals> {
  await node.ready()
  node.signal(signal)
  await eventually('it has heard', () => node.log.includes(`${signal}: ending`))
  return await node.stop(signal)
}

/** Keeps the store from answering, until the function is called that is answered. */
function silence({ etcd, flags }: StoreUnderTest): () => void {
  if (!etcd) return files.lock(join(flags[1]!.replace('file:', ''), 'lock'), 0o600).release
  etcd.signal('SIGSTOP')
  return () => etcd.signal('SIGCONT')
}

/** Counters and the moment, which iptables-save tells too. */
function withoutCounts(text: string): string[] {
  return text.split('\n').filter((line) => !/^[#:]/.test(line))
}
