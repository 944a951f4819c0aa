/**
 * Labs of the model whose nodes speak BGP: the speaker that runs on Linux, over the model's TCP, in virtual time. What becomes of
 * pods' traffic when a speaker dies is seen by a stream of echo requests.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { tellLearned } from '../../src/lab/bgp/learned-routes.ts'
import { buildModelLab, type ModelLab } from '../../src/lab/model-lab.ts'
import { pingAll } from '../../src/lab/ping.ts'
import { findDestination } from '../../src/lab/place.ts'
import { inspect } from '../../src/lab/status.ts'
import type { Topology, TopologyBgp, TopologyNode } from '../../src/lab/topology.ts'
import { readTopologyFile } from '../../src/lab/topology-file.ts'
import { traceInModel } from '../../src/lab/trace.ts'
import type { TraceDocument } from '../../src/trace/document.ts'
import { formatTrace } from '../../src/trace/text.ts'

const racks = readTopologyFile(join(import.meta.dirname, '../../examples/topologies/two-racks.ovl.yml')).topology

/** Three nodes with a pod each, and whoever else is on the switch. */
function mesh(bgp: TopologyBgp = {}, more: Readonly<Record<string, TopologyNode>> = {}): Topology {
  const nodes: Readonly<Record<string, TopologyNode>> = {
    n1: { kind: 'k8s-node' },
    n2: { kind: 'k8s-node' },
    n3: { kind: 'k8s-node' },
    ...more,
  }
  return {
    name: 'mesh',
    topology: {
      nodes: { ...nodes, sw: { kind: 'bridge' } },
      links: Object.keys(nodes).map((name, i) => ({
        endpoints: [`${name}:eth0`, `sw:${name}`],
        ipv4: [`192.168.56.1${i + 1}/24`],
      })),
    },
    cluster: {
      cni: { plugin: 'calico', backend: 'bgp' },
      bgp,
      pods: { web: { node: 'n1' }, api: { node: 'n2' }, db: { node: 'n3' } },
    },
  }
}

/** `web-0 to api-0`, of the pings that got no answer. */
async function lost({ plan, machine }: ModelLab): Promise<string[]> {
  const { answers } = await pingAll(plan, machine)
  return answers.flatMap(({ from, to, answer }) => (answer.outcome === 'reply' ? [] : [`${from} to ${to}`]))
}

/** Destination and gateway of the routes that BGP has written. */
const learnedBy = ({ kernelOf }: ModelLab, node: string) =>
  kernelOf(node)
    .routes.list({ table: 254 })
    .filter(({ protocol }) => protocol === 182)
    .map(({ type, destination, gateway, nextHops }) => {
      const gateways = (nextHops ?? [{ gateway }]).map((hop) => hop.gateway)
      return `${destination} ${type === 'blackhole' ? type : gateways.join(' ')}`
    })

const sessionsOf = async ({ plan, machine }: ModelLab) => {
  const { nodes } = await inspect(plan, machine)
  return nodes.flatMap(({ name, bgp }) =>
    bgp ? [`${name} ${bgp.sessions?.established} of ${bgp.sessions?.wanted}`] : [],
  )
}

async function trace(from: string, to: string, lab: ModelLab): Promise<TraceDocument> {
  const { address } = findDestination(to, lab.plan, lab.machine)
  const document = traceInModel({ from, address, spec: { protocol: 'icmp', port: 0 } }, lab)
  return tellLearned(document, lab.plan, lab.machine)
}

/** Milliseconds between two echo requests. */
const GAP = 10

/** While `act` goes on and for so many milliseconds after it, web-0 asks db-0 all the time: how many answers did not come. */
async function lostMeanwhile(lab: ModelLab, act: () => Promise<unknown>, afterwards: number): Promise<number> {
  const { model } = lab.machine.kernel
  const { address } = findDestination('db-0', lab.plan, lab.machine)
  let [sent, answered, isOver] = [0, 0, false]
  const ask = () => {
    if (isOver) return
    sent++
    lab.kernelOf('web-0').sendPing(address, { timeout: 500 }, ({ outcome }) => {
      if (outcome === 'reply') answered++
    })
    model.clock.after(GAP * 1000, ask)
  }
  ask()
  await act()
  await lab.machine.until(() => false, afterwards)
  isOver = true
  await lab.machine.until(() => false, 600)
  assert.ok(sent > 10)
  return sent - answered
}

describe('a mesh of three', () => {
  test('comes up: every node has a route to each other’s block, and its own as a blackhole', async () => {
    const lab = await buildModelLab({ topology: mesh() })
    const { healthy, pods } = await inspect(lab.plan, lab.machine)
    assert.ok(healthy)
    assert.deepEqual(pods[0]!.attached?.plugins, ['loopback', 'routed', 'host-local'])
    assert.deepEqual(await sessionsOf(lab), ['n1 2 of 2', 'n2 2 of 2', 'n3 2 of 2'])
    assert.deepEqual(learnedBy(lab, 'n1'), [
      '10.244.1.0/26 blackhole',
      '10.244.2.0/26 192.168.56.12',
      '10.244.3.0/26 192.168.56.13',
    ])
    assert.deepEqual(await lost(lab), [])
  })

  test('a speaker that dies and is back in time costs no packet, and is missed by status meanwhile', async () => {
    const lab = await buildModelLab({ topology: mesh() })
    const missed = await lostMeanwhile(
      lab,
      async () => {
        await lab.act('n3', 'kill')
        await lab.machine.until(() => false, 5_000)
        const { healthy, nodes } = await inspect(lab.plan, lab.machine)
        assert.equal(healthy, false)
        assert.deepEqual(nodes[2]!.bgp, {
          kind: 'overlab',
          isRunning: false,
          sessions: undefined,
          isReady: false,
          problems: ['it has ended'],
        })
        assert.match(
          nodes[0]!.bgp!.problems.join(),
          /^Not established with n3 \(192\.168\.56\.13\) from 192\.168\.56\.11 \(\w+\): /,
        )
        await lab.act('n3', 'restart')
      },
      5_000,
    )
    assert.equal(missed, 0)
    assert.ok((await inspect(lab.plan, lab.machine)).healthy)
  })

  test('without graceful restart its routes go at once, and come back with it', async () => {
    const lab = await buildModelLab({ topology: mesh({ gracefulRestart: false }) })
    const missed = await lostMeanwhile(lab, () => lab.act('n3', 'kill'), 1_000)
    assert.ok(missed > 50, `${missed} lost`)
    assert.deepEqual(learnedBy(lab, 'n1'), ['10.244.1.0/26 blackhole', '10.244.2.0/26 192.168.56.12'])
    await lab.act('n3', 'restart')
    assert.deepEqual(await lost(lab), [])
  })

  test('a speaker that does not come back is given up after the restart time', async () => {
    const lab = await buildModelLab({ topology: mesh({ gracefulRestart: 10 }) })
    await lab.act('n3', 'kill')
    await lab.machine.until(() => false, 8_000)
    assert.ok(learnedBy(lab, 'n1').includes('10.244.3.0/26 192.168.56.13'))
    await lab.machine.until(() => false, 4_000)
    assert.ok(!learnedBy(lab, 'n1').includes('10.244.3.0/26 192.168.56.13'))
  })

  test('restart of a speaker that runs costs no packet', async () => {
    const lab = await buildModelLab({ topology: mesh() })
    assert.equal(await lostMeanwhile(lab, () => lab.act('n3', 'restart'), 2_000), 0)
  })

  test('a node that was cut off is back when it is healed', async () => {
    const lab = await buildModelLab({ topology: mesh() })
    await lab.act('n2', 'cut')
    assert.ok((await lost(lab)).includes('web-0 to api-0'))
    await lab.act('n2', 'heal')
    assert.deepEqual(await lost(lab), [])
  })

  test('the same seed gives the same lab', async () => {
    const [one, two] = await Promise.all([1, 2].map(() => buildModelLab({ topology: mesh(), seed: 7 })))
    assert.equal(one!.machine.kernel.model.clock.now, two!.machine.kernel.model.clock.now)
  })
})

test('what speakers say among themselves is in no trace, but in one that asks them', async () => {
  const lab = await buildModelLab({ topology: mesh({ holdTime: 3 }) })
  const silent = traceInModel({ from: 'web-0', address: '10.244.3.9', spec: { protocol: 'icmp', port: 0 } }, lab)
  assert.equal(silent.result.reason, 'OVL_ROUTE_BLACKHOLE')
  assert.match(silent.result.why!, /^10\.244\.3\.9 is an unused address of n3's block 10\.244\.3\.0\/26: /)
  const told = [silent, ...(silent.traces ?? [])].map(({ input }) => input.summary)
  assert.deepEqual(
    told.filter((summary) => summary.includes(':179')),
    [],
  )
  const asked = traceInModel({ from: 'web-0', address: '192.168.56.13', spec: { protocol: 'tcp', port: 179 } }, lab)
  assert.match(asked.input.summary, /192\.168\.56\.13:179$/)
})

test('a reflector passes on what each node says, and the way goes past it', async () => {
  const lab = await buildModelLab({ topology: mesh({}, { rr: { kind: 'linux', bgp: { reflector: true } } }) })
  assert.deepEqual(await sessionsOf(lab), ['n1 1 of 1', 'n2 1 of 1', 'n3 1 of 1', 'rr 3 of 3'])
  assert.ok(learnedBy(lab, 'n1').includes('10.244.3.0/26 192.168.56.13'))
  assert.deepEqual(await lost(lab), [])
  const told = formatTrace(await trace('web-0', 'db-0', lab), { verbose: false, hex: false, colour: false })
  assert.match(told, / 10\.244\.3\.0\/26 via 192\.168\.56\.13 dev eth0 metric 32 +\(BGP from rr, AS_PATH empty\)$/m)
})

describe('a router between two networks', () => {
  const { topology, ...rest } = readTopologyFile(
    join(import.meta.dirname, '../../examples/topologies/two-segments.ovl.yml'),
  ).topology
  const withBgp = (bgp: TopologyBgp): Topology => ({
    ...rest,
    topology,
    cluster: { ...rest.cluster, cni: { plugin: 'calico', backend: 'bgp' }, bgp },
  })

  test('that speaks no BGP knows of no pods: a trace says so', async () => {
    const lab = await buildModelLab({ topology: withBgp({}) })
    const { result } = await trace('web-0', 'db-0', lab)
    assert.deepEqual([result.reason, result.at], ['IP_INNOROUTES', { node: 'r1', dev: 'eth0' }])
    assert.equal(
      result.why,
      'r1 has no route to 10.244.3.2, which is in 10.244.3.0/26 of n3: routes to it travel by BGP, and r1 speaks none.',
    )
  })

  test('that is the router of both racks joins them', async () => {
    const racks = { east: { nodes: ['n1', 'n2'], routers: ['r1'] }, west: { nodes: ['n3', 'n4'], routers: ['r1'] } }
    assert.deepEqual(await lost(await buildModelLab({ topology: withBgp({ racks }) })), [])
  })
})

describe('two racks', () => {
  test('every pod reaches every other through the routers, and every node', async () => {
    const lab = await buildModelLab({ topology: racks })
    assert.deepEqual(await lost(lab), [])
    assert.ok(learnedBy(lab, 'n1').includes('10.244.2.0/26 10.1.1.0'), 'iBGP: the router is the next hop')
    assert.ok(learnedBy(lab, 'n3').includes('10.244.4.0/26 10.2.3.0'), 'eBGP')
  })

  test('a trace says of each hop from whom the route is, and by what AS path', async () => {
    const lab = await buildModelLab({ topology: racks })
    const { steps } = await trace('web-0', 'db-0', lab)
    const learned = steps.flatMap(({ at, stage, meta }) =>
      stage === 'route' && meta?.neighbour ? [[at.node, meta.neighbour, meta.nextHop, meta.asPath, meta.chosen]] : [],
    )
    assert.deepEqual(learned, [
      ['n1', 'tor1 10.1.1.0', '10.1.1.0', '65002 65003', 'the only path'],
      ['tor1', 'tor2 10.0.0.1', '10.0.0.1', '65002 65003', 'the only path'],
      ['tor2', 'n3 10.2.3.1', '10.2.3.1', '65003', 'the only path'],
    ])
  })

  test('a router without a speaker is named where the routes are missing', async () => {
    const lab = await buildModelLab({
      topology: { ...racks, cluster: { ...racks.cluster, bgp: { ...racks.cluster!.bgp, gracefulRestart: false } } },
    })
    await lab.act('tor2', 'kill')
    await lab.machine.until(() => false, 100)
    const { result } = await trace('web-0', 'db-0', lab)
    assert.deepEqual([result.reason, result.at], ['IP_INNOROUTES', { node: 'n1', dev: result.at?.dev }])
    assert.match(
      result.why!,
      /^n1 has no route to 10\.244\.3\.2, which is in 10\.244\.3\.0\/26 of n3: BGP of n3: Not established with tor2 /,
    )
  })

  test('routes of a router that is away are told as such', async () => {
    const lab = await buildModelLab({ topology: racks })
    await lab.act('tor1', 'kill')
    await lab.machine.until(() => false, 100)
    const document = await trace('web-0', 'db-0', lab)
    assert.equal(document.result.disposition, 'delivered')
    const told = formatTrace(document, { verbose: false, hex: false, colour: false })
    assert.match(told, /\(BGP from tor1, which is away, AS_PATH 65002 65003\)$/m)
    assert.match(told, /\(BGP, and its speaker has ended\)$/m)
  })
})

/** Two nodes, each joined to two routers. */
function twoRouters(second: TopologyNode): Topology {
  const names = ['n1', 'n2']
  return {
    name: 'two-routers',
    topology: {
      nodes: { n1: { kind: 'k8s-node' }, n2: { kind: 'k8s-node' }, ta: { kind: 'linux' }, tb: second },
      links: names.flatMap((node, i) => [
        { endpoints: [`ta:${node}`, `${node}:eth0`], ipv4: [`10.1.${i}.0/31`, `10.1.${i}.1/31`] },
        { endpoints: [`tb:${node}`, `${node}:eth1`], ipv4: [`10.2.${i}.0/31`, `10.2.${i}.1/31`] },
      ]),
    },
    cluster: {
      cni: { plugin: 'calico', backend: 'bgp' },
      bgp: { racks: { a: { as: 65_001, nodes: names, routers: ['ta', 'tb'] } } },
      pods: { web: { node: 'n1' }, db: { node: 'n2' } },
    },
  }
}

/** Why the first node of a trace goes the way that it goes. */
const chosenOn = ({ steps }: TraceDocument) => steps.find(({ meta }) => meta?.neighbour)?.meta?.chosen

describe('two routers', () => {
  test('that are as good are both used', async () => {
    const lab = await buildModelLab({ topology: twoRouters({ kind: 'linux' }) })
    assert.ok(learnedBy(lab, 'n1').includes('10.244.2.0/26 10.1.0.0 10.2.0.0'))
    assert.deepEqual(await lost(lab), [])
    assert.match(String(chosenOn(await trace('web-0', 'db-0', lab))), /^beside t[ab]$/)
  })

  test('of which one is farther away: a trace says what decided, and the other is used when the first is cut off', async () => {
    const lab = await buildModelLab({ topology: twoRouters({ kind: 'linux', bgp: { as: 65_009 } }) })
    assert.ok(learnedBy(lab, 'n1').includes('10.244.2.0/26 10.1.0.0'))
    assert.equal(chosenOn(await trace('web-0', 'db-0', lab)), 'before tb by "shortest AS_PATH"')
    await lab.act('ta', 'cut')
    await lab.machine.until(() => false, 1_000)
    assert.ok(learnedBy(lab, 'n1').includes('10.244.2.0/26 10.2.0.0'))
    assert.equal((await trace('web-0', 'db-0', lab)).result.disposition, 'delivered')
  })
})
