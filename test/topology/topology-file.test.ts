/** Topology files: what is read, and how a wrong one is answered. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { compileValidator, validatorFile } from '../../scripts/schema.ts'
import { parseTopology, readTopologyFile } from '../../src/lab/topology-file.ts'

const goldens = join(import.meta.dirname, '../golden')

for (const rig of ['T2', 'T2-1500', 'T2-host-gw']) {
  test(`the rig ${rig} is a topology`, () => {
    const { topology } = readTopologyFile(join(goldens, `${rig}.ovl.yml`))
    assert.equal(topology.name, rig)
    assert.deepEqual(Object.keys(topology.topology.nodes), ['n1', 'n2', 'p1', 'p2', 'p3'])
    assert.equal(topology.topology.links?.length, 4)
  })
}

test('a thing is found in the file by its path', () => {
  const path = join(goldens, 'T2.ovl.yml')
  const { lineOf } = readTopologyFile(path)
  const lines = readFileSync(path, 'utf8').split('\n')
  assert.match(lines[lineOf(['topology', 'nodes', 'n2', 'fdb', 0])! - 1]!, /02:f1:00:00:01:01.*192\.168\.56\.11/)
  assert.match(lines[lineOf(['topology', 'nodes', 'p3'])! - 1]!, /p3:/)
})

const wrong: { name: string; text: string; says: RegExp }[] = [
  { name: 'is no YAML', text: 'name: [', says: /^lab\.yml:1:8: / },
  { name: 'has no topology', text: 'name: x\n', says: /^lab\.yml:1:1: the file lacks "topology"$/ },
  {
    name: 'has a key that there is not',
    text: 'name: x\ntopology:\n  nodes:\n    n1: { kind: linux, image: alpine }\n',
    says: /^lab\.yml:4:24: topology\.nodes\.n1 has no "image"$/,
  },
  {
    name: 'has a kind that there is not',
    text: 'name: x\ntopology:\n  nodes:\n    n1:\n      kind: router\n',
    says: /^lab\.yml:5:7: topology\.nodes\.n1\.kind is "router", allowed: linux, bridge, host, k8s-node$/,
  },
  {
    name: 'has an MTU that no link can have',
    text: 'name: x\ntopology:\n  nodes: { n1: {}, n2: {} }\n  links:\n    - endpoints: ["n1:eth0", "n2:eth0"]\n      mtu: 10\n',
    says: /^lab\.yml:6:7: topology\.links\.0\.mtu is 10: must be >= 68$/,
  },
]
for (const { name, text, says } of wrong) {
  test(`a file is refused with line and column when it ${name}`, () => {
    assert.throws(() => parseTopology(text, 'lab.yml'), { name: 'TopologyError', message: says })
  })
}

test('the compiled schema is not older than the schema', () => {
  assert.equal(readFileSync(validatorFile, 'utf8'), compileValidator())
})
