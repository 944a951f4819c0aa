import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseNetwork, readNetwork, requireNetwork } from '../../../src/cni/runtime/network.ts'
import { fakeHost } from './fake-host.ts'

const filesWith = (entries: Record<string, unknown>) => {
  const texts = Object.entries(entries).map(([path, json]) => [
    path,
    typeof json === 'string' ? json : JSON.stringify(json),
  ])
  return fakeHost({}, { files: Object.fromEntries(texts) }).host.files
}
const list = (name: string, more: object = {}) => ({
  cniVersion: '1.0.0',
  name,
  plugins: [{ type: 'bridge' }],
  ...more,
})

test('a network is found by its name, not by its file', () => {
  const files = filesWith({ '/net.d/10-a.conflist': list('blue'), '/net.d/20-b.conflist': list('green') })
  assert.equal(requireNetwork('green', '/net.d', files).path, '/net.d/20-b.conflist')
})

test('of two lists with one name the first by file name wins', () => {
  const files = filesWith({ '/net.d/20.conflist': list('blue'), '/net.d/10.conflist': list('blue') })
  assert.equal(requireNetwork('blue', '/net.d', files).path, '/net.d/10.conflist')
})

test('a list wins over a single configuration', () => {
  const files = filesWith({ '/net.d/00.conf': { name: 'blue', type: 'ptp' }, '/net.d/99.conflist': list('blue') })
  assert.equal(requireNetwork('blue', '/net.d', files).path, '/net.d/99.conflist')
})

test('a network that nobody has is named with the directory', () => {
  assert.throws(() => requireNetwork('red', '/net.d', filesWith({})), {
    message: 'Cannot find network "red": no configuration in "/net.d" has that name',
  })
})

test('a name with a slash is a file', () => {
  assert.equal(
    requireNetwork('/home/my.conflist', '/net.d', filesWith({ '/home/my.conflist': list('mine') })).name,
    'mine',
  )
})

test('a single configuration becomes a list of one, in the words of libcni', () => {
  const files = filesWith({ '/net.d/10.conf': '{"type":"bridge","name":"blue","mtu":1500.0,"cniVersion":"0.4.0"}' })
  const { plugins, text } = readNetwork('/net.d/10.conf', files)
  assert.deepEqual(
    plugins.map(({ type }) => type),
    ['bridge'],
  )
  assert.equal(
    text,
    '{"cniVersion":"0.4.0","name":"blue","plugins":[{"cniVersion":"0.4.0","mtu":1500,"name":"blue","type":"bridge"}]}',
  )
})

test('further plugins come from the folder that has the network’s name', () => {
  const files = filesWith({
    '/net.d/10.conflist': list('blue'),
    '/net.d/blue/20-tuning.conf': { type: 'tuning' },
    '/net.d/blue/10-portmap.conf': { type: 'portmap' },
    '/net.d/blue/README': 'no configuration',
  })
  const types = readNetwork('/net.d/10.conflist', files).plugins.map(({ type }) => type)
  assert.deepEqual(types, ['bridge', 'portmap', 'tuning'])
})

test('… unless the list says loadOnlyInlinedPlugins', () => {
  const files = filesWith({
    '/net.d/10.conflist': list('blue', { loadOnlyInlinedPlugins: true }),
    '/net.d/blue/20.conf': { type: 'tuning' },
  })
  assert.equal(readNetwork('/net.d/10.conflist', files).plugins.length, 1)
})

const versions = [
  { name: 'none said', json: {}, chosen: '0.1.0' },
  { name: 'cniVersion alone', json: { cniVersion: '0.4.0' }, chosen: '0.4.0' },
  { name: 'the newest of cniVersions', json: { cniVersions: ['0.4.0', '1.0.0', '0.3.1'] }, chosen: '1.0.0' },
  { name: 'none newer than ours', json: { cniVersions: ['1.1.0', '1.2.0', '9.0.0'] }, chosen: '1.1.0' },
  { name: 'cniVersion among cniVersions', json: { cniVersion: '1.1.0', cniVersions: ['0.4.0'] }, chosen: '1.1.0' },
  { name: 'a too new cniVersion, left to the plugins', json: { cniVersion: '9.0.0' }, chosen: '9.0.0' },
]
for (const { name, json, chosen } of versions) {
  test(`version: ${name}`, () => {
    const text = JSON.stringify({ name: 'blue', plugins: [{ type: 'bridge' }], ...json })
    assert.equal(parseNetwork(text, 'x').cniVersion, chosen)
  })
}

test('flags may be words in any case', () => {
  const { disableCheck, disableGc } = parseNetwork(
    JSON.stringify(list('a', { disableCheck: 'TRUE', disableGC: true })),
    'x',
  )
  assert.deepEqual([disableCheck, disableGc], [true, true])
})

const unusable = [
  { name: 'no JSON', text: '{', code: 6, says: 'it is not JSON' },
  { name: 'no object', text: '[]', code: 6, says: 'it is not a JSON object' },
  { name: 'no name', text: '{"plugins":[]}', code: 7, says: 'it has no "name"' },
  { name: 'no plugins', text: '{"name":"a"}', code: 7, says: 'network "a" has no plugins' },
  { name: 'plugins of another type', text: '{"name":"a","plugins":{}}', code: 7, says: '"plugins" is not a list' },
  { name: 'a plugin without type', text: '{"name":"a","plugins":[{}]}', code: 7, says: 'a plugin has no "type"' },
  {
    name: 'loadOnlyInlinedPlugins without plugins',
    text: '{"name":"a","loadOnlyInlinedPlugins":true}',
    code: 7,
    says: 'it sets "loadOnlyInlinedPlugins" and has no "plugins"',
  },
  {
    name: 'a flag that is none',
    text: '{"name":"a","disableGC":1}',
    code: 7,
    says: '"disableGC" is not true or false',
  },
]
for (const { name, text, code, says } of unusable) {
  test(`a list is refused: ${name}`, () => {
    assert.throws(
      () => parseNetwork(text, '/net.d/x.conflist'),
      (error: Error & { code: number }) => error.code === code && error.message.endsWith(says),
    )
  })
}
