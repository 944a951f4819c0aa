/** Expectations held against traces of a small network: each of them can be met, and each can fail. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, test } from 'vitest'
import { type Bench, modelBench } from '../../src/lab/tests/bench.ts'
import type { Expectation, TopologyTest } from '../../src/lab/tests/description.ts'
import { runTest, runTests } from '../../src/lab/tests/run.ts'
import type { Topology } from '../../src/lab/topology.ts'

const topology: Topology = {
  name: 'expectations',
  topology: {
    nodes: { n1: { kind: 'k8s-node' }, n2: { kind: 'k8s-node', iptables: ['-A FORWARD -p udp --dport 7 -j DROP'] } },
    links: [{ endpoints: ['n1:eth0', 'n2:eth0'], ipv4: ['192.168.56.11/24', '192.168.56.12/24'] }],
  },
  cluster: {
    cni: { plugin: 'flannel', backend: 'vxlan', network: '10.244.0.0/16' },
    pods: {
      web: { node: 'n1', replicas: 2 },
      api: { node: 'n2', labels: { app: 'api' }, listen: ['tcp/8080'] },
    },
    services: { api: { selector: { app: 'api' }, ports: ['80:8080'], clusterIP: '10.96.0.10' } },
  },
  faults: { 'lost-fdb': { node: 'n1', run: 'bridge fdb del 02:f1:00:00:02:01 dev flannel.1 dst 192.168.56.12 self' } },
}

let bench: Bench
beforeAll(async () => {
  bench = await modelBench({ topology, source: undefined })
})
afterAll(() => {
  bench.close()
})

const run = (test: Omit<TopologyTest, 'name'>) => runTest({ name: 'a', from: 'pod/web-0', ...test }, bench, () => 0)

const service = { to: 'svc/api' } as const
const echo = { to: 'pod/api-0', icmp: 'echo' } as const
const rows: { of: Omit<TopologyTest, 'name'>; met: Expectation; not: Expectation; says: RegExp }[] = [
  {
    of: echo,
    met: { delivered: 'pod/api-*' },
    not: { delivered: 'pod/web-*' },
    says: /found delivered at api-0\/eth0/,
  },
  { of: echo, met: { mtu: 1450 }, not: { mtu: 1500 }, says: /expected MTU 1500, found 1450/ },
  { of: echo, met: { ttl: 62 }, not: { ttl: 63 }, says: /expected TTL 63 left, found 62/ },
  { of: echo, met: { source: '10.244.0.2' }, not: { source: '10.0.0.1' }, says: /found 10\.244\.0\.2/ },
  { of: echo, met: { via: ['n1', 'n2/flannel.1'] }, not: { via: ['n2', 'n1'] }, says: /there is no n1/ },
  { of: service, met: { dnat: '10.244.1.2:8080' }, not: { dnat: '10.244.1.2:80' }, says: /found 10\.244\.1\.2:8080/ },
  { of: service, met: { dnat: '10.244.1.2' }, not: { dnat: '10.244.1.3' }, says: /expected DNAT to 10\.244\.1\.3/ },
  {
    of: { to: 'pod/api-0', tcp: 8081 },
    met: { replied: 'RST', at: 'api-0' },
    not: { replied: '3/3' },
    says: /found RST/,
  },
  {
    of: { to: 'ip/10.99.0.1' },
    met: { replied: '3/0', at: 'n1' },
    not: { delivered: 'node/n1' },
    says: /IP_INNOROUTES/,
  },
  {
    // Another sender: of ICMP errors to one, Linux sends six at once and then one a second.
    of: { from: 'pod/web-1', to: 'ip/10.99.0.1' },
    met: { replied: 'IP_INNOROUTES' },
    not: { replied: 'NO_SOCKET' },
    says: /found 3\/0/,
  },
  {
    of: { ...echo, ttl: 1 },
    met: { replied: '11/0', at: 'n1/cni0' },
    not: { replied: '11/0', at: 'n2' },
    says: /at n1/,
  },
  {
    of: { to: 'pod/api-0', udp: 7 },
    met: { dropped: 'NETFILTER_DROP', at: 'n2/flannel.1', says: 'rule 1 of chain FORWARD … port 7.' },
    not: { dropped: 'NETFILTER_DROP', says: 'rule 2 …' },
    says: /expected the sentence "rule 2 …", found "rule 1 of chain FORWARD/,
  },
  {
    of: { to: 'pod/api-0', udp: 7 },
    met: { dropped: '*' },
    not: { dropped: 'NO_SOCKET' },
    says: /found DROPPED at n2\/flannel\.1/,
  },
  { of: { ...echo, size: 1472, df: true }, met: { dropped: 'OVL_EMSGSIZE' }, not: { mtu: 1450 }, says: /EMSGSIZE/ },
]
for (const { of, met, not, says } of rows) {
  test(`${JSON.stringify(of)}: ${JSON.stringify(met)} is met, ${JSON.stringify(not)} is not`, async () => {
    const first = await run({ ...of, expect: met })
    assert.deepEqual([first.status, first.message], ['passed', ''])
    const second = await run({ ...of, expect: not })
    assert.equal(second.status, 'failed')
    assert.match(second.message, says)
  })
}

test('reach: those who may do, and the others do not', async () => {
  const all = await run({ reach: { to: 'pod/api-0', tcp: 8080 } })
  assert.equal(all.status, 'passed', all.message)
  const few = await run({ reach: { to: 'pod/api-0', tcp: 8080, only: ['pod/web-0'] } })
  assert.match(few.message, /expected web-1 not to reach api-0, found delivered/)
  const none = await run({ reach: { to: 'pod/*', udp: 7 } })
  assert.match(none.message, /expected api-0 to reach web-0, found DROPPED/)
})

test('what is not modelled is neither passed nor failed', async () => {
  const trace = await bench.ask({ from: 'web-0', address: '10.244.1.2', spec: { protocol: 'icmp', port: 0 } })
  const asked = {
    ...bench,
    ask: async () => ({ ...trace, result: { disposition: 'unsupported' as const, reason: 'SCTP' } }),
  }
  const { status, message } = await runTest(
    { name: 'a', from: 'pod/web-0', ...echo, expect: { dropped: '*' } },
    asked,
    () => 0,
  )
  assert.deepEqual([status, message], ['unsupported', 'not modelled: SCTP'])
})

test('a fault is there for the tests that want it, and for no others', async () => {
  const named = (name: string, rest: Omit<TopologyTest, 'name'>): TopologyTest => ({ name, from: 'pod/web-0', ...rest })
  const tests = [
    named('before', { ...echo, expect: { delivered: 'pod/api-0' } }),
    named('broken', { ...echo, with: 'lost-fdb', expect: { dropped: 'NO_TX_TARGET', at: 'n1/flannel.1' } }),
    named('after', { ...echo, expect: { delivered: 'pod/api-0' } }),
  ]
  let opened = 0
  const open = () => {
    opened++
    return modelBench({ topology, source: undefined })
  }
  const results = await runTests(tests, { topology, faults: [], open, now: () => 0 })
  assert.deepEqual(
    results.map(({ status, message }) => [status, message]),
    tests.map(() => ['passed', '']),
  )
  assert.equal(opened, 3)
})
