/** Nodes of a cluster, as the store makes them: what they announce, whom they speak with, what goes through tunnels. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { parseIp } from '../../src/address/ip.ts'
import { contains, parsePrefix } from '../../src/address/prefix.ts'
import { ROUTE_PROTOCOL } from '../../src/bgp/speaker-settings.ts'
import { handleKey, nodeKey } from '../../src/pool/keys.ts'
import type { NewPool } from '../../src/pool/pool.ts'
import { changePool } from '../../src/pool/pools.ts'
import { MemoryServer } from '../../src/store/memory.ts'
import { type TestNode, World } from './world.ts'

test('pods of three nodes in one subnet reach each other by blocks that BGP tells of', async () => {
  const world = new World()
  await world.pool({ cidr: '10.244.0.0/24', blockSize: 28 })
  const nodes = [1, 2, 3].map((number) => world.addNode(number).start())
  await world.pass(1)
  for (const node of nodes) await node.addPod('web')
  await world.until(() => nodes.every(({ routes }) => routes.length === 3), 'each knows three blocks')
  assert.deepEqual(await world.unreachable(), [])
})

/** Three nodes whose pods have a block each: n1 10.244.0.0/28, n2 10.244.0.16/28, n3 10.244.0.32/28. */
async function three(subnets: readonly number[] = [1, 1, 1], pool: Partial<NewPool> = {}, cluster: object = {}) {
  const world = new World()
  await world.pool({ cidr: '10.244.0.0/24', blockSize: 28, ...pool })
  const nodes = subnets.map((subnet, i) => world.addNode(i + 1, subnet).start({ ...cluster }))
  await world.pass(1)
  for (const node of nodes) await node.addPod('web')
  const [n1, n2, n3] = nodes as [TestNode, TestNode, TestNode]
  await world.until(() => nodes.every(({ routes }) => routes.length === 3), 'each knows three blocks')
  const blocks = nodes.map(({ pods }) => blockOf(pods.get('web')!.address))
  return { world, nodes, n1, n2, n3, blocks }
}

const blockOf = (address: string) => address.replace(/\d+$/, (last) => `${Number(last) & ~15}/28`)

describe('what a node announces', () => {
  test('the kernel has a blackhole for the own block, and routes to the others’ by their addresses', async () => {
    const { n1, blocks } = await three()
    assert.deepEqual(
      n1.routes,
      [`blackhole ${blocks[0]}`, `${blocks[1]} via 192.168.1.2`, `${blocks[2]} via 192.168.1.3`].sort(),
    )
  })

  test('an address that is borrowed is announced by itself, as long as it is', async () => {
    const { world, n1, n2, n3, blocks } = await three([1, 1, 1], { cidr: '10.244.0.0/27', blockSize: 29 })
    // All four blocks are claimed: three of the nodes', and another that n3 needs for so many pods.
    for (let i = 0; i < 8; i++) await n3.addPod(`more${i}`)
    for (let i = 0; i < 8; i++) await n2.addPod(`more${i}`)
    const own = n2.routes
      .filter((route) => route.startsWith('blackhole'))
      .map((route) => route.slice('blackhole '.length))
    const [borrowed] = [...n2.pods].filter(([, { address }]) => !own.some((block) => isIn(block, address)))
    assert.ok(borrowed, 'one is borrowed')
    const [name, { address }] = borrowed
    const route = `${address}/32 via 192.168.1.2`
    await world.until(() => [n1, n3].every(({ routes }) => routes.includes(route)), `others know ${route}`)
    assert.deepEqual(await world.unreachable(), [])
    await n2.removePod(name)
    await world.until(() => [n1, n3].every(({ routes }) => !routes.includes(route)), 'it is forgotten')
    assert.ok(blocks.length > 0)
  })

  test('a pool that is disabled, or is not to be exported, is not; its blocks still lead nowhere', async () => {
    const { world, nodes, n1, blocks } = await three()
    const all = n1.routes
    const since = nodes.map((node) => node.since)
    for (const [off, on] of [
      [{ disabled: true }, { disabled: false }],
      [{ disableBGPExport: true }, { disableBGPExport: false }],
    ]) {
      await world.do(changePool('10.244.0.0/24', off!))
      await world.until(() => nodes.every(({ routes }) => routes.length === 1), 'own blackholes are left')
      assert.deepEqual(n1.routes, [`blackhole ${blocks[0]}`])
      await world.do(changePool('10.244.0.0/24', on!))
      await world.until(() => n1.routes.join() === all.join(), 'all is there again')
    }
    assert.deepEqual(
      nodes.map(({ since }) => since),
      since,
      'no session was touched',
    )
  })
})

describe('nodes that go', () => {
  test('one that is stopped takes leave: its routes and its session are gone at once', async () => {
    const { world, n1, n2, n3 } = await three()
    await n3.stop()
    await world.pass(0.5)
    assert.equal(n1.routes.length, 2)
    assert.deepEqual([n1.sessions, n2.sessions], ['192.168.1.2', '192.168.1.1'])
    assert.equal(n1.speaker.neighbours().length, 1)
  })

  test('one that dies is forgotten after the hold time, and is there again when it is back', async () => {
    const { world, n1, n2, n3 } = await three()
    n3.kill()
    await world.until(() => [n1, n2].every(({ routes }) => routes.length === 2), 'its routes are gone', 10)
    await world.pass(100)
    assert.deepEqual(n1.speaker.neighbours().length, 1, 'its registration has run out')
    n3.kernel.links.set('eth0', { up: true })
    n3.kernel.routes.add({ destination: '0.0.0.0/0', gateway: '192.168.1.254', link: 'eth0' })
    n3.start()
    await world.until(() => [n1, n2, n3].every(({ routes }) => routes.length === 3), 'it is back')
    assert.deepEqual(await world.unreachable(), [])
  })

  test('while the store is away all stays, however long it is, and what happened meanwhile is heard of afterwards', async () => {
    const { world, nodes, n1, n3 } = await three()
    const before = nodes.map(({ routes }) => routes)
    const since = nodes.map((node) => node.since)
    world.server.stop()
    await world.pass(60)
    assert.deepEqual(
      nodes.map(({ routes }) => routes),
      before,
    )
    world.server.start()
    await world.pass(5)
    n3.store.cut()
    await world.pass(300)
    assert.deepEqual(
      nodes.map(({ routes }) => routes),
      before,
      'n3 has lost its registration, but not its sessions',
    )
    assert.deepEqual(await world.unreachable(), [])
    assert.deepEqual(
      nodes.map(({ since }) => since),
      since,
      'no session was touched',
    )
    n3.store.mend()
    await world.pass(30)
    await n3.stop()
    await world.pass(1)
    assert.equal(n1.speaker.neighbours().length, 1)
  })
})

test('a node that begins while the store is away does what it said last, until it answers', async () => {
  const { world, nodes, n3 } = await three()
  world.server.stop()
  n3.kill()
  await world.pass(20)
  n3.kernel.links.set('eth0', { up: true })
  n3.kernel.routes.add({ destination: '0.0.0.0/0', gateway: '192.168.1.254', link: 'eth0' })
  n3.start()
  await world.until(() => nodes.every(({ routes }) => routes.length === 3), 'all is there again')
  assert.deepEqual(await world.unreachable(), [])
  world.server.start()
  await world.pass(60)
  assert.deepEqual(await world.unreachable(), [])
  assert.deepEqual(n3.cluster.problems, [])
})

describe('whom a node speaks with', () => {
  test('from the mesh to a reflector and back: what does not depend on it stays', async () => {
    const { world, nodes, n1, n2, n3 } = await three()
    const routers = [{ address: '192.168.1.4', remoteAs: 65001 }]
    n1.configure({ routers })
    const router = world.addNode(4, 1, new MemoryServer(world.clock))
    router.start({ routers: [{ address: '192.168.1.1', remoteAs: 64512 }] }, { as: 65001 })
    await world.until(() => n1.since['192.168.1.4'] !== undefined, 'n1 speaks with the router')
    const since = n1.since['192.168.1.4']

    n1.configure({ routers, reflector: '10.0.0.1' })
    await world.until(() => n2.sessions === '192.168.1.1' && n3.sessions === '192.168.1.1', 'they speak with n1 alone')
    await world.until(() => nodes.every(({ routes }) => routes.length === 3), 'n1 passes on their routes')
    assert.equal(n2.routes.filter((route) => route.endsWith('192.168.1.3')).length, 1, 'which still lead to n3')
    assert.deepEqual(await world.unreachable(), [])
    assert.deepEqual(
      router.routes,
      n1.routes.filter((route) => route.startsWith('blackhole')).map(byN1),
      'its own alone',
    )

    n1.configure({ routers })
    await world.until(() => n2.sessions === '192.168.1.1 192.168.1.3', 'they speak with each other')
    await world.until(() => nodes.every(({ routes }) => routes.length === 3), 'all is as before')
    assert.deepEqual(await world.unreachable(), [])
    assert.equal(n1.since['192.168.1.4'], since)

    function byN1(route: string): string {
      return `${route.slice('blackhole '.length)} via 192.168.1.1`
    }
  })

  test('without a mesh nobody, but for routers that are meant for the node', async () => {
    const { world, n1, n2 } = await three()
    const routers = [
      { address: '192.168.1.100', remoteAs: 65001, nodeSelector: "rack == 'r1'" },
      { address: '192.168.1.100', remoteAs: 65002, nodeSelector: "rack == 'r2'" },
      { address: '192.168.1.101', remoteAs: 65003, nodes: ['n2'] },
    ]
    n1.configure({ mesh: false, routers, labels: { rack: 'r2' } })
    n2.configure({ mesh: false, routers, labels: { rack: 'r1' } })
    await world.pass(1)
    const neighbours = ({ speaker }: TestNode) =>
      speaker.neighbours().map(({ settings: { session } }) => `${session.address} ${session.remoteAs}`)
    assert.deepEqual(neighbours(n1), ['192.168.1.100 65002'])
    assert.deepEqual(neighbours(n2), ['192.168.1.100 65001', '192.168.1.101 65003'])
  })

  test('a node that says that it has our address is left out, and told of', async () => {
    const { world, n1 } = await three()
    const twin = { ipv4: '192.168.1.1/24', as: 64512, labels: {} }
    await world.operator.transact([], [{ put: nodeKey('twin'), value: JSON.stringify(twin) }])
    await world.pass(1)
    assert.equal(n1.speaker.neighbours().length, 2)
    assert.deepEqual(n1.cluster.problems, ['Node "twin" says that it has 192.168.1.1, which is this node\'s'])
  })
})

describe('tunnels', () => {
  test('CrossSubnet: BGP’s routes inside a subnet, VXLAN between; each prefix has one writer', async () => {
    const { world, n1, n3, blocks } = await three([1, 1, 2], { vxlanMode: 'CrossSubnet' })
    await world.until(() => n1.routes.some((route) => route.includes('overlab')), 'there is a tunnel')
    assert.deepEqual(
      n1.routes,
      [`blackhole ${blocks[0]}`, `${blocks[1]} via 192.168.1.2`, `${blocks[2]} via 192.168.2.3 by overlab.4096`].sort(),
    )
    assert.deepEqual(await world.unreachable(), [])
    assert.deepEqual(n1.cluster.problems, [])
    // Of the node's own address the pod's answer would come past the tunnel.
    const { source } = n1.kernel.routes.lookup([...n3.pods.values()][0]!.address)!
    assert.ok(isIn(blocks[0]!, source!), source)
  })

  test('a pool that no longer tunnels has BGP’s routes again, and devices go; no prefix is ever without a route', async () => {
    const { world, nodes, n1, blocks } = await three([1, 1, 2], { vxlanMode: 'Always' })
    await world.until(() => n1.routes.filter((route) => route.includes('overlab')).length === 2, 'both are tunnelled')
    assert.deepEqual(await world.unreachable(), [])
    let fewest = 1
    n1.written = () => {
      fewest = Math.min(fewest, n1.routes.filter((route) => route.startsWith(blocks[2]!)).length)
    }
    await world.do(changePool('10.244.0.0/24', { vxlanMode: 'Never' }))
    await world.until(() => nodes.every(({ routes }) => !routes.join().includes('overlab')), 'no tunnels')
    assert.equal(n1.kernel.links.get('overlab.4096'), undefined)
    assert.equal(await world.operator.get(handleKey('vxlan-tunnel-addr-n1')), undefined)
    assert.deepEqual(
      n1.routes,
      [`blackhole ${blocks[0]}`, `${blocks[1]} via 192.168.1.2`, `${blocks[2]} via 192.168.1.254`].sort(),
    )
    await world.do(changePool('10.244.0.0/24', { vxlanMode: 'CrossSubnet' }))
    await world.until(() => n1.routes.join().includes('overlab'), 'a tunnel again')
    assert.equal(fewest, 1)
    assert.deepEqual(await world.unreachable(), [])
  })
})

describe('natOutgoing', () => {
  const ROUTER = '192.168.1.254' // it has no routes to pods
  const answers = async (node: TestNode) =>
    (await node.pods.get('web')!.kernel.ping(ROUTER, { timeout: 500 })).outcome === 'reply'
  const ruleset = ({ kernel }: TestNode) => kernel.nftables.list({ family: 'ip', table: 'overlab_cluster' })

  test('what pods send out of all pools has the node’s address; among pods they have their own', async () => {
    const { world, n1, n2 } = await three()
    assert.equal(await answers(n1), false)
    assert.deepEqual(ruleset(n1).tables, [])
    await world.do(changePool('10.244.0.0/24', { natOutgoing: true }))
    await world.pass(1)
    assert.equal(await answers(n1), true)
    assert.deepEqual(await world.unreachable(), [])
    const { kernel, address } = n2.pods.get('web')!
    const seen: string[] = []
    kernel.sockets.listenTcp({ port: 80 }, ({ remote }) => {
      seen.push(remote.address)
      return {}
    })
    n1.pods.get('web')!.kernel.sockets.connectTcp({ address, port: 80 }, {})
    await world.pass(1)
    assert.deepEqual(seen, [n1.pods.get('web')!.address])
  })

  test('another pool is inside, also one that is disabled', async () => {
    const { world, n1 } = await three([1, 1, 1], { natOutgoing: true })
    assert.equal(await answers(n1), true)
    await world.pool({ cidr: '192.168.0.0/16', disabled: true })
    await world.pass(1)
    assert.equal(await answers(n1), false)
  })

  test('the rules go when no pool wants them, and when the node is stopped', async () => {
    const { world, n1, n2 } = await three([1, 1, 1], { natOutgoing: true })
    assert.equal(ruleset(n1).tables.length, 1)
    await n2.stop()
    assert.deepEqual(ruleset(n2).tables, [])
    await world.do(changePool('10.244.0.0/24', { natOutgoing: false }))
    await world.pass(1)
    assert.deepEqual(ruleset(n1).tables, [])
  })

  test('rules that an earlier life has left go, too', async () => {
    const { world, n1 } = await three([1, 1, 1], { natOutgoing: true })
    n1.kill()
    await world.do(changePool('10.244.0.0/24', { natOutgoing: false }))
    n1.kernel.links.set('eth0', { up: true })
    n1.kernel.routes.add({ destination: '0.0.0.0/0', gateway: ROUTER, link: 'eth0' })
    assert.equal(ruleset(n1).tables.length, 1)
    n1.start()
    await world.until(() => ruleset(n1).tables.length === 0, 'they are gone')
  })
})

describe('IPv6', () => {
  test('both families go by one session of each pair of nodes', async () => {
    const world = new World()
    await world.pool({ cidr: '10.244.0.0/24', blockSize: 28 })
    await world.pool({ cidr: 'fd44::/112', blockSize: 124 })
    const nodes = [1, 2, 3].map((number) => world.addNode(number).start())
    const [n1] = nodes as [TestNode]
    await world.pass(1)
    for (const node of nodes) await node.addPod('web', ['ipv4', 'ipv6'])
    await world.pass(10)
    assert.equal(n1.sessions, '192.168.1.2 192.168.1.3')
    assert.deepEqual(await world.unreachable(), [])
    const ways = n1.kernel.routes
      .list({ family: 'ipv6', protocol: ROUTE_PROTOCOL })
      .map(({ type, link }) => `${type} by ${link}`)
    assert.deepEqual(ways.sort(), ['blackhole by lo', 'unicast by eth0', 'unicast by eth0'])
    assert.deepEqual(n1.cluster.problems, [])
  })
})

function isIn(block: string, address: string): boolean {
  return contains(parsePrefix(block), parseIp(address))
}
