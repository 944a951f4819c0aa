import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseNetwork } from '../../../src/cni/runtime/network.ts'
import {
  type AttachmentRequest,
  addNetwork,
  checkNetwork,
  collectGarbage,
  deleteNetwork,
  type Runtime,
  requireReady,
} from '../../../src/cni/runtime/runtime.ts'
import { type Answer, type FakeHost, fakeHost } from './fake-host.ts'

const request: AttachmentRequest = {
  containerId: 'c1',
  ifName: 'eth0',
  netns: '/run/netns/blue',
  args: [],
  capabilityArgs: {},
}
const CACHE_FILE = '/cache/results/net-c1-eth0'

/** A list of plugins by type; whatever else is said goes beside. */
const listOf = (types: readonly (string | object)[], more: object = {}) => {
  const plugins = types.map((type) => (typeof type === 'string' ? { type } : type))
  return parseNetwork(JSON.stringify({ name: 'net', cniVersion: '1.1.0', plugins, ...more }), 'test')
}
const runtimeOn = ({ host }: FakeHost): Runtime => ({
  host,
  pluginDirectories: ['/opt', '/bin'],
  cacheDirectory: '/cache',
})
/** Answers ADD with its own name as an interface, behind those of prevResult. */
const link =
  (name: string): Answer =>
  ({ config, environment }) => {
    if (environment.CNI_COMMAND !== 'ADD') return ''
    const before = (config.prevResult as { interfaces: object[] } | undefined)?.interfaces ?? []
    return JSON.stringify({ cniVersion: config.cniVersion, interfaces: [...before, { name }] })
  }
const failing =
  (verb: string, stdout = '{"code":11,"msg":"try again","details":"soon"}'): Answer =>
  ({ environment }) =>
    environment.CNI_COMMAND === verb ? { status: 1, stdout } : '{}'
const verbsOf = ({ calls }: FakeHost) => calls.map(({ path, environment }) => `${environment.CNI_COMMAND} ${path}`)

test('ADD runs the chain in order, each plugin with the result of the one before', () => {
  const fake = fakeHost({ one: link('a'), two: link('b') })
  const result = addNetwork(listOf(['one', 'two']), request, runtimeOn(fake))
  assert.deepEqual(verbsOf(fake), ['ADD /bin/one', 'ADD /bin/two'])
  assert.equal(fake.calls[0]!.config.prevResult, undefined)
  assert.deepEqual(fake.calls[1]!.config.prevResult, { cniVersion: '1.1.0', interfaces: [{ name: 'a' }] })
  assert.deepEqual(result, { cniVersion: '1.1.0', interfaces: [{ name: 'a' }, { name: 'b' }] })
})

test('a plugin sees the specification’s environment and the runtime’s own', () => {
  const fake = fakeHost({ one: link('a') }, { environment: { HOME: '/root', CNI_COMMAND: 'overridden' } })
  addNetwork(
    listOf(['one']),
    {
      ...request,
      args: [
        ['A', '1'],
        ['B', '2'],
      ],
    },
    runtimeOn(fake),
  )
  assert.deepEqual(fake.calls[0]!.environment, {
    HOME: '/root',
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'c1',
    CNI_NETNS: '/run/netns/blue',
    CNI_IFNAME: 'eth0',
    CNI_ARGS: 'A=1;B=2',
    CNI_PATH: '/opt:/bin',
  })
})

test('every plugin gets the list’s name and version, and none its "capabilities"', () => {
  const fake = fakeHost({ one: link('a') })
  addNetwork(listOf([{ type: 'one', name: 'other', capabilities: { mac: true } }]), request, runtimeOn(fake))
  assert.deepEqual(fake.calls[0]!.config, { type: 'one', name: 'net', cniVersion: '1.1.0' })
})

test('runtimeConfig has the capabilities that are declared and given', () => {
  const fake = fakeHost({ one: link('a'), two: link('b') })
  const list = listOf([{ type: 'one', capabilities: { mac: true, ips: false, dns: true } }, 'two'])
  addNetwork(list, { ...request, capabilityArgs: { mac: '02:00:00:00:00:01', ips: ['10.0.0.1/8'] } }, runtimeOn(fake))
  assert.deepEqual(
    fake.calls.map(({ config }) => config.runtimeConfig),
    [{ mac: '02:00:00:00:00:01' }, undefined],
  )
})

test('ADD leaves the attachment in the cache, byte for byte as libcni writes it', () => {
  const fake = fakeHost({ one: () => '{"ips":[{"address":"10.1.0.2/16"}],"dns":{"search":["<a&b>"]}}' })
  const args = [['K', 'V']] as const
  const list = listOf([{ type: 'one', capabilities: { mac: true } }])
  addNetwork(list, { ...request, args, capabilityArgs: { mac: '02:00:00:00:00:01' } }, runtimeOn(fake))
  assert.equal(
    fake.host.files.read(CACHE_FILE),
    '{"kind":"cniCacheV1","containerId":"c1",' +
      `"config":"${Buffer.from(list.text).toString('base64')}",` +
      '"ifName":"eth0","networkName":"net","netns":"/run/netns/blue","cniArgs":[["K","V"]],' +
      '"capabilityArgs":{"mac":"02:00:00:00:00:01"},"result":{"cniVersion":"1.1.0",' +
      '"dns":{"search":["\\u003ca\\u0026b\\u003e"]},"ips":[{"address":"10.1.0.2/16"}]}}',
  )
  assert.equal(fake.host.files.status(CACHE_FILE)?.mode, 0o600)
  assert.equal(fake.host.files.status('/cache/results')?.mode, 0o700)
})

test('a failing ADD is taken back with DEL in reverse, and its own error is told', () => {
  const fake = fakeHost({ one: link('a'), two: failing('ADD'), three: link('c') })
  assert.throws(() => addNetwork(listOf(['one', 'two', 'three']), request, runtimeOn(fake)), {
    name: 'CniError',
    code: 11,
    message: 'two: try again',
    details: 'soon',
  })
  assert.deepEqual(verbsOf(fake), ['ADD /bin/one', 'ADD /bin/two', 'DEL /bin/three', 'DEL /bin/two', 'DEL /bin/one'])
  assert.equal(fake.host.files.read(CACHE_FILE), undefined)
})

test('a second ADD is refused and harms nothing', () => {
  const fake = fakeHost({ one: link('a') })
  addNetwork(listOf(['one']), request, runtimeOn(fake))
  assert.throws(() => addNetwork(listOf(['one']), request, runtimeOn(fake)), { code: 102 })
  assert.deepEqual(verbsOf(fake), ['ADD /bin/one'])
  assert.ok(fake.host.files.read(CACHE_FILE))
})

test('DEL runs in reverse with the cached result and empties the cache', () => {
  const fake = fakeHost({ one: link('a'), two: link('b') })
  const list = listOf(['one', 'two'])
  const prevResult = addNetwork(list, request, runtimeOn(fake))
  fake.calls.length = 0
  deleteNetwork(list, request, runtimeOn(fake))
  assert.deepEqual(verbsOf(fake), ['DEL /bin/two', 'DEL /bin/one'])
  for (const { config } of fake.calls) assert.deepEqual(config.prevResult, prevResult)
  assert.equal(fake.host.files.read(CACHE_FILE), undefined)
})

test('DEL has no prevResult before 0.4.0', () => {
  const fake = fakeHost({ one: link('a') })
  const list = listOf(['one'], { cniVersion: '0.3.1' })
  addNetwork(list, request, runtimeOn(fake))
  deleteNetwork(list, request, runtimeOn(fake))
  assert.equal(fake.calls[1]!.config.prevResult, undefined)
})

test('DEL succeeds twice, and after half a cache file', () => {
  const fake = fakeHost({ one: link('a') }, { files: { [CACHE_FILE]: '{"kind":"cniCa' } })
  deleteNetwork(listOf(['one']), request, runtimeOn(fake))
  deleteNetwork(listOf(['one']), request, runtimeOn(fake))
  assert.equal(fake.host.files.read(CACHE_FILE), undefined)
})

test('DEL that fails keeps the cached result, to be tried again', () => {
  const fake = fakeHost({ one: failing('DEL') })
  addNetwork(listOf(['one']), request, runtimeOn(fake))
  assert.throws(() => deleteNetwork(listOf(['one']), request, runtimeOn(fake)), { code: 11 })
  assert.ok(fake.host.files.read(CACHE_FILE))
})

test('CHECK runs in order, every plugin with the final result', () => {
  const fake = fakeHost({ one: link('a'), two: link('b') })
  const list = listOf(['one', 'two'])
  const prevResult = addNetwork(list, request, runtimeOn(fake))
  fake.calls.length = 0
  checkNetwork(list, request, runtimeOn(fake))
  assert.deepEqual(verbsOf(fake), ['CHECK /bin/one', 'CHECK /bin/two'])
  for (const { config } of fake.calls) assert.deepEqual(config.prevResult, prevResult)
})

test('CHECK is not for 0.3.1, nor for what was never attached', () => {
  const fake = fakeHost({ one: link('a') })
  assert.throws(() => checkNetwork(listOf(['one'], { cniVersion: '0.3.1' }), request, runtimeOn(fake)), { code: 1 })
  assert.throws(() => checkNetwork(listOf(['one']), request, runtimeOn(fake)), { code: 3 })
  assert.deepEqual(fake.calls, [])
})

test('disableCheck and disableGC run nothing', () => {
  const fake = fakeHost({ one: link('a') })
  const list = listOf(['one'], { disableCheck: true, disableGC: true })
  checkNetwork(list, request, runtimeOn(fake))
  collectGarbage(list, [], runtimeOn(fake))
  assert.deepEqual(fake.calls, [])
})

test('GC deletes what is cached and not valid, in this network alone, then asks each plugin', () => {
  const fake = fakeHost({ one: link('a'), two: link('b') })
  const runtime = runtimeOn(fake)
  const list = listOf(['one', 'two'])
  addNetwork(list, request, runtime)
  addNetwork(list, { ...request, containerId: 'c2' }, runtime)
  addNetwork(listOf(['one'], { name: 'other' }), { ...request, containerId: 'c3' }, runtime)
  fake.calls.length = 0

  collectGarbage(list, [{ containerId: 'c2', ifName: 'eth0' }], runtime)
  assert.deepEqual(verbsOf(fake), ['DEL /bin/two', 'DEL /bin/one', 'GC /bin/one', 'GC /bin/two'])
  assert.equal(fake.calls[0]!.environment.CNI_CONTAINERID, 'c1')
  for (const { config } of fake.calls.slice(2)) {
    assert.deepEqual(config['cni.dev/valid-attachments'], [{ containerID: 'c2', ifname: 'eth0' }])
    assert.deepEqual(config['cni.dev/attachments'], [{ containerID: 'c2', ifname: 'eth0' }])
  }
  assert.deepEqual(
    Object.keys(fake.host.tree())
      .filter((path) => path.startsWith('/cache'))
      .sort(),
    ['/cache/results/net-c2-eth0', '/cache/results/other-c3-eth0'],
  )
})

test('GC asks no plugin before 1.1.0', () => {
  const fake = fakeHost({ one: link('a') })
  collectGarbage(listOf(['one'], { cniVersion: '1.0.0' }), [], runtimeOn(fake))
  assert.deepEqual(fake.calls, [])
})

test('GC goes on past errors and tells all of them', () => {
  const fake = fakeHost({ one: failing('GC'), two: failing('GC', 'no JSON') })
  assert.throws(() => collectGarbage(listOf(['one', 'two']), [], runtimeOn(fake)), {
    code: 11,
    message: 'one: try again; two: Plugin "/bin/two" ended with status 1: no JSON',
  })
})

test('STATUS ends at the first plugin that says no', () => {
  const fake = fakeHost({ one: link('a'), two: failing('STATUS'), three: link('c') })
  assert.throws(() => requireReady(listOf(['one', 'two', 'three']), runtimeOn(fake)), { code: 11 })
  assert.deepEqual(verbsOf(fake), ['STATUS /bin/one', 'STATUS /bin/two'])
})

test('a plugin that is nowhere on the path is named with the path', () => {
  assert.throws(() => addNetwork(listOf(['one']), request, runtimeOn(fakeHost())), {
    code: 104,
    message: /Cannot find plugin "one" on CNI_PATH "\/opt:\/bin"/,
  })
})

const badNames: { name: string; change: Partial<AttachmentRequest> }[] = [
  { name: 'a container id with a slash', change: { containerId: '../c1' } },
  { name: 'an empty container id', change: { containerId: '' } },
  { name: 'an interface of 16 letters', change: { ifName: 'abcdefghijklmnop' } },
  { name: 'an interface called ..', change: { ifName: '..' } },
  { name: 'an interface with a colon', change: { ifName: 'eth0:1' } },
]
for (const { name, change } of badNames) {
  test(`no plugin runs for ${name}`, () => {
    const fake = fakeHost({ one: link('a') })
    assert.throws(() => addNetwork(listOf(['one']), { ...request, ...change }, runtimeOn(fake)), { code: 4 })
    assert.deepEqual(fake.calls, [])
  })
}
