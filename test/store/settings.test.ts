import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseEndpoints } from '../../src/store/etcd/settings.ts'
import { openStore } from '../../src/store/open.ts'

for (const [text, url, target] of [
  ['http://127.0.0.1:2379', 'http://127.0.0.1:2379', 'dns:127.0.0.1:2379'],
  ['https://etcd.example:4001/', 'https://etcd.example:4001', 'dns:etcd.example:4001'],
  ['127.0.0.1:2379', 'http://127.0.0.1:2379', 'dns:127.0.0.1:2379'],
  [' http://etcd ', 'http://etcd:2379', 'dns:etcd:2379'],
  ['https://[fd00::1]:2379', 'https://[fd00::1]:2379', 'dns:[fd00::1]:2379'],
] as const) {
  test(`"${text}" is the endpoint ${url}`, () => {
    const [endpoint] = parseEndpoints({ endpoints: [text] })
    assert.deepEqual([endpoint!.url, endpoint!.target, endpoint!.isSecure], [url, target, url.startsWith('https')])
  })
}

for (const text of [
  '',
  'http://',
  'unix:///run/etcd',
  'ftp://a:1',
  'http://a:b',
  'http://a:1/path',
  'fd00::1',
  'http://a b',
]) {
  test(`"${text}" is no endpoint`, () => assert.throws(() => parseEndpoints({ endpoints: [text] }), RangeError))
}

test('a password in an endpoint is refused and not repeated', () => {
  assert.throws(
    () => parseEndpoints({ endpoints: ['http://node:secret@127.0.0.1:2379'] }),
    (error) => error instanceof RangeError && error.message.includes('@127.0.0.1') && !error.message.includes('secret'),
  )
})

for (const [title, settings] of [
  ['no endpoint', { endpoints: [] }],
  ['a certificate without its key', { endpoints: ['https://a:1'], cert: '/cert.pem' }],
  ['a key without its certificate', { endpoints: ['https://a:1'], key: '/key.pem' }],
  ['an authority and only plain endpoints', { endpoints: ['http://a:1', 'b:1'], ca: '/ca.pem' }],
  ['a password without a user', { endpoints: ['http://a:1'], password: 'secret' }],
] as const) {
  test(`${title} cannot be meant`, () => assert.throws(() => parseEndpoints(settings), RangeError))
}

test('a store says where it is', () => {
  const surroundings = { tryLock: () => undefined, report() {} }
  const etcd = openStore({ etcd: { endpoints: ['http://a:1', 'b:2'] } }, surroundings)
  assert.equal(etcd.name, 'etcd http://a:1,http://b:2')
  assert.equal(openStore({ file: '/run/overlab/store' }, surroundings).name, 'directory /run/overlab/store')
})
