/** containerlab's files, read as they are. The first is in the shape of its documentation. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { buildModelLab } from '../../src/lab/model-lab.ts'
import { parseTopology } from '../../src/lab/topology-file.ts'

const file = `
name: routers
prefix: ""
mgmt: { network: fixed, ipv4-subnet: 172.100.100.0/24 }
topology:
  defaults: { image: alpine:3 }
  kinds:
    linux:
      exec: [sysctl -w net.ipv4.ip_forward=1]
  nodes:
    r1:
      kind: linux
      image: frr:9
      binds: [./r1:/etc/frr]
      exec:
        - ip address add 10.0.1.1/24 dev eth1
    pc: { exec: [ip address add 10.0.1.2/24 dev eth1, ip route add default via 10.0.1.1] }
    br0: { kind: bridge }
  links:
    - endpoints: ["r1:eth1", "br0:p1"]
      mtu: 1400
    - type: veth
      endpoints:
        - { node: pc, interface: eth1, mac: "02:00:00:00:00:99" }
        - { node: br0, interface: p2 }
`

test('a file of containerlab is built: kinds, inherited commands, both forms of links', async () => {
  const { topology } = parseTopology(file, 'routers.clab.yml')
  const { kernelOf } = await buildModelLab({ topology })
  assert.equal((await kernelOf('pc').ping('10.0.1.1')).outcome, 'reply')
  assert.equal(kernelOf('pc').links.get('eth1')?.mac, '02:00:00:00:00:99')
  assert.equal(kernelOf('r1').links.get('eth1')?.mtu, 1400)
  assert.equal(kernelOf('r1').sysctl.get('net/ipv4/ip_forward'), '1')
})

const wrong: { name: string; text: string; says: RegExp }[] = [
  {
    name: 'a kind of router',
    text: 'name: x\ntopology:\n  nodes:\n    r1: { kind: srl }\n',
    says: /^x\.clab\.yml:4:5: unsupported: kind "srl" of node "r1", supported: linux, bridge$/,
  },
  {
    name: 'a link to the host',
    text: 'name: x\ntopology:\n  nodes: { a: {} }\n  links:\n    - endpoints: ["a:eth1", "host:veth-a"]\n',
    says: /^x\.clab\.yml:5:\d+: unsupported: endpoint "host:veth-a" is outside of the lab$/,
  },
  {
    name: 'a link with one end',
    text: 'name: x\ntopology:\n  nodes: { a: {} }\n  links:\n    - endpoints: ["a:eth1"]\n',
    says: /a link has two endpoints/,
  },
  { name: 'no nodes', text: 'name: x\ntopology: {}\n', says: /^x\.clab\.yml:2:1: topology lacks "nodes"$/ },
]
for (const { name, text, says } of wrong) {
  test(`a file of containerlab is refused for ${name}`, () => {
    assert.throws(() => parseTopology(text, 'x.clab.yml'), { name: 'TopologyError', message: says })
  })
}
