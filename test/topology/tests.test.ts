/** What is wrong with `tests` and `exercise` is said by the thing's line, and all of it at once. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { testFaults } from '../../src/lab/tests/check-tests.ts'
import { parseTopology, TopologyError } from '../../src/lab/topology-file.ts'

const HEAD = `name: two
topology:
  nodes: { n1: { kind: k8s-node }, n2: { kind: k8s-node } }
  links: [{ endpoints: ["n1:eth0", "n2:eth0"], ipv4: ["10.0.0.1/24", "10.0.0.2/24"] }]
cluster:
  pods: { web: { node: n1, replicas: 2 }, api: { node: n2, labels: { app: api } } }
  services: { api: { selector: { app: api }, ports: ["80:8080"] } }
faults:
  broken: { node: n1, run: ip link set eth0 down }
`

/** Each fault as \`line: message\`. */
function faultsIn(rest: string): string[] {
  const { topology, placeOf } = parseTopology(HEAD + rest, 'two.ovl.yml')
  return testFaults(topology).map(({ path, message }) => `${placeOf(path).split(':')[1]}: ${message}`)
}

const wrong: { title: string; rest: string; says: RegExp[] }[] = [
  {
    title: 'a sender that is not there, and who may have been meant',
    rest: 'tests:\n  - name: a\n    from: pod/web-9\n    to: pod/api-0\n    expect: { delivered: pod/api-0 }\n',
    says: [/^12: tests\.0\.from "pod\/web-9" is not in this file; did you mean "web-0"\?/],
  },
  {
    title: 'a service that is not there',
    rest: 'tests:\n  - { name: a, from: pod/web-0, to: svc/apl, expect: { delivered: pod/api-0 } }\n',
    says: [/^11: tests\.0\.to "svc\/apl" is not in this file; did you mean "api"\? \(api\)/],
  },
  {
    title: 'an address that is none',
    rest: 'tests:\n  - { name: a, from: pod/web-0, to: ip/10.0.0, expect: { dropped: "*" } }\n',
    says: [/^11: tests\.0\.to "ip\/10\.0\.0"/],
  },
  {
    title: 'two protocols at once',
    rest: 'tests:\n  - name: a\n    from: pod/web-0\n    to: pod/api-0\n    tcp: 80\n    udp: 53\n    expect: { dropped: "*" }\n',
    says: [/^15: tests\.0 asks for tcp and udp/],
  },
  {
    title: 'DF of a connection',
    rest: 'tests:\n  - { name: a, from: pod/web-0, to: pod/api-0, tcp: 80, df: true, expect: { dropped: "*" } }\n',
    says: [/^11: tests\.0\.df goes with an echo request/],
  },
  {
    title: 'an expectation that cannot be met, and one of nothing',
    rest: `tests:
  - { name: a, from: pod/web-0, to: pod/api-0, expect: { delivered: pod/api-0, dropped: NO_SOCKET } }
  - { name: b, from: pod/web-0, to: pod/api-0, expect: { dropped: "*", dnat: 10.0.0.1 } }
  - { name: c, from: pod/web-0, to: pod/api-0, expect: {} }
`,
    says: [
      /^11: tests\.0\.expect has delivered and dropped: it cannot be both/,
      /^12: tests\.1\.expect\.dnat is said of what arrives, which dropped does not/,
      /^13: tests\.2\.expect expects nothing/,
    ],
  },
  {
    title: 'places of an expectation that are not there',
    rest: 'tests:\n  - { name: a, from: pod/web-0, to: pod/api-0, expect: { delivered: pod/db-*, via: [n3/eth0], at: n4 } }\n',
    says: [/delivered "pod\/db-\*"/, /at "n4"/, /via "n3\/eth0"/],
  },
  {
    title: 'reach of pods that are not there, and with more than it takes',
    rest: 'tests:\n  - { name: a, icmp: echo, reach: { to: "pod/db-*", only: [pod/web-7] } }\n',
    says: [/icmp does not go with reach/, /reach names "pod\/db-\*"/, /reach names "pod\/web-7"/],
  },
  {
    title: 'two tests of one name, and a fault that is not there',
    rest: `tests:
  - { name: a, with: brokn, from: pod/web-0, to: pod/api-0, expect: { dropped: "*" } }
  - { name: a, from: pod/web-0, to: pod/api-0, expect: { dropped: "*" } }
`,
    says: [
      /^11: tests\.0\.with "brokn" is no fault of this file; did you mean "broken"\?/,
      /^12: tests\.1\.name "a" is that/,
    ],
  },
  {
    title: 'an exercise of another file',
    rest: `tests:
  - { name: a, from: pod/web-0, to: pod/api-0, expect: { dropped: "*" } }
exercise: { title: t, fault: lost, fails: [b], says: s, fix: [f] }
`,
    says: [/^12: exercise\.fault "lost" is no fault/, /^12: exercise\.fails "b" is no test/],
  },
]
for (const { title, rest, says } of wrong) {
  test(`${title}: refused`, () => {
    const found = faultsIn(rest)
    assert.equal(found.length, says.length, found.join('\n'))
    for (const [i, pattern] of says.entries()) assert.match(found[i]!, pattern)
  })
}

test('a test that is neither of the two shapes, or both, is told which there are', () => {
  const rest = `tests:
  - { name: a, from: node/n1, to: node/n2 }
  - { name: b, from: node/n1, to: node/n2, expect: { delivered: node/n2 }, reach: { to: pod/api-0 } }
  - { from: node/n1, to: node/n2, expect: { delivered: node/n2 } }
`
  assert.throws(
    () => parseTopology(HEAD + rest, 'two.ovl.yml'),
    (error) => {
      assert.ok(error instanceof TopologyError)
      assert.deepEqual(error.message.split('\n').sort(), [
        'two.ovl.yml:11:5: tests.0 needs from, to and expect, or reach alone',
        'two.ovl.yml:12:5: tests.1 needs from, to and expect, or reach alone',
        'two.ovl.yml:13:5: tests.2 lacks "name"',
      ])
      return true
    },
  )
})

test('what the schema can say of a test is said with line and column', () => {
  const rest = 'tests:\n  - { name: a, from: web-0, to: pod/api-0, tcp: 0, expect: { replied: 3 } }\n'
  assert.throws(
    () => parseTopology(HEAD + rest, 'two.ovl.yml'),
    (error) => {
      assert.ok(error instanceof TopologyError)
      assert.match(error.message, /two\.ovl\.yml:11:16: tests\.0\.from is "web-0"/)
      assert.match(error.message, /two\.ovl\.yml:11:44: tests\.0\.tcp is 0/)
      assert.match(error.message, /two\.ovl\.yml:11:\d+: tests\.0\.expect\.replied is 3, but must be string/)
      return true
    },
  )
})
