/** `overlab test` from its command line: every form of report, exit statuses, wrong files. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, test } from 'vitest'
import { parse } from 'yaml'
import { overlab } from './overlab.ts'

const LOST_FDB = join(import.meta.dirname, '../../examples/faults/f01-lost-fdb.ovl.yml')
const broken = (...argv: string[]) => overlab(['test', LOST_FDB, '--fault', 'lost-fdb', ...argv])

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'overlab-test-'))
})
afterAll(() => rmSync(directory, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

const ONE_NODE = 'name: one\ntopology: { nodes: { n1: {} } }\n'

test('when all pass it ends with 0 and says so', () => {
  const { status, stdout, stderr } = overlab(['test', LOST_FDB])
  assert.deepEqual([status, stderr], [0, ''])
  assert.match(stdout, /^f01-lost-fdb {3}model linux-6\.18 · seed 1\n ✔ web-0 pings api-0\n/)
  assert.match(stdout, /\n4 passed, 0 failed\n$/)
})

test('when one fails it ends with 1, and says why, how to mend it, and how to ask', () => {
  const { status, stdout } = broken('--only', 'web-0*')
  assert.equal(status, 1)
  assert.match(stdout, / ✗ web-0 pings api-0\n {5}expected delivered at pod\/api-0, found DROPPED at n1\/flannel\.1/)
  assert.match(stdout, /\n {5}flannel\.1 has the MAC of n2 but not its address/)
  assert.match(stdout, /\n {5}fix: bridge fdb append 02:f1:00:00:02:01/)
  assert.match(stdout, /\n {5}ask: overlab trace pod\/web-0 pod\/api-0 --icmp --fault lost-fdb --file /)
  assert.match(stdout, /\n0 passed, 1 failed\n$/)
})

test('what it says to ask answers the same', () => {
  const [, ask] = /ask: overlab (.*)/.exec(broken('--only', 'web-0*').stdout)!
  const { status, stdout } = overlab(ask!.split(' '))
  assert.equal(status, 1)
  assert.match(stdout, /✗ DROPPED at n1\/flannel\.1: NO_TX_TARGET/)
})

test('TAP 14: version, plan, and a block of YAML for what failed', () => {
  const { status, stdout } = broken('-o', 'tap')
  assert.equal(status, 1)
  const lines = stdout.trimEnd().split('\n')
  assert.equal(lines[0], 'TAP version 14')
  assert.equal(lines.at(-1), '1..4')
  assert.deepEqual(
    lines.filter((line) => /^(not )?ok /.test(line)),
    [
      'not ok 1 - web-0 pings api-0',
      'not ok 2 - web-1 opens a connection to api-0',
      'ok 3 - pods of one node reach each other',
      'ok 4 - the nodes reach each other',
    ],
  )
  const [, block] = /\n {2}---\n(.*?)\n {2}\.\.\.\n/s.exec(stdout)!
  const { reason, at, fix, severity } = parse(block!)
  assert.deepEqual([reason, at, severity, fix.length], ['NO_TX_TARGET', { node: 'n1', dev: 'flannel.1' }, 'fail', 1])
})

test('JUnit XML: a case for each test, the sentence as failure, the trace as output, written to a file', () => {
  const path = join(directory, 'report.xml')
  const { status, stdout } = broken('-o', `junit=${path}`)
  assert.deepEqual([status, stdout], [1, '2 passed, 2 failed\n'])
  const xml = readFileSync(path, 'utf8')
  assert.match(xml, /<testsuite name="f01-lost-fdb\.model" tests="4" failures="2" errors="0" skipped="0"/)
  assert.equal(xml.match(/<testcase /g)?.length, 4)
  assert.match(
    xml,
    /<property name="engine" value="model"\/>\s+<property name="kernel" value="linux-6\.18"\/>\s+<property name="seed" value="1"\/>/,
  )
  assert.match(
    xml,
    /<failure message="expected delivered [^"]*" type="NO_TX_TARGET">DROPPED at n1\/flannel\.1: NO_TX_TARGET/,
  )
  assert.match(xml, /<system-out>web-0 ICMP echo request/)
})

test('names with all that XML and TAP take for their own arrive as they are', () => {
  const name = `<a> & "b" #1 \\\\ 'c' \u0001`
  const path = file(
    'names.ovl.yml',
    `${ONE_NODE}tests:\n  - { name: ${JSON.stringify(name)}, from: node/n1, to: ip/127.0.0.1, expect: { delivered: node/n1 } }\n`,
  )
  const xml = overlab(['test', path, '-o', 'junit']).stdout
  assert.ok(xml.includes(`name="&lt;a&gt; &amp; &quot;b&quot; #1 \\\\ 'c' \uFFFD"`), xml)
  const tap = overlab(['test', path, '-o', 'tap']).stdout
  assert.ok(tap.includes(String.raw`ok 1 - <a> & "b" \#1 \\\\ 'c'`), tap)
})

test('JSON has the same facts, and the traces', () => {
  const { status, stdout } = broken('-o', 'json')
  const { passed, failed, suites } = JSON.parse(stdout)
  assert.deepEqual([status, passed, failed, suites.length], [1, 2, 2, 1])
  const [first] = suites[0].results
  assert.deepEqual([first.status, first.trace.result.reason], ['failed', 'NO_TX_TARGET'])
})

test('several files are several suites', () => {
  const other = LOST_FDB.replace('f01-lost-fdb', 'f02-lost-neighbour')
  const { status, stdout } = overlab(['test', LOST_FDB, other])
  assert.equal(status, 0)
  assert.match(stdout, /f01-lost-fdb.*f02-lost-neighbour.*8 passed, 0 failed/s)
})

test('--exercise proves that the exercise can be done', () => {
  const { status, stdout } = overlab(['test', LOST_FDB, '--exercise'])
  assert.equal(status, 0, stdout)
  assert.match(stdout, /4 passed, 0 failed/)
})

test('an exercise whose sentence is another fails by what was said instead', () => {
  const text = readFileSync(LOST_FDB, 'utf8').replace('has the MAC of n2 but not its address', 'is broken')
  const { status, stdout } = overlab(['test', file('other.ovl.yml', text), '--exercise'])
  assert.equal(status, 1)
  assert.match(
    stdout,
    /✗ the trace of the first .*\n.*expected the sentence "flannel\.1 is broken:.*found "flannel\.1 has the MAC/s,
  )
})

test('a file with what nothing builds yet ends with 3', () => {
  const path = file(
    'host.ovl.yml',
    'name: one\ntopology: { nodes: { n1: { kind: host } } }\ntests:\n  - { name: a, from: node/n1, to: node/n1, expect: { dropped: "*" } }\n',
  )
  const { status, stderr } = overlab(['test', path])
  assert.equal(status, 3)
  assert.match(stderr, /unsupported: topology\.nodes\.n1\.kind: host/)
})

const wrong: { title: string; text?: string; argv?: string[]; says: RegExp }[] = [
  { title: 'a file without tests', text: ONE_NODE, says: /"[^"]*" has no tests/ },
  {
    title: 'a test from nowhere',
    text: `${ONE_NODE}tests:\n  - { name: a, from: node/n2, to: node/n1, expect: { dropped: "*" } }\n`,
    says: /wrong\.ovl\.yml:4:16: tests\.0\.from "node\/n2" is not in this file; did you mean "n1"\?/,
  },
  { title: 'a fault that is not there', argv: [LOST_FDB, '--fault', 'lost-fbd'], says: /did you mean "lost-fdb"\?/ },
  { title: 'a test that is not there', argv: [LOST_FDB, '--only', 'nothing'], says: /"nothing" is no test of/ },
  {
    title: 'a form that is not there',
    argv: [LOST_FDB, '-o', 'xml'],
    says: /Allowed choices are text, tap, junit, json/,
  },
  {
    title: 'an exercise that is not there',
    text: `${ONE_NODE}tests:\n  - { name: a, from: node/n1, to: node/n1, expect: { dropped: "*" } }\n`,
    argv: ['--exercise'],
    says: /has no exercise/,
  },
  {
    title: 'a report that cannot be written',
    argv: [LOST_FDB, '-o', 'tap=/nowhere/report'],
    says: /Cannot write the report "\/nowhere\/report": ENOENT/,
  },
]
for (const { title, text, argv = [], says } of wrong) {
  test(`${title} is wrong use: 2`, () => {
    const files = text === undefined ? [] : [file('wrong.ovl.yml', text)]
    const { status, stderr } = overlab(['test', ...files, ...argv])
    assert.equal(status, 2)
    assert.match(stderr, says)
  })
}

test('completion knows its engines and forms', () => {
  const complete = (...words: string[]) => overlab(['complete', '--', 'test', ...words]).stdout
  assert.match(complete('--engine', ''), /^model.*^kernel.*^both/ms)
  assert.match(complete('--output', ''), /^text.*^tap.*^junit.*^json/ms)
})
