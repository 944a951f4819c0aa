import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { CniError } from '../../src/cni/errors.ts'
import type { NetworkConfig, Plugin } from '../../src/cni/plugin.ts'
import { cniVersions } from '../../src/cni/version.ts'
import { KernelError } from '../../src/kernel/errors.ts'
import { type Call, call } from '../support/run-plugin.ts'

/** A plugin that notes what it was asked. */
function recorder(overrides: Partial<Plugin<NetworkConfig>> = {}) {
  const calls: string[] = []
  const plugin: Plugin<NetworkConfig> = {
    name: 'recorder',
    parseConfig: (config) => config,
    add: ({ containerId, ifName, netns, args }) => {
      calls.push(`ADD ${containerId} ${ifName} ${netns} ${args}`)
      return { interfaces: [], ips: [{ address: '10.1.2.3/24' }], routes: [], dns: {} }
    },
    check: () => void calls.push('CHECK'),
    del: ({ netns }) => void calls.push(`DEL ${netns}`),
    gc: ({ validAttachments }) => void calls.push(`GC ${JSON.stringify(validAttachments)}`),
    status: () => void calls.push('STATUS'),
    ...overrides,
  }
  return { plugin, calls }
}

const environment = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/run/netns/c1',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/opt/cni/bin',
}
const stdin = { cniVersion: '1.1.0', name: 'lan', type: 'recorder' }

const without = (...names: string[]) =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !names.includes(name)))

function run(call_: Call = {}) {
  const { plugin, calls } = recorder()
  return { calls, ...call(plugin, { environment, stdin, ...call_ }) }
}

test("ADD prints its result as one document in the configuration's version, and exits with 0", () => {
  const { status, stdout, calls } = run({ environment: { ...environment, CNI_ARGS: 'A=1' } })
  assert.equal(status, 0)
  assert.deepEqual(calls, ['ADD c1 eth0 /run/netns/c1 A=1'])
  assert.equal(
    stdout,
    '{\n    "cniVersion": "1.1.0",\n    "ips": [\n        {\n            "address": "10.1.2.3/24"\n        }\n    ]\n}',
  )
})

for (const verb of ['CHECK', 'DEL', 'GC', 'STATUS']) {
  test(`${verb} prints nothing and exits with 0`, () => {
    const { status, stdout, calls } = run({ environment: { ...environment, CNI_COMMAND: verb } })
    assert.deepEqual([status, stdout, calls.length], [0, '', 1])
    assert.match(calls[0]!, new RegExp(`^${verb}`))
  })
}

for (const verb of ['GC', 'STATUS']) {
  test(`${verb} of a plugin that has none succeeds`, () => {
    const { plugin } = recorder()
    const { gc: _gc, status: _status, ...rest } = plugin
    const outcome = call(rest, { environment: { ...environment, CNI_COMMAND: verb }, stdin })
    assert.deepEqual([outcome.status, outcome.stdout], [0, ''])
  })
}

describe('without CNI_COMMAND', () => {
  for (const [name, given] of Object.entries({ absent: {}, empty: { CNI_COMMAND: '' } })) {
    test(`(${name}) the plugin introduces itself on stderr and exits with 0`, () => {
      const { status, stdout, stderr, calls } = run({ environment: given, stdin: '', options: { release: '0.1.0' } })
      assert.deepEqual([status, stdout, calls.length], [0, '', 0])
      assert.equal(
        stderr,
        'CNI recorder plugin overlab 0.1.0\nCNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n',
      )
    })
  }
})

describe('VERSION', () => {
  const command = { CNI_COMMAND: 'VERSION' }
  const rows: { name: string; stdin: Call['stdin']; cniVersion: string }[] = [
    { name: 'echoes the version on stdin', stdin: { cniVersion: '0.4.0' }, cniVersion: '0.4.0' },
    { name: 'echoes a version that it does not know', stdin: { cniVersion: '9.9.9' }, cniVersion: '9.9.9' },
    { name: 'says the newest when stdin is empty', stdin: '', cniVersion: '1.1.0' },
    { name: 'says the newest when stdin is no JSON', stdin: '{', cniVersion: '1.1.0' },
    { name: 'says the newest when the version is no string', stdin: { cniVersion: 1 }, cniVersion: '1.1.0' },
  ]
  for (const { name, stdin, cniVersion } of rows) {
    test(name, () => {
      const { status, json } = run({ environment: command, stdin })
      assert.equal(status, 0)
      assert.deepEqual(json, { cniVersion, supportedVersions: cniVersions })
    })
  }
  test('waits a second, no longer, at a terminal', () => {
    const { plugin } = recorder()
    const { status, json, host } = call(plugin, { environment: command })
    assert.deepEqual([status, json.cniVersion, host.monotonic()], [0, '1.1.0', 1_001_000])
  })
  test("tells a plugin's own list", () => {
    const { plugin } = recorder({ versions: ['0.4.0', '1.0.0'] })
    const { json } = call(plugin, { environment: command })
    assert.deepEqual(json.supportedVersions, ['0.4.0', '1.0.0'])
  })
})

describe('the environment is refused with code 4:', () => {
  const rows: { name: string; environment: Record<string, string>; message: RegExp }[] = [
    ...['FROB', 'add', 'UPDATE', 'version', 'toString', '__proto__'].map((command) => ({
      name: `CNI_COMMAND ${command}`,
      environment: { ...environment, CNI_COMMAND: command },
      message: /^Cannot carry out CNI_COMMAND ".*": give one of ADD, CHECK, DEL, GC, STATUS, VERSION$/,
    })),
    ...['ADD', 'CHECK'].flatMap((verb) =>
      ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'].map((name) => ({
        name: `${verb} without ${name}`,
        environment: { ...without(name), CNI_COMMAND: verb },
        message: new RegExp(`^Cannot carry out ${verb}: the environment lacks ${name}$`),
      })),
    ),
    ...['CNI_CONTAINERID', 'CNI_IFNAME'].map((name) => ({
      name: `DEL without ${name}`,
      environment: { ...without(name), CNI_COMMAND: 'DEL' },
      message: new RegExp(`lacks ${name}$`),
    })),
    {
      name: 'ADD without any of them, which are told in one list',
      environment: { CNI_COMMAND: 'ADD' },
      message: /lacks CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME$/,
    },
    { name: 'an empty one', environment: { ...environment, CNI_CONTAINERID: '' }, message: /lacks CNI_CONTAINERID$/ },
    {
      name: 'a bad one before a missing one',
      environment: { ...without('CNI_NETNS'), CNI_CONTAINERID: '../evil' },
      message: /^Cannot use CNI_CONTAINERID "..\/evil": use letters/,
    },
    { name: 'GC without CNI_PATH', environment: { CNI_COMMAND: 'GC' }, message: /lacks CNI_PATH$/ },
    ...['../evil', '-x', 'a b', 'a/b', '.x', '_x', 'ä', 'a\n'].map((id) => ({
      name: `container id ${JSON.stringify(id)}`,
      environment: { ...environment, CNI_CONTAINERID: id },
      message: /^Cannot use CNI_CONTAINERID/,
    })),
    ...['abcdefghijklmnop', 'éééééééé', '.', '..', 'a/b', 'a:b', 'a b', 'a\tb', 'a\u00a0b', 'a\u0085b', 'a\u2003'].map(
      (name) => ({
        name: `interface name ${JSON.stringify(name)}`,
        environment: { ...environment, CNI_IFNAME: name },
        message: /^Cannot use CNI_IFNAME/,
      }),
    ),
  ]
  for (const { name, environment, message } of rows) {
    test(name, () => {
      const { status, json, calls } = run({ environment })
      assert.deepEqual([status, json.code, json.cniVersion, calls.length], [1, 4, '1.1.0', 0])
      assert.match(json.msg, message)
    })
  }
})

describe('the environment is good enough:', () => {
  const rows: { name: string; environment: Record<string, string> }[] = [
    { name: 'ADD without CNI_PATH', environment: without('CNI_PATH') },
    { name: 'DEL without CNI_NETNS', environment: { ...without('CNI_NETNS'), CNI_COMMAND: 'DEL' } },
    { name: 'DEL with an empty CNI_NETNS', environment: { ...environment, CNI_NETNS: '', CNI_COMMAND: 'DEL' } },
    { name: 'STATUS alone', environment: { CNI_COMMAND: 'STATUS' } },
    { name: 'GC with CNI_PATH', environment: { CNI_COMMAND: 'GC', CNI_PATH: '/' } },
    {
      name: 'GC with a bad interface name that it does not need',
      environment: { CNI_COMMAND: 'GC', CNI_PATH: '/', CNI_IFNAME: '..' },
    },
    { name: 'a container id with every character', environment: { ...environment, CNI_CONTAINERID: 'ok.x-1_2' } },
    { name: 'an interface name of 15 bytes', environment: { ...environment, CNI_IFNAME: 'abcdefghijklmno' } },
    { name: 'a byte order mark in it, no white space to Go', environment: { ...environment, CNI_IFNAME: '\ufeffa' } },
  ]
  for (const { name, environment } of rows) {
    test(name, () => assert.equal(run({ environment }).status, 0))
  }
})

describe('the configuration is refused', () => {
  const rows: { name: string; stdin: Call['stdin']; code: number; verb?: string; message?: RegExp }[] = [
    {
      name: 'that is no JSON',
      stdin: '{bad',
      code: 6,
      message: /^Cannot decode the configuration on stdin at character 1/,
    },
    { name: 'that is empty', stdin: '', code: 6 },
    {
      name: 'that is a list',
      stdin: '[]',
      code: 6,
      message: /^Cannot use the document: it is an array, give an object/,
    },
    { name: 'that is a string', stdin: '"x"', code: 6 },
    { name: 'that starts with a byte order mark', stdin: '\ufeff{"name":"x"}', code: 6 },
    { name: 'with something behind it', stdin: '{"name":"x"} trailing', code: 6 },
    { name: 'whose name is a number', stdin: { name: 7 }, code: 6 },
    { name: 'whose version is a number', stdin: { name: 'x', cniVersion: 1 }, code: 6 },
    { name: 'that is null', stdin: 'null', code: 7, message: /give "name"$/ },
    { name: 'without name', stdin: {}, code: 7 },
    { name: 'whose name is empty', stdin: { name: '' }, code: 7 },
    ...['a/b', '../x', '-x', 'a b', 'ä', 'x\n'].map((name) => ({
      name: `whose name is ${JSON.stringify(name)}`,
      stdin: { name },
      code: 7,
      message: /^Cannot use "name"/,
    })),
    { name: 'without name before a bad version', stdin: { cniVersion: '9.9.9' }, code: 7 },
    ...['9.9.9', '1.2.0', '1.0', '1', 'abc', '1.0.0.0', '01.0.0', ' 1.0.0'].map((cniVersion) => ({
      name: `of version ${cniVersion}`,
      stdin: { ...stdin, cniVersion },
      code: 1,
    })),
    ...['9.9.9', '1.2.0', '1.0'].map((cniVersion) => ({
      name: `of version ${cniVersion} in CHECK`,
      verb: 'CHECK',
      stdin: { ...stdin, cniVersion },
      code: 1,
    })),
    ...['CHECK', 'GC', 'STATUS'].flatMap((verb) =>
      ['abc', '1.0.0.0', '1..0', '-1.0.0'].map((cniVersion) => ({
        name: `of version ${cniVersion} in ${verb}`,
        verb,
        stdin: { ...stdin, cniVersion },
        code: 6,
      })),
    ),
    ...['0.1.0', '0.2.0', '0.3.0', '0.3.1', undefined].map((cniVersion) => ({
      name: `of version ${cniVersion} in CHECK`,
      verb: 'CHECK',
      stdin: { ...stdin, cniVersion },
      code: 1,
      message: /^Cannot carry out CHECK: "cniVersion" is "0\.[123]\.[01]", which knows no CHECK; use "0.4.0" or newer$/,
    })),
    ...['GC', 'STATUS'].flatMap((verb) =>
      ['0.4.0', '1.0.0', undefined].map((cniVersion) => ({
        name: `of version ${cniVersion} in ${verb}`,
        verb,
        stdin: { ...stdin, cniVersion },
        code: 1,
      })),
    ),
  ]
  for (const { name, stdin, code, verb = 'ADD', message = /./ } of rows) {
    test(`${name}: code ${code}`, () => {
      const { status, json, calls } = run({ environment: { ...environment, CNI_COMMAND: verb }, stdin })
      assert.deepEqual([status, json.code, calls.length], [1, code, 0])
      assert.match(json.msg, message)
    })
  }
})

for (const cniVersion of cniVersions) {
  test(`a configuration of version ${cniVersion} is taken`, () => {
    const { status, json } = run({ stdin: { ...stdin, cniVersion } })
    assert.deepEqual([status, json.cniVersion], [0, cniVersion])
  })
}

test("a version that is not among the plugin's own is refused with the list in the details", () => {
  const { plugin } = recorder({ versions: ['0.4.0', '1.0.0'] })
  const { json } = call(plugin, { environment, stdin: { ...stdin, cniVersion: '0.3.1' } })
  assert.equal(json.code, 1)
  assert.equal(json.details, 'config is "0.3.1", plugin supports ["0.4.0" "1.0.0"]')
})

test('a configuration without version is one of 0.1.0', () => {
  const { json } = run({ stdin: { name: 'lan' } })
  assert.deepEqual(json, { cniVersion: '0.1.0', ip4: { ip: '10.1.2.3/24' }, dns: {} })
})

test('an error says the version in use', () => {
  const { plugin } = recorder({
    add: () => {
      throw new CniError(102, 'Cannot do it', { details: 'because' })
    },
  })
  const { status, json } = call(plugin, { environment, stdin: { ...stdin, cniVersion: '0.4.0' } })
  assert.equal(status, 1)
  assert.deepEqual(json, { cniVersion: '0.4.0', code: 102, msg: 'Cannot do it', details: 'because' })
})

describe('our own namespace', () => {
  const files = { '/proc/self/ns/net': '', '/run/netns/c1': '' }
  const own = { ...environment, CNI_NETNS: '/proc/self/ns/net' }

  for (const verb of ['ADD', 'DEL']) {
    test(`is refused by ${verb} before any work, with one document of code 8`, () => {
      const { status, json, calls } = run({ files, environment: { ...own, CNI_COMMAND: verb } })
      assert.deepEqual([status, json.code, calls], [1, 8, []])
      assert.match(json.msg, /^Cannot use CNI_NETNS "\/proc\/self\/ns\/net": it is the namespace that the plugin/)
    })
  }
  for (const CNI_NETNS_OVERRIDE of ['1', 'TRUE', 'true', 'True']) {
    test(`is taken with CNI_NETNS_OVERRIDE=${CNI_NETNS_OVERRIDE}`, () => {
      assert.equal(run({ files, environment: { ...own, CNI_NETNS_OVERRIDE } }).status, 0)
    })
  }
  for (const CNI_NETNS_OVERRIDE of ['', '0', 'yes']) {
    test(`is refused with CNI_NETNS_OVERRIDE=${CNI_NETNS_OVERRIDE}`, () => {
      assert.equal(run({ files, environment: { ...own, CNI_NETNS_OVERRIDE } }).json.code, 8)
    })
  }
  test('is not meant by another one', () => assert.equal(run({ files }).status, 0))
  test('is left alone by CHECK', () => {
    assert.equal(run({ files, environment: { ...own, CNI_COMMAND: 'CHECK' } }).status, 0)
  })
})

describe('GC learns who lives on', () => {
  const gc = { CNI_COMMAND: 'GC', CNI_PATH: '/opt/cni/bin' }
  const c1 = { containerID: 'c1', ifname: 'eth0' }
  const rows = [
    { name: 'from cni.dev/valid-attachments', keys: { 'cni.dev/valid-attachments': [c1] }, ids: ['c1'] },
    { name: 'from the old key', keys: { 'cni.dev/attachments': [c1] }, ids: ['c1'] },
    {
      name: 'from the new key where both are given',
      keys: { 'cni.dev/attachments': [], 'cni.dev/valid-attachments': [c1] },
      ids: ['c1'],
    },
    { name: 'nobody from an empty list', keys: { 'cni.dev/valid-attachments': [] }, ids: [] },
    { name: 'nobody where there is no list, as from "cnitool gc"', keys: {}, ids: [] },
    { name: 'nobody from null', keys: { 'cni.dev/valid-attachments': null }, ids: [] },
  ]
  for (const { name, keys, ids } of rows) {
    test(name, () => {
      const { calls } = run({ environment: gc, stdin: { ...stdin, ...keys } })
      assert.deepEqual(calls, [`GC ${JSON.stringify(ids.map((containerId) => ({ containerId, ifName: 'eth0' })))}`])
    })
  }
  test('or refuses a list that is none', () => {
    const { json, calls } = run({ environment: gc, stdin: { ...stdin, 'cni.dev/valid-attachments': 'c1' } })
    assert.deepEqual([json.code, calls], [6, []])
  })
})

describe('prevResult', () => {
  const wrong = { ...stdin, prevResult: { cniVersion: '0.4.0', ips: [] } }
  const rows = [
    { name: "of the configuration's version is taken", prevResult: { cniVersion: '1.1.0' }, code: undefined },
    { name: 'without version is taken', prevResult: {}, code: undefined },
    { name: 'of a version with the same shape is taken', prevResult: { cniVersion: '1.0.0' }, code: undefined },
    { name: 'of another version is refused', prevResult: { cniVersion: '0.4.0' }, code: 7 },
    { name: 'of an unknown version is refused', prevResult: { cniVersion: '9.9.9' }, code: 1 },
    { name: 'that is no object is refused', prevResult: [], code: 6 },
    { name: 'with an address that is none is refused', prevResult: { ips: [{ address: 'x' }] }, code: 7 },
  ]
  for (const { name, prevResult, code } of rows) {
    test(name, () => {
      const { json } = run({ stdin: { ...stdin, prevResult } })
      assert.equal(json.code, code)
    })
  }
  for (const verb of ['DEL', 'GC', 'STATUS']) {
    test(`that is wrong does not stop ${verb}`, () => {
      assert.equal(run({ environment: { ...environment, CNI_COMMAND: verb }, stdin: wrong }).status, 0)
    })
  }
})

test('a result that the version cannot say is taken back by DEL', () => {
  const { plugin, calls } = recorder({ add: () => ({ interfaces: [], ips: [], routes: [], dns: {} }) })
  const { status, json } = call(plugin, { environment, stdin: { ...stdin, cniVersion: '0.2.0' } })
  assert.deepEqual([status, json.code, calls], [1, 7, ['DEL /run/netns/c1']])
  assert.match(json.msg, /use "cniVersion" 0.3.0 or newer$/)
})

describe('what goes wrong inside becomes one error object:', () => {
  const rows: { error: unknown; code: number; message: RegExp }[] = [
    {
      error: new KernelError('EPERM', 'add link "eth0"'),
      code: 100,
      message: /^Cannot add link "eth0": EPERM; run the plugin as root/,
    },
    { error: new KernelError('EEXIST', 'add link "eth0"'), code: 102, message: /remove it or choose another$/ },
    {
      error: new KernelError('ERANGE', 'set mtu', 'too big'),
      code: 7,
      message: /^Cannot set mtu: too big \(ERANGE\); the kernel does not/,
    },
    { error: new KernelError('EOPNOTSUPP', 'add vlan'), code: 100, message: /this kernel lacks the feature/ },
    { error: new KernelError('ENOSPC', 'write "/var/lib/x"'), code: 5, message: /make room/ },
    { error: new KernelError('EBUSY', 'do it'), code: 11, message: /try again later$/ },
    { error: new KernelError('E4711', 'do it'), code: 100, message: /^Cannot do it: E4711$/ },
    { error: new RangeError('boom'), code: 999, message: /a defect of overlab .*: boom$/ },
    { error: 'a string', code: 999, message: /: a string$/ },
    { error: undefined, code: 999, message: /: undefined$/ },
  ]
  for (const { error, code, message } of rows) {
    test(String(error), () => {
      const { plugin } = recorder({
        add: () => {
          throw error
        },
      })
      const { status, json } = call(plugin, { environment, stdin })
      assert.deepEqual([status, json.code], [1, code])
      assert.match(json.msg, message)
    })
  }
})

test('any bytes on stdin and any environment end in one document or none, and a status that fits', () => {
  const name = fc.constantFrom('CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_PATH', 'CNI_ARGS')
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION', 'c1', 'eth0', '/'),
  )
  const key = fc.constantFrom('cniVersion', 'name', 'prevResult', 'ipam', 'dns', 'cni.dev/attachments', 'type')
  const member = fc.oneof(fc.jsonValue(), fc.constantFrom('1.1.0', '0.2.0', 'lan', {}, []))
  const document = fc.dictionary(key, member).map((members) => JSON.stringify({ ...stdin, ...members }))
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 64 }), fc.json(), document)
  const environments = fc.oneof(
    fc.dictionary(name, value),
    fc.dictionary(name, value).map((given) => ({ ...environment, ...given })),
  )
  fc.assert(
    fc.property(environments, bytes, (environment, stdin) => {
      const { status, json } = run({ environment, stdin }) // parses stdout: garbage throws
      if (status === 0) assert.equal(json?.code, undefined)
      else {
        assert.equal(status, 1)
        assert.ok(Number.isInteger(json.code) && json.code > 0 && json.code !== 999, JSON.stringify(json))
        assert.ok(json.msg.length > 0 && cniVersions.includes(json.cniVersion))
      }
    }),
    { numRuns: 2000 },
  )
})
