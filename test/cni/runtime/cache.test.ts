import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { type CachedAttachment, decodeBase64, encodeBase64, resultCache } from '../../../src/cni/runtime/cache.ts'
import { fakeHost } from './fake-host.ts'

const cached: CachedAttachment = {
  network: 'net',
  containerId: 'c1',
  ifName: 'eth0',
  config: '{"name":"net — grüße"}',
  netns: '/run/netns/c1',
  args: [['IgnoreUnknown', '1']],
  capabilityArgs: { portMappings: [{ hostPort: 8080 }] },
  result: { cniVersion: '1.1.0', ips: [{ address: '10.0.0.2/24' }] },
}

test('what is set is what one gets', () => {
  const cache = resultCache('/cache', fakeHost().host)
  cache.set(cached)
  assert.deepEqual(cache.get('net', { containerId: 'c1', ifName: 'eth0' }), cached)
  assert.deepEqual(cache.list(), [cached])
  cache.delete('net', cached)
  cache.delete('net', cached)
  assert.deepEqual(cache.list(), [])
})

test('empty members are left out, as omitempty does', () => {
  const { host } = fakeHost()
  resultCache('/cache', host).set({ ...cached, netns: '', args: [], capabilityArgs: {} })
  assert.deepEqual(Object.keys(JSON.parse(host.files.read('/cache/results/net-c1-eth0')!)), [
    'kind',
    'containerId',
    'config',
    'ifName',
    'networkName',
    'result',
  ])
})

// Files that a cache may meet and that are no attachment.
for (const text of [
  '',
  '{',
  '[]',
  '{"kind":"other"}',
  '{"kind":"cniCacheV1","ifName":"eth0"}',
  '{"cniVersion":"0.3.1"}',
]) {
  test(`the cache passes over ${text || 'an empty file'}`, () => {
    const { host } = fakeHost({}, { files: { '/cache/results/x': text } })
    assert.deepEqual(resultCache('/cache', host).list(), [])
  })
}

test('base64 is what Node writes, and comes back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      assert.equal(encodeBase64(bytes), Buffer.from(bytes).toString('base64'))
      assert.deepEqual(decodeBase64(encodeBase64(bytes)), bytes)
    }),
  )
})
