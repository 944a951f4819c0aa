/** What a topology file asks for is there in the model: bridges as nodes, impaired wires; and what is not built says so. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { buildModelLab } from '../../src/lab/model-lab.ts'
import { parseTopology } from '../../src/lab/topology-file.ts'

const build = (text: string) => buildModelLab({ topology: parseTopology(text, 'lab.ovl.yml').topology })

const twoHosts = (link: string) => `
name: x
topology:
  nodes: { a: {}, b: {} }
  links:
    - endpoints: ["a:eth0", "b:eth0"]
      ipv4: [10.0.0.1/24, 10.0.0.2/24]
${link}`

test('hosts on a node of kind bridge reach each other', async () => {
  const { kernelOf } = await build(`
name: x
topology:
  nodes: { a: {}, b: {}, sw: { kind: bridge } }
  links:
    - endpoints: ["a:eth0", "sw:p1"]
      ipv4: [10.0.0.1/24]
    - endpoints: ["b:eth0", "sw:p2"]
      ipv4: [10.0.0.2/24]
`)
  const answer = await kernelOf('a').ping('10.0.0.2')
  assert.equal(answer.outcome, 'reply')
  assert.deepEqual(
    kernelOf('sw')
      .links.list()
      .filter(({ port }) => port !== undefined)
      .map(({ name }) => name),
    ['p1', 'p2'],
  )
})

test('a delay counts once each way', async () => {
  const { kernelOf } = await build(twoHosts('      impair: { delay: 5ms }'))
  await kernelOf('a').ping('10.0.0.2') // ARP
  const answer = await kernelOf('a').ping('10.0.0.2')
  assert.deepEqual(answer, { outcome: 'reply', from: '10.0.0.2', ttl: 64, milliseconds: 10 })
})

test('a rate makes large packets take longer', async () => {
  const { kernelOf } = await build(twoHosts('      impair: { rate: 1mbit }'))
  await kernelOf('a').ping('10.0.0.2')
  const answer = await kernelOf('a').ping('10.0.0.2', { size: 1000 })
  // 1,042 bytes at a bit per microsecond, there and back.
  assert.ok(answer.outcome === 'reply' && answer.milliseconds === (2 * 1042 * 8) / 1000, JSON.stringify(answer))
})

test('a wire that loses everything loses everything, and one that loses half loses half', async () => {
  const lost = async (loss: string) => {
    const { kernelOf } = await build(twoHosts(`      impair: { loss: ${loss} }`))
    for (const [node, address, mac] of [
      ['a', '10.0.0.2', kernelOf('b').links.get('eth0')!.mac],
      ['b', '10.0.0.1', kernelOf('a').links.get('eth0')!.mac],
    ] as const) {
      kernelOf(node).neighbours.replace({ link: 'eth0', address, mac, state: 'permanent' })
    }
    let count = 0
    for (let i = 0; i < 200; i++) if ((await kernelOf('a').ping('10.0.0.2')).outcome !== 'reply') count++
    return count
  }
  assert.equal(await lost('100%'), 200)
  const half = await lost('50%') // of both ways: three of four
  assert.ok(half > 120 && half < 180, `${half} of 200`)
})

const unsupported: { thing: string; text: string; says: string }[] = [
  {
    thing: 'a policy',
    text: 'name: x\ntopology: { nodes: { n1: { kind: k8s-node } } }\ncluster: { policies: [a.yaml] }\n',
    says: 'unsupported: cluster.policies',
  },
  {
    thing: 'calico',
    text: 'name: x\ntopology: { nodes: { n1: { kind: k8s-node } } }\ncluster: { cni: { plugin: calico } }\n',
    says: 'unsupported: cluster.cni.plugin: calico without backend bgp',
  },
  {
    thing: "flannel's backend udp without daemons",
    text: 'name: x\ntopology: { nodes: { n1: { kind: k8s-node } } }\ncluster: { cni: { plugin: flannel, backend: udp } }\n',
    says: 'unsupported: cluster.cni.backend: udp without daemons',
  },
  {
    thing: 'the host as a node',
    text: 'name: x\ntopology: { nodes: { n1: { kind: host } } }\n',
    says: 'unsupported: topology.nodes.n1.kind: host',
  },
]
for (const { thing, text, says } of unsupported) {
  test(`${thing} is refused by name`, async () => {
    await assert.rejects(build(text), { name: 'UnsupportedError', message: says })
  })
}

test('a command that is not modelled is refused by name, and nothing is built', async () => {
  const text = 'name: x\ntopology: { nodes: { n1: { exec: [tcpdump -i eth0] } } }\n'
  await assert.rejects(build(text), /Cannot run "tcpdump -i eth0": overlab: tcpdump: not modelled/)
})
