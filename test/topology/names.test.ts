/** Small things that a lab is made of: places, other places, impairments, services, neighbours, files, origins. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { planPodNetwork } from '../../src/lab/cluster.ts'
import { parseElsewhere, siblingPath } from '../../src/lab/elsewhere.ts'
import { parseImpair } from '../../src/lab/impair.ts'
import { memoryFiles } from '../../src/lab/memory-files.ts'
import { buildModelLab } from '../../src/lab/model-lab.ts'
import { neighbourPairs } from '../../src/lab/neighbours.ts'
import { findOrigin } from '../../src/lab/origin.ts'
import { rulesOf, selectPods } from '../../src/lab/service.ts'
import { parseTopology } from '../../src/lab/topology-file.ts'

const words = (line: string) => parseElsewhere(line.split(' '))

test('a command for another place names the place, and may name the lab', () => {
  assert.deepEqual(words('overlab lab exec n1 -- ip route'), { lab: undefined, place: 'n1', words: ['ip', 'route'] })
  assert.deepEqual(words('overlab lab exec --name x pod/web-0 ip route'), {
    lab: 'x',
    place: 'web-0',
    words: ['ip', 'route'],
  })
  for (const line of ['ip route', 'overlab lab up', 'overlab lab exec', 'overlab lab exec ../x -- ip route']) {
    assert.equal(words(line), undefined, line)
  }
})

test('a place is found beside another in the same lab, or in the lab that is named', () => {
  const path = '/run/netns/ovl-n1@two-nodes'
  assert.equal(siblingPath(path, { place: 'web-0', lab: undefined }), '/run/netns/ovl-web-0@two-nodes')
  assert.equal(siblingPath(path, { place: 'web-0', lab: 'other' }), '/run/netns/ovl-web-0@other')
})

test('impairments are microseconds, parts of one and bits a second', () => {
  assert.deepEqual(parseImpair({ delay: '5ms', jitter: '1.5us', loss: '12.5%', rate: '10mbit' }), {
    delay: 5000,
    jitter: 1.5,
    loss: 0.125,
    rate: 10e6,
  })
  assert.deepEqual(parseImpair({}), { delay: 0, jitter: 0, loss: 0, rate: undefined })
})

const service = { clusterIp: '10.96.0.10', ports: [{ port: 80, targetPort: 8080, protocol: 'tcp' as const }] }

test('every backend of a service is as likely as the others, and may call itself', () => {
  const addresses: Record<string, string> = { a: '10.0.0.2', b: '10.0.0.3', c: '10.0.0.4' }
  const rules = rulesOf({ ...service, pods: ['a', 'b', 'c'] }, (pod) => addresses[pod])
  assert.deepEqual(
    rules.filter((rule) => rule.includes('PREROUTING')).map((rule) => /--probability (\S+)/.exec(rule)?.[1]),
    ['0.33333333333', '0.50000000000', undefined],
  )
  assert.ok(
    rules.includes('iptables -t nat -A POSTROUTING -s 10.0.0.3/32 -d 10.0.0.3/32 -p tcp --dport 8080 -j MASQUERADE'),
  )
})

test('a service without backends refuses, forwarded and from the node itself', () => {
  assert.deepEqual(
    rulesOf({ ...service, pods: [] }, () => undefined),
    ['FORWARD', 'OUTPUT'].map((chain) => `iptables -A ${chain} -d 10.96.0.10/32 -p tcp --dport 80 -j REJECT`),
  )
})

test('a selector picks the pods that carry all of its labels', () => {
  const pod = (name: string, labels: Record<string, string>) => ({ name, labels, namespace: '', node: '', listen: [] })
  const pods = [pod('a', { app: 'x', tier: '1' }), pod('b', { app: 'x' }), pod('c', {})]
  assert.deepEqual(selectPods({ app: 'x' }, pods), ['a', 'b'])
  assert.deepEqual(selectPods({ app: 'x', tier: '1' }, pods), ['a'])
})

test('nodes are numbered within the pod network as their plugin does', () => {
  const carriers = [{ name: 'n1', link: 'eth0', address: '192.168.56.11/24', mtu: 1500 }]
  const plan = (cni: Parameters<typeof planPodNetwork>[0] & object) => planPodNetwork(cni, 0, carriers)
  assert.deepEqual(plan({}), { subnet: '10.244.1.0/24', hairpin: false })
  assert.deepEqual(plan({ cni: { plugin: 'flannel' } }), { subnet: '10.244.0.0/24', hairpin: true, mtu: 1450 })
  assert.deepEqual(plan({ cni: { plugin: 'flannel', backend: 'host-gw', network: '10.1.0.0/16' } }), {
    subnet: '10.1.0.0/24',
    hairpin: true,
    mtu: 1500,
  })
})

test('neighbours are those of one prefix, not what is behind a router or a /32', async () => {
  const { topology } = parseTopology(
    `
name: x
topology:
  nodes: { a: {}, r: {}, b: {} }
  links:
    - { endpoints: ["a:eth0", "r:p1"], ipv4: [10.0.1.1/24, 10.0.1.2/24] }
    - { endpoints: ["r:p2", "b:eth0"], ipv4: [10.0.2.2/24, 10.0.2.3/24] }
`,
    'x.ovl.yml',
  )
  const { kernelOf } = await buildModelLab({ topology })
  kernelOf('a').addresses.add({ link: 'eth0', prefix: '10.0.2.9/32' })
  const places = ['a', 'r', 'b'].map((name) => ({ name, kernel: kernelOf(name) }))
  assert.deepEqual(
    [...neighbourPairs(places)].map(({ from, address }) => `${from.name} ${address}`),
    ['a 10.0.1.2', 'r 10.0.1.1', 'r 10.0.2.9', 'r 10.0.2.3', 'b 10.0.2.9', 'b 10.0.2.2'],
  )
})

test('an origin is the object’s, not one that begins alike', () => {
  const origins = [
    { node: 'n1', ref: 'route 10.0.0.0/2', maker: 'wrong' },
    { node: 'n2', ref: 'route 10.0.0.0/24', maker: 'another node’s' },
    { node: 'n1', ref: 'route 10.0.0.0/24', maker: 'right' },
  ]
  assert.equal(findOrigin(origins, 'n1', 'route 10.0.0.0/24 via 10.0.0.1'), 'right')
  assert.equal(findOrigin(origins, 'n1', 'route 10.0.0.0/24'), 'right')
  assert.equal(findOrigin(origins, 'n1', 'route 10.0.0.0/25'), undefined)
})

test('files in memory answer as a disk does', () => {
  const files = memoryFiles(() => 0)
  assert.throws(() => files.create('/a/b', 'x', 0o600), { errno: 'ENOENT' })
  files.makeDirectory('/a/c', 0o755)
  assert.equal(files.create('/a/b', 'x', 0o600), true)
  assert.equal(files.create('/a/b', 'y', 0o600), false)
  assert.deepEqual(files.list('/a')?.sort(), ['b', 'c'])
  assert.throws(() => files.read('/a'), { errno: 'EISDIR' })
  assert.throws(() => files.removeDirectory('/a'), { errno: 'ENOTEMPTY' })
  assert.throws(() => files.remove('/a'), { errno: 'EISDIR' })
  files.rename('/a', '/z')
  assert.equal(files.read('/z/b'), 'x')
  assert.equal(files.status('/a'), undefined)
  files.link('/z/b', '/z/d')
  files.write('/z/d', 'both', 0o600)
  assert.equal(files.read('/z/b'), 'both')
  const lock = files.lock('/z/lock', 0o600)
  assert.throws(() => files.lock('/z/lock', 0o600), /Deadlock/)
  lock.release()
  assert.equal(files.remove('/z/b'), true)
  assert.equal(files.remove('/z/b'), false)
  assert.equal(files.read('/nowhere'), undefined)
})
