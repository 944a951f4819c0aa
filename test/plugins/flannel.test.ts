/** ADD, DEL and CHECK of flannel, with delegates that remember what they were asked. What they are given in detail: flannel/. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import type { NetworkConfig, Plugin } from '../../src/cni/plugin.ts'
import { commands, DATA_DIR, env4, flannelNode, minimal, SUBNET_FILE } from './flannel/node.ts'

describe('ADD', () => {
  test("answers with the delegate's result, in the version of the configuration", () => {
    const { json } = flannelNode().ask('ADD', { configuration: { ...minimal, cniVersion: '0.4.0' } })
    assert.deepEqual(json, { cniVersion: '0.4.0', ips: [{ version: '4', address: '10.1.17.2/24' }], dns: {} })
  })

  test('takes back what the delegate did when it fails, and leaves no scratch file', () => {
    const node = flannelNode()
    node.failing.add('ADD')
    const { status, json } = node.ask('ADD')
    assert.deepEqual([status, json.code, json.msg], [1, 42, 'ADD fails'])
    assert.deepEqual(commands(node), ['ADD eth0', 'DEL eth0'])
    assert.deepEqual(node.host.tree()[`${DATA_DIR}/c1`], undefined)
  })

  test('leaves the scratch file to DEL when that fails too', () => {
    const node = flannelNode()
    for (const verb of ['ADD', 'DEL']) node.failing.add(verb)
    assert.equal(node.ask('ADD').json.msg, 'ADD fails')
    node.failing.clear()
    assert.equal(node.ask('DEL').status, 0)
    assert.deepEqual(commands(node), ['ADD eth0', 'DEL eth0', 'DEL eth0'])
    assert.deepEqual(node.scratches(), {})
  })

  test('leaves the attachment alone that is there already, and its scratch file', () => {
    const node = flannelNode()
    node.ask('ADD')
    const before = node.scratches()
    node.failing.add('ADD')
    node.write(SUBNET_FILE, env4.replace('1472', '1400'))
    assert.equal(node.ask('ADD').status, 1)
    assert.deepEqual(commands(node), ['ADD eth0', 'ADD eth0'])
    assert.deepEqual(node.scratches(), before)
  })

  test('leaves no scratch file when no delegate can be found', () => {
    const node = flannelNode({ delegates: [] })
    assert.equal(node.ask('ADD').json.code, 104)
    assert.deepEqual(node.scratches(), {})
  })

  test('keeps its files from everybody but their owner', () => {
    const { host, ask } = flannelNode()
    ask('ADD')
    const modes = [DATA_DIR, `${DATA_DIR}/c1`].map((path) => host.files.status(path)!.mode)
    assert.deepEqual(modes, [0o700, 0o600])
  })

  for (const key of ['subnetFile', 'dataDir']) {
    for (const path of ['flannel', '/run/../etc', '/run/\0']) {
      test(`refuses "${key}" ${JSON.stringify(path)}`, () => {
        const { json } = flannelNode().ask('ADD', { configuration: { ...minimal, [key]: path } })
        assert.equal(json.code, 7)
        assert.match(json.msg, new RegExp(`^Cannot use "${key}"`))
      })
    }
  }
})

describe('DEL', () => {
  test('gives the delegate what ADD gave it, whatever is configured by now', () => {
    const node = flannelNode()
    node.ask('ADD')
    node.host.files.remove(SUBNET_FILE)
    assert.equal(node.ask('DEL', { configuration: { ...minimal, delegate: 'nonsense' } }).status, 0)
    const [add, del] = node.received
    assert.deepEqual([del!.command, del!.text], ['DEL', add!.text])
    assert.deepEqual(node.scratches(), {})
  })

  test('succeeds twice, and for what was never attached', () => {
    const node = flannelNode()
    node.ask('ADD')
    for (let i = 0; i < 2; i++) assert.equal(node.ask('DEL').status, 0)
    assert.equal(node.ask('DEL', { containerId: 'other' }).status, 0)
    assert.deepEqual(commands(node), ['ADD eth0', 'DEL eth0'])
  })

  test('that fails can be called again', () => {
    const node = flannelNode()
    node.ask('ADD')
    node.failing.add('DEL')
    const { status, json } = node.ask('DEL')
    assert.deepEqual([status, json.code], [1, 42])
    node.failing.clear()
    assert.equal(node.ask('DEL').status, 0)
    assert.deepEqual(commands(node), ['ADD eth0', 'DEL eth0', 'DEL eth0'])
    assert.deepEqual(node.scratches(), {})
  })

  test("hands on the result that it is given, if it is of the scratch file's version", () => {
    const prevResult = { cniVersion: '1.1.0', ips: [{ address: '10.1.17.2/24' }] }
    const given = (cniVersion: string) => {
      const node = flannelNode()
      node.ask('ADD', { configuration: { ...minimal, cniVersion } })
      node.ask('DEL', { configuration: { ...minimal, prevResult } })
      return node.received[1]!.configuration.prevResult
    }
    assert.deepEqual(given('1.1.0'), prevResult)
    assert.equal(given('0.3.1'), undefined)
  })

  test("reads the scratch file of flannel's plugin, which escapes for HTML", () => {
    const node = flannelNode()
    const text = '{"bridge":"a\\u003cb","cniVersion":"1.1.0","ipMasq":true,"name":"cni-flannel","type":"bridge"}'
    node.write(`${DATA_DIR}/c1`, text)
    assert.equal(node.ask('DEL', { ifName: 'net1' }).status, 0)
    assert.deepEqual(node.received[0]!.configuration, JSON.parse(text))
    assert.deepEqual(node.scratches(), {})
  })

  for (const [what, text] of [
    ['is empty', ''],
    ['was cut short', '{"name":"cni-fl'],
    ['names no plugin', '{"name":"cni-flannel"}'],
    ['names no network', '{"type":"bridge"}'],
  ] as const) {
    test(`whose scratch file ${what} goes by what is configured now, and says so`, () => {
      const node = flannelNode()
      node.write(`${DATA_DIR}/c1`, text)
      const { status, stderr } = node.ask('DEL')
      assert.equal(status, 0)
      assert.match(
        stderr,
        /^Cannot use "\/var\/lib\/cni\/flannel\/c1".*; using what "\/run\/flannel\/subnet\.env" and the /,
      )
      const { command, configuration } = node.received[0]!
      assert.deepEqual([command, configuration.type, configuration.mtu], ['DEL', 'bridge', 1472])
      assert.deepEqual(node.scratches(), {})
    })

    test(`whose scratch file ${what} on a node without subnet.env succeeds, says so and keeps it`, () => {
      const node = flannelNode({ subnetEnv: null })
      node.write(`${DATA_DIR}/c1`, text)
      const { status, stderr } = node.ask('DEL')
      assert.equal(status, 0)
      assert.match(stderr, /nothing is detached: failed to load flannel 'subnet.env' file/)
      assert.deepEqual([node.received, node.scratches()], [[], { c1: text }])
    })
  }
})

describe('a container with several interfaces', () => {
  const attach = () => {
    const node = flannelNode()
    for (const ifName of ['eth0', 'net1', 'net2']) node.ask('ADD', { ifName })
    return node
  }

  test('has a scratch file for each, the first where flannel has its only one', () => {
    assert.deepEqual(Object.keys(attach().scratches()).sort(), ['c1', 'c1:net1', 'c1:net2'])
  })

  for (const order of [
    ['eth0', 'net1', 'net2'],
    ['net2', 'net1', 'eth0'],
    ['net1', 'eth0', 'net2'],
  ]) {
    test(`is detached in the order ${order.join(', ')}, each twice`, () => {
      const node = attach()
      node.received.length = 0
      for (const ifName of order) for (let i = 0; i < 2; i++) assert.equal(node.ask('DEL', { ifName }).status, 0)
      assert.deepEqual(
        commands(node),
        order.map((ifName) => `DEL ${ifName}`),
      )
      assert.deepEqual(node.scratches(), {})
    })
  }

  test('keeps the first when an ADD of a further one fails', () => {
    const node = attach()
    node.failing.add('ADD')
    node.ask('ADD', { ifName: 'net3' })
    node.ask('DEL', { ifName: 'net3' })
    assert.deepEqual(commands(node).slice(3), ['ADD net3', 'DEL net3'])
    assert.deepEqual(Object.keys(node.scratches()).sort(), ['c1', 'c1:net1', 'c1:net2'])
  })

  test('may have a first one of flannel: it belongs to whom nothing else does', () => {
    const node = flannelNode()
    node.write(`${DATA_DIR}/c1`, '{"name":"cni-flannel","type":"bridge"}')
    node.ask('ADD', { ifName: 'net1' })
    assert.deepEqual(Object.keys(node.scratches()).sort(), ['c1', 'c1:net1'])
    for (const ifName of ['net1', 'eth0']) node.ask('DEL', { ifName })
    assert.deepEqual(commands(node), ['ADD net1', 'DEL net1', 'DEL eth0'])
    assert.deepEqual(node.scratches(), {})
  })

  test('whose first scratch file flannel has written over is not believed to be ours', () => {
    const node = flannelNode()
    node.ask('ADD')
    node.write(`${DATA_DIR}/c1`, '{"name":"cni-flannel","type":"bridge","mtu":1}')
    node.ask('DEL', { ifName: 'net1' })
    assert.equal(node.received[1]!.configuration.mtu, 1)
  })

  test('is detached after a reboot, too', () => {
    const node = attach()
    for (const path of Object.keys(node.host.tree())) if (path.startsWith('/run/overlab')) node.host.files.remove(path)
    for (const ifName of ['net2', 'net1', 'eth0']) node.ask('DEL', { ifName })
    assert.deepEqual(commands(node).slice(3), ['DEL net2', 'DEL net1', 'DEL eth0'])
    assert.deepEqual(node.scratches(), {})
  })
})

describe('CHECK', () => {
  const prevResult = { cniVersion: '1.1.0', ips: [{ address: '10.1.17.2/24' }] }

  test('asks the delegate, with the result of ADD', () => {
    const node = flannelNode()
    node.ask('ADD')
    assert.equal(node.ask('CHECK', { configuration: { ...minimal, prevResult } }).status, 0)
    const [add, check] = node.received
    assert.deepEqual(check!.configuration, { ...add!.configuration, prevResult })
    node.failing.add('CHECK')
    assert.deepEqual(node.ask('CHECK', { configuration: { ...minimal, prevResult } }).json.msg, 'CHECK fails')
  })

  test("speaks the version that it is called in, also where the scratch file's is older and knows no CHECK", () => {
    const node = flannelNode()
    node.ask('ADD', { configuration: { ...minimal, cniVersion: '0.3.1' } })
    assert.equal(node.ask('CHECK', { configuration: { ...minimal, prevResult } }).status, 0)
    assert.equal(node.received[1]!.configuration.cniVersion, '1.1.0')
  })

  test('fails when the scratch file is gone, or cannot be used: DEL would not detach', () => {
    const node = flannelNode()
    const check = () => node.ask('CHECK', { configuration: { ...minimal, prevResult } }).json
    assert.equal(check().code, 101)
    assert.match(check().msg, /^Cannot find in "\/var\/lib\/cni\/flannel" what ADD gave to the delegate for "eth0" of/)
    node.write(`${DATA_DIR}/c1`, '{')
    assert.equal(check().code, 101)
    assert.match(check().msg, /^Cannot use "\/var\/lib\/cni\/flannel\/c1"/)
  })

  test('has nothing to compare where nothing is attached and no result is given', () => {
    assert.equal(flannelNode().ask('CHECK').status, 0)
  })
})

test('the delegate that is ours is called in this process, and its own delegate too', () => {
  const calls: string[] = []
  const told = (name: string) => (verb: string) => void calls.push(`${name} ${verb}`)
  const note = { bridge: told('bridge'), pool: told('host-local') }
  const result = { interfaces: [], ips: [{ address: '10.1.17.2/24' }], routes: [], dns: {} }
  const pool: Plugin<NetworkConfig> = {
    name: 'host-local',
    parseConfig: (config) => config,
    add({ config }) {
      note.pool(`ADD ${config.json.object('ipam')!.string('type')}`)
      return result
    },
    check: () => note.pool('CHECK'),
    del: () => note.pool('DEL'),
    gc: () => note.pool('GC'),
    status: () => note.pool('STATUS'),
  }
  const bridge: Plugin<NetworkConfig> = {
    name: 'bridge',
    parseConfig: (config) => config,
    add({ config }, { ipam }) {
      note.bridge(`ADD ${config.json.integer('mtu')}`)
      return ipam.add()
    },
    check(_request, { ipam }) {
      note.bridge('CHECK')
      ipam.check()
    },
    del(_request, { ipam }) {
      note.bridge('DEL')
      ipam.del()
    },
    gc(_request, { ipam }) {
      note.bridge('GC')
      ipam.gc()
    },
    status(_request, { ipam }) {
      note.bridge('STATUS')
      ipam.status()
    },
  }
  const node = flannelNode({ delegates: [], own: [bridge, pool] })
  for (const verb of ['ADD', 'CHECK', 'STATUS', 'GC']) assert.equal(node.ask(verb).status, 0, verb)
  assert.deepEqual(calls, [
    'bridge ADD 1472',
    'host-local ADD host-local',
    ...['bridge CHECK', 'host-local CHECK', 'bridge STATUS', 'host-local STATUS'],
    ...['bridge DEL', 'host-local DEL', 'bridge GC', 'host-local GC'],
  ])
  assert.deepEqual(node.host.runs, [])
})
