/** Labs of the model whose nodes run daemons: what happens to a node, and what becomes of its pods' traffic. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { buildModelLab, type Deed, type ModelLab } from '../../src/lab/model-lab.ts'
import { pingAll } from '../../src/lab/ping.ts'
import { inspect } from '../../src/lab/status.ts'
import { type Topology, twoNodes } from '../../src/lab/topology.ts'
import { readTopologyFile } from '../../src/lab/topology-file.ts'

type Cni = NonNullable<NonNullable<Topology['cluster']>['cni']>

const withDaemons = (topology: Topology, cni: Partial<Cni>): Topology => ({
  ...topology,
  cluster: { ...topology.cluster, cni: { plugin: 'flannel', daemons: true, ...cni } },
})
const segments = readTopologyFile(join(import.meta.dirname, '../../examples/topologies/two-segments.ovl.yml')).topology

const build = (cni: Partial<Cni>, deeds: readonly Deed[] = []) =>
  buildModelLab({ topology: withDaemons(twoNodes, cni), deeds })

/** `web-0 to api-0`, of the pings that got no answer. */
async function lost({ plan, machine }: ModelLab): Promise<string[]> {
  const { answers } = await pingAll(plan, machine)
  return answers.flatMap(({ from, to, answer }) => (answer.outcome === 'reply' ? [] : [`${from} to ${to}`]))
}

/** What the overlay has in a node's kernel. */
function overlayOf({ kernelOf }: ModelLab, node: string) {
  const { links, routes, neighbours, fdb, addresses } = kernelOf(node)
  const devices = links.list().filter(({ name }) => name.startsWith('flannel'))
  return {
    devices: devices.map(({ name, index, mac, mtu }) => ({ name, index, mac, mtu })),
    routes: routes.list({ table: 254 }),
    entries: devices.map(({ name }) => [neighbours.list({ link: name }), fdb.list({ link: name })]),
    addresses: devices.flatMap(({ name }) => addresses.list(name)),
  }
}

for (const backend of ['vxlan', 'host-gw', 'udp'] as const) {
  describe(`a lab on ${backend}`, () => {
    test('comes up: every node has a subnet of its own, and every pod reaches every other', async () => {
      const lab = await build({ backend })
      const { healthy, nodes, pods } = await inspect(lab.plan, lab.machine)
      assert.ok(healthy)
      for (const { daemon } of nodes) {
        assert.deepEqual([daemon?.backend, daemon?.isReady, daemon?.warnings], [backend, true, []])
        assert.match(daemon!.subnet!, /^10\.244\.\d+\.0\/24$/)
      }
      assert.equal(new Set(nodes.map(({ daemon }) => daemon!.subnet)).size, 2)
      for (const { attached } of pods) assert.deepEqual(attached?.plugins, ['loopback', 'flannel'])
      assert.deepEqual(await lost(lab), [])
    })

    test('a daemon that is killed is missed by status, and by nobody else but udp', async () => {
      const lab = await build({ backend })
      await lab.act('n1', 'kill')
      const { healthy, nodes } = await inspect(lab.plan, lab.machine)
      assert.equal(healthy, false)
      assert.deepEqual(
        nodes.map(({ daemon }) => daemon?.isRunning),
        [false, true],
      )
      const missed = await lost(lab)
      if (backend === 'udp') assert.ok(missed.includes('web-0 to api-0') && missed.includes('api-0 to web-0'))
      else assert.deepEqual(missed, [])
    })

    test('a daemon that begins again has its subnet still, and changes nothing', async () => {
      const lab = await build({ backend })
      const before = overlayOf(lab, 'n1')
      await lab.act('n1', 'kill')
      await lab.act('n1', 'restart')
      assert.deepEqual(overlayOf(lab, 'n1'), before)
      assert.deepEqual(await lost(lab), [])
    })

    test('a node that was cut off is back when it is healed', async () => {
      const lab = await build({ backend })
      await lab.act('n2', 'cut')
      const missed = await lost(lab)
      assert.ok(missed.includes('web-0 to api-0') && missed.includes('api-1 to n1'))
      assert.ok(!missed.includes('api-0 to api-1'))
      await lab.act('n2', 'heal')
      assert.deepEqual(await lost(lab), [])
    })

    test('what was done is done again, and comes to the same', async () => {
      const deeds = [
        { node: 'n1', action: 'cut' },
        { node: 'n1', action: 'heal' },
        { node: 'n2', action: 'kill' },
      ] as const
      const [one, two] = [await build({ backend }, deeds), await build({ backend }, deeds)]
      for (const node of ['n1', 'n2']) assert.deepEqual(overlayOf(one, node), overlayOf(two, node))
      assert.deepEqual(
        (await inspect(one.plan, one.machine)).nodes.map(({ daemon }) => daemon!.isRunning),
        [true, false],
      )
    })
  })
}

test('a node without a daemon can be cut off and healed, and has none to kill', async () => {
  const lab = await buildModelLab({ topology: twoNodes })
  await lab.act('n1', 'cut')
  assert.ok((await lost(lab)).includes('web-0 to api-0'))
  await lab.act('n1', 'heal')
  assert.deepEqual(await lost(lab), [])
  await assert.rejects(lab.act('n1', 'kill'), {
    name: 'RangeError',
    message: 'Cannot kill the daemon of "n1": it has none; bring lab "two-nodes" up with --backend for daemons',
  })
  await assert.rejects(lab.act('n9', 'cut'), { name: 'RangeError', message: '"n9" is no node of lab "two-nodes"' })
})

test('routes that a file describes come back with the link', async () => {
  const lab = await buildModelLab({ topology: withDaemons(segments, { backend: 'vxlan' }) })
  await lab.act('n1', 'cut')
  await lab.act('n1', 'heal')
  const route = lab.kernelOf('n1').routes.lookup('192.168.2.11')
  assert.deepEqual([route?.gateway, route?.link], ['192.168.1.254', 'eth0'])
  assert.deepEqual(await lost(lab), [])
})

test('a daemon that cannot begin says why, in its own words', async () => {
  const { topology } = twoNodes
  const n1 = { kind: 'k8s-node', exec: ['ip address del 192.168.56.11/24 dev eth0'] } as const
  const broken = { ...twoNodes, topology: { ...topology, nodes: { ...topology.nodes, n1 } } }
  await assert.rejects(buildModelLab({ topology: withDaemons(broken, { backend: 'vxlan' }) }), {
    name: 'DaemonError',
    message: /^Cannot bring up the daemon of node "n1": it has ended: .*link "eth0": it has no address of IPv4/,
  })
})

test('two segments: host-gw is refused, with the node that cannot be reached and why', async () => {
  await assert.rejects(buildModelLab({ topology: withDaemons(segments, { backend: 'host-gw' }) }), {
    name: 'RangeError',
    message:
      'Cannot reach node "n3" from "n1" by host-gw: 192.168.2.11 is not on the link eth0 (192.168.1.11/24); use vxlan',
  })
})

test('two segments: DirectRouting routes to a neighbour, and tunnels past the router', async () => {
  const lab = await buildModelLab({ topology: withDaemons(segments, { backend: 'vxlan', directRouting: true }) })
  assert.deepEqual(await lost(lab), [])
  const { nodes } = await inspect(lab.plan, lab.machine)
  const subnetOf = (name: string) => nodes.find((node) => node.name === name)!.daemon!.subnet!
  const wayTo = (name: string) => {
    const { routes } = lab.kernelOf('n1')
    const route = routes.list({ table: 254 }).find(({ destination }) => destination === subnetOf(name))
    return [route?.gateway, route?.link]
  }
  assert.deepEqual(wayTo('n2'), ['192.168.1.12', 'eth0'])
  assert.deepEqual(wayTo('n3'), [subnetOf('n3').replace('/24', ''), 'flannel.1'])
  assert.deepEqual(wayTo('n4'), [subnetOf('n4').replace('/24', ''), 'flannel.1'])
})

test('the trace knows which lease a route was made for', async () => {
  const lab = await build({ backend: 'vxlan' })
  const { nodes } = await inspect(lab.plan, lab.machine)
  const [one, two] = nodes.map(({ daemon }) => daemon!.subnet!)
  assert.equal(
    lab.originOf('n1', `route ${two} via ${two!.replace('/24', '')} dev flannel.1 onlink`),
    'flannel lease n2',
  )
  assert.equal(lab.originOf('n2', `route ${one}`), 'flannel lease n1')
})
