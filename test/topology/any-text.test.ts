/** Whatever a file says, it is a topology or it is refused in words. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'vitest'
import { faultsOf } from '../../src/lab/check-topology.ts'
import { buildModelLab } from '../../src/lab/model-lab.ts'
import { parseTopology, TopologyError } from '../../src/lab/topology-file.ts'

const golden = readFileSync(join(import.meta.dirname, '../golden/T2.ovl.yml'), 'utf8')

function read(text: string, path: string): void {
  try {
    faultsOf(parseTopology(text, path).topology)
  } catch (error) {
    if (!(error instanceof TopologyError)) throw error
  }
}

for (const path of ['x.ovl.yml', 'x.clab.yml']) {
  test(`any value in ${path} is a topology, or a TopologyError`, () => {
    const key = fc.constantFrom(
      'name',
      'topology',
      'nodes',
      'links',
      'endpoints',
      'kind',
      'a',
      'a:eth0',
      'cluster',
      'exec',
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom(null, true, 0, -1, 'a', 'a:eth0', 'linux', 'bridge', '10.0.0.1/24', '__proto__'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(key, tie('value'), { maxKeys: 5 }),
      ),
    }))
    fc.assert(fc.property(value, (file) => read(JSON.stringify(file), path)))
  })

  test(`any damage to a file ${path} is answered`, () => {
    const damage = fc.tuple(fc.nat(golden.length), fc.nat(30), fc.string({ maxLength: 6 }))
    fc.assert(
      fc.property(damage, ([at, length, text]) => read(golden.slice(0, at) + text + golden.slice(at + length), path)),
      { numRuns: 60 },
    )
  })
}

for (const text of [
  'a: *nowhere',
  '- [',
  '&a [*a]',
  'x: !!js/function y',
  'a: &a [x,x]\nb: &b [*a,*a]',
  '',
  '\0',
  '__proto__: {}',
]) {
  test(`${JSON.stringify(text)} is refused`, () => {
    assert.throws(() => parseTopology(text, 'x.ovl.yml'), { name: 'TopologyError', message: /^x\.ovl\.yml/ })
  })
}

const wrong: { name: string; text: string; says: RegExp }[] = [
  {
    name: 'a name of containerlab that leads out of a directory',
    text: 'name: ../../home\ntopology: { nodes: { a: {} } }\n',
    says: /^x\.clab\.yml:1:1: name "\.\.\/\.\.\/home" may have/,
  },
]
for (const { name, text, says } of wrong) {
  test(`${name} is refused`, () => {
    assert.throws(() => parseTopology(text, 'x.clab.yml'), { name: 'TopologyError', message: says })
  })
}

const unbuildable: { name: string; nodes: string; says: RegExp }[] = [
  { name: 'a bridge with a name too long', nodes: '{ a-very-long-bridge: { kind: bridge } }', says: /no interface's/ },
  {
    name: 'a neighbour on no link',
    nodes: '{ a: { neighbours: [{ ip: 10.0.0.1, mac: "02:00:00:00:00:01", dev: eth9 }] } }',
    says: /Cannot build node "a"/,
  },
  {
    name: 'a setting that there is not',
    nodes: '{ a: { sysctls: { net.ipv4.nothing: 1 } } }',
    says: /Cannot build node "a"/,
  },
  {
    name: 'a route that leads nowhere',
    nodes: '{ a: { routes: [{ to: default, via: 10.9.9.9 }] } }',
    says: /Cannot build node "a"/,
  },
]
for (const { name, nodes, says } of unbuildable) {
  test(`${name} is the file's mistake`, async () => {
    const { topology } = parseTopology(`name: x\ntopology: { nodes: ${nodes} }\n`, 'x.ovl.yml')
    await assert.rejects(buildModelLab({ topology }), { name: 'RangeError', message: says })
  })
}
