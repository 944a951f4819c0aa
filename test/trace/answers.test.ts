/** What a trace says where no packet was lost on its way: it was never sent, is refused by its kernel, or came to somebody else. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'vitest'
import { parseTopology } from '../../src/lab/topology-file.ts'
import { lab } from '../../src/testing/lab.ts'

const example = (name: string) => join(import.meta.dirname, '../../examples/topologies', `${name}.ovl.yml`)

const cluster = (services: string, listen = '[]') =>
  parseTopology(
    `
name: x
topology:
  nodes: { n1: { kind: k8s-node } }
cluster:
  cni: { plugin: flannel }
  pods:
    web: { node: n1, labels: { app: web } }
    api: { node: n1, replicas: 2, labels: { app: api }, listen: ${listen} }
  services: ${services}
`,
    'x.ovl.yml',
  ).topology

test('F24: a service whose selector matches no pod says which label would', async () => {
  const net = await lab(cluster('{ api: { selector: { app: api2 }, ports: ["80"] } }'))
  const { result } = net.pod('web-0').tcp('svc/api', 80)
  assert.equal(result.disposition, 'dropped')
  assert.match(result.why!, /Service api \(10\.96\.0\.10\) has no endpoint/)
  assert.match(result.why!, /selector app=api2 matches none of 3 pods; app=api would match 2/)
})

test('F24: a pod that listens elsewhere says where', async () => {
  const net = await lab(cluster('{ api: { selector: { app: api }, ports: ["80:9090"] } }', '[tcp/8080]'))
  const { result } = net.pod('web-0').tcp('svc/api', 80)
  assert.equal(result.reason, 'NO_SOCKET')
  assert.match(result.why!, /api-\d listens at tcp\/8080, not at tcp\/9090 of 10\.244\.0\.\d/)
  assert.match(result.why!, /target port of service api is 9090/)
})

test('F14: an address that two places have is told of, also where somebody answers', async () => {
  const net = await lab(example('s02-overlay'))
  await net.pod('web-1').exec('ip addr add 10.244.1.2/32 dev lo')
  const { result } = net.pod('web-0').icmp('10.244.1.2')
  assert.equal(result.disposition, 'delivered')
  assert.match(result.why!, /2 places have 10\.244\.1\.2: web-1 and api-0/)
})

test('a sender without a route hears so, and nothing is sent', async () => {
  const net = await lab(example('s02-overlay'))
  await net.pod('web-0').exec('ip route del default')
  for (const trace of [
    net.pod('web-0').icmp('api-0'),
    net.pod('web-0').udp('api-0', 53),
    net.pod('web-0').tcp('api-0', 80),
  ]) {
    assert.equal(trace.result.reason, 'OVL_ENETUNREACH')
    assert.match(trace.result.why!, /web-0 has no route to 10\.244\.1\.2/)
  }
})

test('what the sender’s own rules drop is explained, and can be mended', async () => {
  const net = await lab(example('s02-overlay'))
  await net.pod('web-0').exec('iptables -A OUTPUT -p tcp --dport 80 -j DROP')
  const { result } = net.pod('web-0').tcp('api-0', 80)
  assert.equal(result.at?.node, 'web-0')
  assert.match(result.why!, /chain OUTPUT/)
  for (const line of result.fix ?? []) await net.pod('web-0').exec(line)
  if ((result.fix ?? []).length > 0) assert.equal(net.pod('web-0').tcp('api-0', 80).result.disposition, 'delivered')
})

test('a connection through a wire that loses some comes through, and is delivered', async () => {
  const topology = parseTopology(
    `
name: x
topology:
  nodes: { a: {}, b: {} }
  links: [{ endpoints: ["a:eth0", "b:eth0"], ipv4: [10.0.0.1/24, 10.0.0.2/24], impair: { loss: 30% } }]
`,
    'x.ovl.yml',
  ).topology
  const outcomes = new Set<string>()
  for (let seed = 1; seed <= 12; seed++) {
    const net = await lab(topology, { seed })
    const { result } = net.node('a').tcp('b', 80)
    outcomes.add(result.disposition)
    if (result.disposition === 'delivered') assert.notEqual(result.reply, undefined)
    else assert.notEqual(result.why, undefined, JSON.stringify(result))
  }
  assert.ok(outcomes.has('delivered'))
})

test('a fault that every object has is no fault of the file', async () => {
  const net = await lab(example('s02-overlay'))
  await assert.rejects(net.fault('constructor'), { name: 'RangeError', message: /is no fault/ })
})

test('what something was made to listen for is closed again', async () => {
  const net = await lab(example('s02-overlay'))
  assert.equal(net.pod('web-0').tcp('web-1', 4242).result.disposition, 'delivered')
  net
    .pod('web-1')
    .kernel.sockets.listenTcp({ port: 4242 }, () => ({}))
    .close()
})
