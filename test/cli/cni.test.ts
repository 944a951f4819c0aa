/** `overlab cni` on plugins that are shell scripts: no root, no kernel, but real files and processes. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, test } from 'vitest'
import { containerIdFor } from '../../src/cli/cni.ts'
import { overlab } from './overlab.ts'

const folders: string[] = []
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'overlab-cni-'))
  folders.push(folder)
  mkdirSync(join(folder, 'net.d'))
  mkdirSync(join(folder, 'bin'))
})
afterAll(() => {
  for (const each of folders) rmSync(each, { recursive: true })
})

const network = (json: object) =>
  writeFileSync(join(folder, 'net.d/10-test.conflist'), JSON.stringify({ name: 'test', cniVersion: '1.1.0', ...json }))
/** Keeps what it was given, in a file named after the verb, and answers with `body`. */
const plugin = (type: string, body: string) => {
  const script = `#!/bin/sh\ncat >${folder}/${type}.$CNI_COMMAND.json\nenv | grep ^CNI_ | sort >${folder}/${type}.$CNI_COMMAND.env\n${body}\n`
  writeFileSync(join(folder, 'bin', type), script, { mode: 0o755 })
}
const RESULT = `{"cniVersion":"1.1.0","interfaces":[{"name":"eth0","mac":"02:00:00:00:00:01","sandbox":"/ns"}],"ips":[{"address":"10.9.0.2/24","gateway":"10.9.0.1","interface":0}]}`
const answering = `[ $CNI_COMMAND = ADD ] && echo '${RESULT}'; exit 0`
const cni = (verb: string, ...argv: string[]) =>
  overlab([
    'cni',
    verb,
    '--conf-dir',
    `${folder}/net.d`,
    '--cache-dir',
    `${folder}/cache`,
    '--bin-dir',
    `${folder}/bin`,
    ...argv,
  ])
const read = (name: string) => readFileSync(join(folder, name), 'utf8')

test('add, check, list and del: the whole life of an attachment', () => {
  network({ plugins: [{ type: 'one', capabilities: { mac: true } }] })
  plugin('one', answering)

  const added = cni('add', 'test', '/ns', '--capability-args', '{"mac":"02:00:00:00:00:01"}', '-o', 'json')
  assert.deepEqual([added.status, added.stderr], [0, ''])
  assert.deepEqual(JSON.parse(added.stdout), JSON.parse(RESULT))
  assert.deepEqual(JSON.parse(read('one.ADD.json')).runtimeConfig, { mac: '02:00:00:00:00:01' })

  assert.equal(cni('check', 'test', '/ns').status, 0)
  assert.deepEqual(JSON.parse(read('one.CHECK.json')).prevResult, JSON.parse(RESULT))

  const listed = JSON.parse(cni('list', '-o', 'json').stdout)
  assert.deepEqual(listed.networks, [
    { path: `${folder}/net.d/10-test.conflist`, name: 'test', cniVersion: '1.1.0', plugins: ['one'] },
  ])
  assert.deepEqual(listed.attachments, [
    { network: 'test', containerId: containerIdFor('/ns'), ifName: 'eth0', netns: '/ns', addresses: ['10.9.0.2/24'] },
  ])

  assert.equal(cni('del', 'test', '/ns').status, 0)
  assert.equal(cni('del', 'test', '/ns').status, 0)
  assert.deepEqual(readdirSync(join(folder, 'cache/results')), [])
})

test('text is the same facts as a table', () => {
  network({ plugins: [{ type: 'one' }] })
  plugin('one', answering)
  assert.match(
    cni('add', 'test', '/ns').stdout,
    /eth0 +02:00:00:00:00:01 +\/ns\n\nADDRESS +GATEWAY\n10\.9\.0\.2\/24 +10\.9\.0\.1\n/,
  )
})

test('arguments of cnitool mean the same: variables, and the container id', () => {
  network({ plugins: [{ type: 'one' }] })
  plugin('one', answering)
  const { status } = overlab(['cni', 'add', 'test', '/ns', '--cache-dir', `${folder}/cache`], {
    NETCONFPATH: `${folder}/net.d`,
    CNI_PATH: `${folder}/bin`,
    CNI_ARGS: 'A=1;B=2',
    CNI_IFNAME: 'net1',
    CAP_ARGS: '',
  })
  assert.equal(status, 0)
  assert.deepEqual(read('one.ADD.env').trim().split('\n'), [
    'CNI_ARGS=A=1;B=2',
    'CNI_COMMAND=ADD',
    'CNI_CONTAINERID=cnitool-a615c0469d4cdb4dc6ab', // echo -n /ns | sha512sum | cut -c1-20
    'CNI_IFNAME=net1',
    'CNI_NETNS=/ns',
    `CNI_PATH=${folder}/bin`,
  ])
})

test('a name without a slash is one of `ip netns`', () => {
  network({ plugins: [{ type: 'one' }] })
  plugin('one', answering)
  cni('add', 'test', 'blue')
  assert.match(read('one.ADD.env'), /^CNI_NETNS=\/run\/netns\/blue$/m)
})

test('a plugin’s error ends the command with its message, and takes back the rest', () => {
  network({ plugins: [{ type: 'one' }, { type: 'two' }] })
  plugin('one', answering)
  plugin(
    'two',
    `[ $CNI_COMMAND = ADD ] || exit 0; echo '{"code":103,"msg":"no address is left","details":"of 10.9.0.0/24"}'; exit 1`,
  )
  assert.deepEqual(cni('add', 'test', '/ns'), {
    status: 1,
    stdout: '',
    stderr: 'two: no address is left\nof 10.9.0.0/24\n',
  })
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith('DEL.json')),
    ['one.DEL.json', 'two.DEL.json'],
  )
})

test('with -o json an error is the specification’s object on stdout', () => {
  network({ plugins: [{ type: 'one' }] })
  plugin('one', `[ $CNI_COMMAND = STATUS ] && { echo '{"code":50,"msg":"not now"}'; exit 1; }`)
  const { status, stdout } = cni('status', 'test', '-o', 'json')
  assert.equal(status, 1)
  assert.deepEqual(JSON.parse(stdout), { code: 50, msg: 'one: not now' })
})

test('gc deletes what is not valid and hands the valid ones on', () => {
  network({ plugins: [{ type: 'one' }] })
  plugin('one', answering)
  cni('add', 'test', '/ns', '--container-id', 'a')
  cni('add', 'test', '/ns', '--container-id', 'b')
  assert.equal(cni('gc', 'test', '--valid', 'b/eth0').status, 0)
  assert.match(read('one.DEL.env'), /^CNI_CONTAINERID=a$/m)
  assert.deepEqual(JSON.parse(read('one.GC.json'))['cni.dev/valid-attachments'], [{ containerID: 'b', ifname: 'eth0' }])
  assert.deepEqual(readdirSync(join(folder, 'cache/results')), ['test-b-eth0'])
})

test('a network may be a file', () => {
  network({ plugins: [{ type: 'one' }] })
  plugin('one', answering)
  assert.equal(cni('status', `${folder}/net.d/10-test.conflist`).status, 0)
})

test('a configuration that cannot be used is listed with the reason', () => {
  writeFileSync(join(folder, 'net.d/10-bad.conflist'), '{')
  assert.match(cni('list').stdout, /it is not JSON/)
})
