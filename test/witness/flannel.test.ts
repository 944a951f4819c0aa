/**
 * The executable `flannel`, called as a runtime calls it: with delegates that write down what they are given, as those did
 * with which test/conformance/flannel-cni-golden.json was recorded, and with our own bridge in real containers.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'vitest'
import { run } from '../support/command.ts'

const executable = join(import.meta.dirname, '../../cni-bin/overlab-cni')
const golden = join(import.meta.dirname, '../conformance/flannel-cni-golden.json')

const STATE = '/run/state'
const SUBNET_FILE = `${STATE}/subnet.env`
const SCRATCHES = `${STATE}/scratch`
const RESERVATIONS = `${STATE}/networks/pods`
const RECORD = `${STATE}/record`
const TRACE = '/run/trace'

const env4 = 'FLANNEL_NETWORK=10.1.0.0/16\nFLANNEL_SUBNET=10.1.17.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n'
const places = { subnetFile: SUBNET_FILE, dataDir: SCRATCHES }
const network = {
  ...places,
  cniVersion: '1.1.0',
  name: 'pods',
  type: 'flannel',
  delegate: { isDefaultGateway: true },
  ipam: { dataDir: `${STATE}/networks` },
}

/** Where the plugins of the test are. */
let folder: string

beforeEach(() => {
  folder = mkdtempSync('/run/plugins-')
  copyFileSync(executable, join(folder, 'flannel'))
  mkdirSync(STATE)
  writeFileSync(SUBNET_FILE, env4)
})
afterEach(() => {
  for (const path of [folder, STATE]) rmSync(path, { recursive: true })
})

interface Answer {
  readonly status: number | null
  readonly stderr: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was printed
  readonly json: any
}

function ask(verb: string, configuration: object, ifName = 'eth0', by: readonly string[] = []): Answer {
  const [program, ...args] = [...by, join(folder, 'flannel')]
  const { status, stdout, stderr, error } = spawnSync(program!, args, {
    input: JSON.stringify(configuration),
    env: {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: 'c1',
      CNI_NETNS: '/run/netns/c1',
      CNI_IFNAME: ifName,
      CNI_PATH: folder,
      PATH: process.env.PATH,
    },
    encoding: 'utf8',
    timeout: 30_000,
  })
  if (error) throw error
  return { status, stderr, json: stdout === '' ? undefined : JSON.parse(stdout) }
}

/** A delegate that appends its verb and stdin to a file, and then does as it is told. */
function writeDelegate(name: string, ending = `echo '{"ip4":{"ip":"10.1.17.2/24"}}'`): void {
  const script = `#!/bin/sh\necho "$0 $CNI_COMMAND" >> ${RECORD}\ncat >> ${RECORD}\necho >> ${RECORD}\n${ending}\n`
  writeFileSync(join(folder, name), script, { mode: 0o755 })
}

/** What delegates were asked: name and verb, and what they were given. */
function recorded(): [string, unknown][] {
  const lines = readFileSync(RECORD, 'utf8').trimEnd().split('\n')
  return lines.flatMap((line, i): [string, unknown][] =>
    i % 2 === 0 ? [[line.slice(folder.length + 1), JSON.parse(lines[i + 1]!)]] : [],
  )
}

const scratches = () => readdirSync(SCRATCHES).sort()

describe('gives to the delegate what flannel gives it', () => {
  for (const { case: title, conf, subnetEnv, delegatePlugin, delegate, error } of JSON.parse(
    readFileSync(golden, 'utf8'),
  )) {
    test(title, () => {
      if (subnetEnv === null) rmSync(SUBNET_FILE)
      else writeFileSync(SUBNET_FILE, subnetEnv)
      writeDelegate(delegatePlugin ?? 'bridge')
      const { status, json, stderr } = ask('ADD', { ...conf, ...places })
      if (!delegate) {
        assert.equal(status, 1)
        if (error?.code === 999) assert.equal(json.msg, error.msg.replaceAll('<subnetFile>', SUBNET_FILE))
        return
      }
      assert.deepEqual([status, stderr], [0, ''])
      assert.deepEqual(recorded(), [[`${delegatePlugin} ADD`, delegate]])
      assert.deepEqual(JSON.parse(readFileSync(`${SCRATCHES}/c1`, 'utf8')), delegate)
    })
  }
})

test('a DEL that the delegate refuses can be called again, and asks it again', () => {
  writeDelegate('bridge')
  assert.equal(ask('ADD', { ...network, cniVersion: '0.2.0' }).status, 0)
  writeDelegate('bridge', `echo '{"code":11,"msg":"not now"}'; exit 1`)
  const { status, json } = ask('DEL', network)
  assert.deepEqual([status, json.code, json.msg, scratches()], [1, 11, 'not now', ['c1']])
  writeDelegate('bridge', '')
  for (let i = 0; i < 2; i++) assert.equal(ask('DEL', network).status, 0)
  assert.deepEqual(
    recorded().map(([asked]) => asked),
    ['bridge ADD', 'bridge DEL', 'bridge DEL'],
  )
  assert.deepEqual(scratches(), [])
})

describe('with bridge and host-local', () => {
  beforeEach(() => void run('ip', 'netns', 'add', 'c1'))
  afterEach(() => void run('ip', 'netns', 'delete', 'c1'))

  const install = (how: (from: string, to: string) => void) => {
    for (const name of ['bridge', 'host-local']) how(join(folder, 'flannel'), join(folder, name))
  }
  const executions = (verb: string, configuration: object): number => {
    const { status, json } = ask(verb, configuration, 'eth0', ['strace', '-f', '-o', TRACE, '-e', 'trace=execve'])
    assert.equal(status, 0, json?.msg)
    return readFileSync(TRACE, 'utf8').match(/execve\(.* = 0$/gm)!.length
  }
  const addresses = (): string[] =>
    JSON.parse(run('ip', '-n', 'c1', '-j', '-4', 'address', 'show', 'scope', 'global')).flatMap(
      // biome-ignore lint/suspicious/noExplicitAny: what ip prints
      ({ ifname, addr_info }: any) => addr_info.map((each: any) => `${ifname} ${each.local}/${each.prefixlen}`),
    )
  const reserved = () => readdirSync(RESERVATIONS).filter((name) => name.startsWith('10.'))

  for (const [what, how, count] of [
    ['that are its own file, in one process', linkSync, 1],
    ['that are other files, by executing them', copyFileSync, 3],
  ] as const) {
    test(`attaches a container by plugins ${what}`, () => {
      install(how)
      assert.equal(executions('ADD', network), count)
      assert.deepEqual(addresses(), ['eth0 10.1.17.2/24'])
      const [route] = JSON.parse(run('ip', '-n', 'c1', '-j', 'route', 'show', '10.1.0.0/16'))
      assert.deepEqual([route.gateway, route.dev], ['10.1.17.1', 'eth0'])
      assert.equal(JSON.parse(run('ip', '-n', 'c1', '-j', 'link', 'show', 'eth0'))[0].mtu, 1450)
      assert.equal(executions('DEL', network), count)
      assert.deepEqual([addresses(), reserved(), scratches()], [[], [], []])
    })
  }

  test('detaches two interfaces of one container, in the order in which they came too', () => {
    install(linkSync)
    for (const ifName of ['eth0', 'net1']) assert.equal(ask('ADD', { ...network, delegate: {} }, ifName).status, 0)
    assert.deepEqual(addresses(), ['eth0 10.1.17.2/24', 'net1 10.1.17.3/24'])
    for (const ifName of ['eth0', 'net1']) assert.equal(ask('DEL', network, ifName).status, 0)
    assert.deepEqual([addresses(), reserved(), scratches()], [[], [], []])
  })

  test('a CHECK fails when a route of the container has gone', () => {
    install(linkSync)
    const prevResult = ask('ADD', network).json
    assert.equal(ask('CHECK', { ...network, prevResult }).status, 0)
    run('ip', '-n', 'c1', 'route', 'delete', 'default')
    const { status, json } = ask('CHECK', { ...network, prevResult })
    assert.deepEqual([status, json.code], [1, 101])
    assert.equal(ask('DEL', network).status, 0)
  })

  test('an ADD that is killed before the delegate is done leaves to DEL all it needs', () => {
    install(linkSync)
    const kill = ['strace', '-f', '-o', TRACE, '-e', 'inject=sendto:signal=KILL:when=3']
    assert.notEqual(ask('ADD', network, 'eth0', kill).status, 0)
    assert.deepEqual(scratches(), ['c1'])
    assert.equal(ask('DEL', network).status, 0)
    assert.deepEqual([addresses(), scratches()], [[], []])
    assert.equal(ask('ADD', network).status, 0)
    assert.equal(ask('DEL', network).status, 0)
  })
})
