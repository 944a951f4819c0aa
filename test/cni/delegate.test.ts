import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { CniError } from '../../src/cni/errors.ts'
import type { CniResult, NetworkConfig, Plugin } from '../../src/cni/plugin.ts'
import { KernelError } from '../../src/kernel/errors.ts'
import type { Program } from '../support/memory-host.ts'
import { type Call, call } from '../support/run-plugin.ts'

/** Asks its IPAM plugin whatever it is asked, and tells on stderr what it was given. */
const upper: Plugin<NetworkConfig> = {
  name: 'upper',
  parseConfig: (config) => config,
  add(_request, { ipam, host }) {
    const result = ipam.add()
    host.writeStderr(JSON.stringify(result))
    return result
  },
  check: (_request, { ipam }) => ipam.check(),
  del: (_request, { ipam }) => ipam.del(),
  status: (_request, { ipam }) => ipam.status(),
  gc: (_request, { ipam }) => ipam.gc(),
}

const given: CniResult = {
  interfaces: [],
  ips: [{ address: '10.1.2.3/24', gateway: '10.1.2.1' }],
  routes: [{ dst: '0.0.0.0/0' }],
  dns: { domain: 'x' },
}

function recorder(answer: () => CniResult = () => given) {
  const calls: string[] = []
  const note = (verb: string) => () => void calls.push(verb)
  const plugin: Plugin<NetworkConfig> = {
    name: 'pool',
    parseConfig: (config) => config,
    add: ({ containerId, config }) => {
      calls.push(`ADD ${containerId} ${config.json.object('ipam')?.string('subnet')}`)
      return answer()
    },
    check: note('CHECK'),
    del: note('DEL'),
    status: note('STATUS'),
    gc: ({ validAttachments }) => void calls.push(`GC ${validAttachments.length}`),
  }
  return { plugin, calls }
}

const environment = {
  CNI_COMMAND: 'ADD',
  CNI_CONTAINERID: 'c1',
  CNI_NETNS: '/run/netns/c1',
  CNI_IFNAME: 'eth0',
  CNI_PATH: '/first:/opt/cni/bin',
  HOME: '/root',
}
const configuration = { cniVersion: '1.1.0', name: 'lan', type: 'upper', ipam: { type: 'pool', subnet: '10.1.2.0/24' } }
const printed = JSON.stringify({ cniVersion: '1.1.0', ...given })

const executed = (program: Program, rest: Call = {}) =>
  call(upper, { environment, stdin: configuration, programs: { '/opt/cni/bin/pool': program }, ...rest })

test('a foreign plugin gets the same stdin, our environment and the verb', () => {
  let seen: Readonly<Record<string, string>> = {}
  const stdin = `{"cniVersion":"1.1.0", "name":"lan",\n"IPAM":{"type":"pool"},"x":1500.0}`
  const { json, host } = executed(
    (environment) => {
      seen = environment
      return { stdout: printed }
    },
    { stdin },
  )
  assert.deepEqual(json, { cniVersion: '1.1.0', ips: given.ips, routes: given.routes, dns: given.dns })
  assert.deepEqual(host.runs, [{ path: '/opt/cni/bin/pool', command: 'ADD', stdin }])
  assert.deepEqual(seen, environment)
})

for (const verb of ['CHECK', 'DEL', 'STATUS', 'GC']) {
  test(`${verb} is handed on`, () => {
    const { status, stdout, host } = executed(() => ({ stdout: '' }), {
      environment: { ...environment, CNI_COMMAND: verb },
    })
    assert.deepEqual([status, stdout, host.runs.map(({ command }) => command)], [0, '', [verb]])
  })
}

describe('our own plugin is called in this process', () => {
  const own = { ownNames: ['/opt/cni/bin/pool'] }

  for (const [verb, noted] of [
    ['ADD', 'ADD c1 10.1.2.0/24'],
    ['CHECK', 'CHECK'],
    ['DEL', 'DEL'],
    ['STATUS', 'STATUS'],
    ['GC', 'GC 0'],
  ]) {
    test(`for ${verb}`, () => {
      const { plugin, calls } = recorder()
      const outcome = call(upper, {
        environment: { ...environment, CNI_COMMAND: verb! },
        stdin: configuration,
        options: { delegates: [plugin] },
        ...own,
      })
      assert.deepEqual([outcome.status, calls, outcome.host.runs], [0, [noted], []])
    })
  }

  test('but executed when another one comes first on CNI_PATH', () => {
    const { plugin, calls } = recorder()
    const { host } = executed(() => ({}), {
      ...own,
      programs: { '/first/pool': () => ({ stdout: printed }) },
      options: { delegates: [plugin] },
    })
    assert.deepEqual([calls, host.runs.map(({ path }) => path)], [[], ['/first/pool']])
  })

  test('but executed when the file is a copy, not a link', () => {
    const { plugin, calls } = recorder()
    const { host } = executed(() => ({ stdout: printed }), { options: { delegates: [plugin] } })
    assert.deepEqual([calls, host.runs.length], [[], 1])
  })

  test('but executed when the entry does not list it', () => {
    const { json, host } = call(upper, { environment, stdin: configuration, ...own })
    assert.equal(json.code, 104) // the executable's other name is no program to this host
    assert.equal(host.runs.length, 0)
  })

  for (const cniVersion of ['0.2.0', '0.4.0', '1.0.0']) {
    test(`and answers as if it were executed, in ${cniVersion}`, () => {
      const many = {
        ...given,
        ips: [...given.ips, { address: '10.1.9.9/24' }, { address: 'fd00::3/64' }],
        routes: [{ dst: '10.0.0.0/8', mtu: 1400 }, { dst: '::/0' }],
      }
      const { plugin } = recorder(() => many)
      const stdin = { ...configuration, cniVersion }
      const inside = call(upper, { environment, stdin, options: { delegates: [plugin] }, ...own })
      const outside = executed(() => call(plugin, { environment, stdin }), { stdin })
      assert.equal(inside.status, 0)
      assert.equal(inside.stdout, outside.stdout)
      assert.deepEqual(JSON.parse(inside.stderr), JSON.parse(outside.stderr))
    })
  }

  test('and fails with the same error', () => {
    const fail = () => {
      throw new CniError(103, 'Cannot give an address', { details: 'none left' })
    }
    const { plugin } = recorder(fail)
    const inside = call(upper, { environment, stdin: configuration, options: { delegates: [plugin] }, ...own })
    const outside = executed(() => call(plugin, { environment, stdin: configuration }))
    assert.deepEqual(inside.json, {
      cniVersion: '1.1.0',
      code: 103,
      msg: 'Cannot give an address',
      details: 'none left',
    })
    assert.deepEqual(outside.json, inside.json)
  })
})

describe('a plugin that is given a configuration of its own', () => {
  const own = '{"name":"lan", "type":"pool","cniVersion":"0.4.0","ipam":{"type":"inner"}}'
  /** Hands its verb on with that configuration; DEL for another attachment. */
  const giving = (configuration: string): Plugin<NetworkConfig> => ({
    name: 'upper',
    parseConfig: (config) => config,
    add: (_request, { delegateTo }) => delegateTo(configuration).add(),
    check: (_request, { delegateTo }) => delegateTo(configuration).check(),
    del: (_request, { delegateTo }) => delegateTo(configuration, { containerId: 'c2', ifName: 'net1' }).del(),
  })
  const asked = (verb: string, configuration: string, rest: Call = {}) =>
    call(giving(configuration), {
      environment: { ...environment, CNI_COMMAND: verb },
      stdin: configuration,
      ...rest,
    })

  test('is executed with that, and its result is of that version', () => {
    const { json, host } = asked('ADD', own, {
      programs: { '/opt/cni/bin/pool': () => ({ stdout: '{"ips":[{"version":"4","address":"10.1.2.3/24"}]}' }) },
    })
    assert.deepEqual(json.ips, [{ version: '4', address: '10.1.2.3/24' }])
    assert.deepEqual(host.runs, [{ path: '/opt/cni/bin/pool', command: 'ADD', stdin: own }])
  })

  test('for another attachment is executed without the namespace of this one', () => {
    let seen: Readonly<Record<string, string>> = {}
    asked('DEL', own, {
      programs: {
        '/opt/cni/bin/pool': (environment) => {
          seen = environment
          return {}
        },
      },
    })
    const { CNI_NETNS: _, ...kept } = environment
    assert.deepEqual(seen, { ...kept, CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'c2', CNI_IFNAME: 'net1' })
  })

  test('is called in this process if it is ours, and calls its own IPAM plugin so', () => {
    const calls: unknown[] = []
    const pool: Plugin<NetworkConfig> = {
      name: 'pool',
      parseConfig: (config) => config,
      add({ containerId, netns, config }, { ipam }) {
        calls.push(['pool', containerId, netns, config.cniVersion])
        return ipam.add()
      },
      check: () => assert.fail('nobody asks'),
      del: ({ containerId, ifName, netns }) => void calls.push(['pool', containerId, ifName, netns]),
    }
    const inner: Plugin<NetworkConfig> = {
      ...pool,
      name: 'inner',
      add({ config }) {
        calls.push(['inner', config.json.string('type')])
        return given
      },
    }
    const ours = {
      ownNames: ['/opt/cni/bin/pool', '/opt/cni/bin/inner'],
      options: { delegates: [pool, inner] },
    }
    const { json, host } = asked('ADD', own, ours)
    assert.deepEqual(json.ips, [{ version: '4', ...given.ips[0] }])
    asked('DEL', own, ours)
    assert.deepEqual(calls, [
      ['pool', 'c1', '/run/netns/c1', '0.4.0'],
      ['inner', 'pool'],
      ['pool', 'c2', 'net1', ''],
    ])
    assert.deepEqual(host.runs, [])
  })

  test('refuses a version that it does not know, called or executed', () => {
    const { plugin, calls } = recorder()
    const configuration = own.replace('0.4.0', '0.9.0')
    const stdin = own // ours may be one that we know
    const inside = asked('ADD', configuration, {
      stdin,
      ownNames: ['/opt/cni/bin/pool'],
      options: { delegates: [plugin] },
    })
    const outside = asked('ADD', configuration, {
      stdin,
      programs: { '/opt/cni/bin/pool': (environment, stdin) => call(plugin, { environment, stdin }) },
    })
    assert.equal(inside.json.code, 1)
    assert.deepEqual({ ...inside.json, cniVersion: '' }, { ...outside.json, cniVersion: '' })
    assert.deepEqual(calls, [])
  })

  for (const [what, configuration, message] of [
    ['is no JSON', '{', /Cannot decode the delegate's configuration/],
    ['names no network', '{"type":"pool"}', /Cannot find the network's name/],
    ['names no plugin', '{"name":"lan"}', /Cannot find a plugin without a name/],
  ] as const) {
    test(`is not looked for when that ${what}`, () => {
      assert.match(asked('ADD', configuration, { stdin: own }).json.msg, message)
    })
  }
})

describe('a plugin is not found', () => {
  const rows = [
    {
      name: 'that is nowhere',
      ipam: { type: 'nosuch' },
      message: /^Cannot find plugin "nosuch" on CNI_PATH "\/first:\/opt\/cni\/bin"/,
    },
    { name: 'whose name is a path', ipam: { type: '../pool' }, message: /^Cannot use "type" "..\/pool"/ },
    { name: 'that has no name', ipam: {}, message: /^Cannot find a plugin without a name/ },
    { name: 'where there is no ipam', ipam: undefined, message: /^Cannot find a plugin without a name/ },
    { name: 'where a directory has its name', ipam: { type: 'cni' }, message: /^Cannot find plugin "cni"/ },
  ]
  for (const { name, ipam, message } of rows) {
    test(name, () => {
      const { status, json } = executed(() => ({}), {
        stdin: { ...configuration, ipam },
        environment: { ...environment, CNI_PATH: name.includes('directory') ? '/opt' : environment.CNI_PATH },
      })
      assert.equal(status, 1)
      assert.match(json.msg, message)
    })
  }
})

describe('a foreign plugin that fails', () => {
  const rows = [
    {
      name: 'with an error object is quoted with its code and details',
      answer: { status: 1, stdout: '{"code":11,"msg":"later","details":"lock"}', stderr: 'noise' },
      error: { cniVersion: '1.1.0', code: 11, msg: 'later', details: 'lock' },
    },
    {
      name: 'with an error object without code has one of ours',
      answer: { status: 1, stdout: '{"msg":"no"}' },
      error: { cniVersion: '1.1.0', code: 104, msg: 'no' },
    },
    {
      name: 'with words on stderr is quoted',
      answer: { status: 2, stderr: 'panic: nil\n' },
      error: { cniVersion: '1.1.0', code: 104, msg: 'Plugin "/opt/cni/bin/pool" ended with status 2: panic: nil' },
    },
    {
      name: 'with garbage on stdout is quoted',
      answer: { status: 1, stdout: 'oops', stderr: 'noise' },
      error: { cniVersion: '1.1.0', code: 104, msg: 'Plugin "/opt/cni/bin/pool" ended with status 1: oops' },
    },
    {
      name: 'without a word is told by its signal',
      answer: { status: 137 },
      error: {
        cniVersion: '1.1.0',
        code: 104,
        msg: 'Plugin "/opt/cni/bin/pool" was ended by signal 9 and gave no reason',
      },
    },
  ]
  for (const { name, answer, error } of rows) {
    test(name, () => {
      const { status, json } = executed(() => answer)
      assert.equal(status, 1)
      assert.deepEqual(json, error)
    })
  }
})

describe('a result of a foreign plugin', () => {
  const rows = [
    { name: "without version is of the configuration's", stdout: '{"ips":[{"address":"10.1.2.3/24"}]}', ips: 1 },
    { name: 'of an older version is read', stdout: '{"cniVersion":"0.2.0","ip4":{"ip":"10.1.2.3/24"}}', ips: 1 },
    { name: 'that is null is empty', stdout: 'null', ips: 0 },
    { name: 'that is nothing is an error', stdout: '', ips: undefined },
    { name: 'that is no JSON is an error', stdout: 'ok', ips: undefined },
    { name: 'that is two documents is an error', stdout: '{}{}', ips: undefined },
    { name: 'with an address that is none is an error', stdout: '{"ips":[{"address":"x"}]}', ips: undefined },
  ]
  for (const { name, stdout, ips } of rows) {
    test(name, () => {
      const { json } = executed(() => ({ stdout }))
      if (ips !== undefined) return assert.equal(json.ips?.length ?? 0, ips)
      assert.equal(json.code, 104)
      assert.match(json.msg, /^Cannot use the result of plugin "\/opt\/cni\/bin\/pool": /)
    })
  }
})

describe('a plugin that is being written (ETXTBSY)', () => {
  const busy = (times: number): Program => {
    let left = times
    return () => {
      if (left-- > 0) throw new KernelError('ETXTBSY', 'run "/opt/cni/bin/pool"')
      return { stdout: printed }
    }
  }
  test('is waited for', () => {
    const { status, host } = executed(busy(3))
    assert.deepEqual([status, host.monotonic()], [0, 1_003_000])
  })
  test('is given up after five seconds', () => {
    const { json, host } = executed(busy(99))
    assert.deepEqual([json.code, host.monotonic()], [104, 1_005_000])
    assert.match(json.msg, /ETXTBSY$/)
  })
})
