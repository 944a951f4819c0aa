/** Reports in JUnit's XML, read by somebody else's parser: Python's expat. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'vitest'
import { junitReporter } from '../../src/cli/test/junit.ts'
import type { Suite } from '../../src/cli/test/report.ts'
import { overlab } from '../cli/overlab.ts'

const READ = `
import json, sys, xml.etree.ElementTree as tree
root = tree.fromstring(sys.stdin.buffer.read())
print(json.dumps([[suite.attrib, [[case.attrib, [[part.tag, part.attrib, part.text] for part in case]]
  for case in suite.iter("testcase")]] for suite in root.iter("testsuite")]))
`

type Part = [tag: string, attributes: Record<string, string>, text: string | null]
type Read = [suite: Record<string, string>, cases: [Record<string, string>, Part[]][]][]

function read(xml: string): Read {
  const { status, stdout, stderr } = spawnSync('python3', ['-c', READ], { input: xml, encoding: 'utf8' })
  assert.equal(status, 0, `${stderr}\n${xml}`)
  return JSON.parse(stdout)
}

test('a report of failures is well-formed, and its counts are those of its cases', () => {
  const file = join(import.meta.dirname, '../../examples/faults/f01-lost-fdb.ovl.yml')
  const [[suite, cases] = [{}, []]] = read(overlab(['test', file, '--fault', 'lost-fdb', '-o', 'junit']).stdout)
  assert.deepEqual([suite.tests, suite.failures, suite.errors, suite.skipped], ['4', '2', '0', '0'])
  const failed = cases.filter(([, parts]) => parts.some(([tag]) => tag === 'failure'))
  assert.deepEqual([cases.length, failed.length], [4, 2])
  const [, , text] = failed[0]![1].find(([tag]) => tag === 'failure')!
  assert.match(text!, /^DROPPED at n1\/flannel\.1: NO_TX_TARGET \(vxlan_xmit\)\nflannel\.1 has the MAC of n2/)
})

test('any text arrives as it is, but for what is no character of XML', () => {
  const name = `<a href="x">&amp; 'b' ]]> --> \n\t → 😀`
  const results = (['passed', 'failed', 'skipped', 'unsupported'] as const).map((status) => ({
    name,
    status,
    message: `${name}\u0000\uD800`,
    question: name,
    trace: undefined,
    milliseconds: 1,
  }))
  const suite: Suite = { name, file: name, engine: 'model', kernel: name, seed: 1, faults: [name], results }
  const [[, cases] = [{}, []]] = read(junitReporter.end([suite]))
  for (const [{ name: found }] of cases) assert.equal(found, name)
  assert.deepEqual(
    cases.map(([, parts]) => parts.map(([tag, { message }]) => [tag, message])),
    [
      [],
      [['failure', `${name}\uFFFD\uFFFD`]],
      [['skipped', `${name}\uFFFD\uFFFD`]],
      [['error', `${name}\uFFFD\uFFFD`]],
    ],
  )
})
