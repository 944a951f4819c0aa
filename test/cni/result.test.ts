import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import type { CniResult } from '../../src/cni/plugin.ts'
import { asToldIn, formatResult, parseResult, sameShape } from '../../src/cni/result.ts'
import { cniVersions } from '../../src/cni/version.ts'
import { asObject, type JsonObject } from '../../src/json/json.ts'
import { parseJson } from '../../src/json/parser.ts'
import { told } from '../support/configuration.ts'

const jsonOf = (document: unknown): JsonObject => asObject(parseJson(JSON.stringify(document)), '')

const full: CniResult = {
  interfaces: [
    { name: 'cni0', mac: '02:00:00:00:00:01', mtu: 1400 },
    {
      name: 'eth0',
      mac: '02:00:00:00:00:02',
      mtu: 1400,
      sandbox: '/run/netns/c1',
      socketPath: '/run/s',
      pciID: '0000:00:1f.6',
    },
  ],
  ips: [
    { address: '10.1.2.3/24', gateway: '10.1.2.1', interface: 1 },
    { address: '10.1.3.3/24', interface: 1 },
    { address: 'fd00::3/64', gateway: 'fd00::1', interface: 1 },
  ],
  routes: [
    { dst: '0.0.0.0/0' },
    { dst: '192.168.0.0/16', gw: '10.1.2.9', mtu: 1300, advmss: 1200, priority: 5, table: 100, scope: 0 },
    { dst: '::/0', gw: 'fd00::1' },
  ],
  dns: { nameservers: ['8.8.8.8'], domain: 'example.com', search: ['example.com'], options: ['ndots:2'] },
}

const empty: CniResult = { interfaces: [], ips: [], routes: [], dns: {} }

const interfaces = [
  { name: 'cni0', mac: '02:00:00:00:00:01' },
  { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: '/run/netns/c1' },
]

// What each shape makes of the full result, and what is read back from that.
const shapes = [
  {
    versions: ['0.1.0', '0.2.0'],
    document: {
      ip4: {
        ip: '10.1.2.3/24',
        gateway: '10.1.2.1',
        routes: [{ dst: '0.0.0.0/0' }, { dst: '192.168.0.0/16', gw: '10.1.2.9' }],
      },
      ip6: { ip: 'fd00::3/64', gateway: 'fd00::1', routes: [{ dst: '::/0', gw: 'fd00::1' }] },
      dns: full.dns,
    },
    back: {
      interfaces: [],
      ips: [
        { address: '10.1.2.3/24', gateway: '10.1.2.1' },
        { address: 'fd00::3/64', gateway: 'fd00::1' },
      ],
      routes: [{ dst: '0.0.0.0/0' }, { dst: '192.168.0.0/16', gw: '10.1.2.9' }, { dst: '::/0', gw: 'fd00::1' }],
      dns: full.dns,
    },
  },
  {
    versions: ['0.3.0', '0.3.1', '0.4.0'],
    document: {
      interfaces,
      ips: [
        { version: '4', interface: 1, address: '10.1.2.3/24', gateway: '10.1.2.1' },
        { version: '4', interface: 1, address: '10.1.3.3/24' },
        { version: '6', interface: 1, address: 'fd00::3/64', gateway: 'fd00::1' },
      ],
      routes: full.routes,
      dns: full.dns,
    },
    back: { ...full, interfaces },
  },
  {
    versions: ['1.0.0', '1.1.0'],
    document: { ...full },
    back: full,
  },
]

test('every version has a shape', () => {
  assert.deepEqual(
    shapes.flatMap(({ versions }) => versions),
    [...cniVersions],
  )
})

for (const { versions, document, back } of shapes) {
  for (const cniVersion of versions) {
    test(`formatResult() writes the shape of ${cniVersion}`, () => {
      assert.deepEqual(JSON.parse(formatResult(full, cniVersion)), { cniVersion, ...document })
    })
    test(`parseResult() reads the shape of ${cniVersion}`, () => {
      assert.deepEqual(parseResult(jsonOf({ cniVersion, ...document }), '1.1.0'), back)
    })
    test(`asToldIn() leaves of a result what ${cniVersion} can say`, () => {
      const told = asToldIn(cniVersion, full)
      assert.equal(formatResult(told, cniVersion), formatResult(full, cniVersion))
      if (cniVersion < '0.3') assert.deepEqual(told, back)
    })
  }
}

describe('an empty result', () => {
  for (const cniVersion of ['0.1.0', '0.2.0']) {
    test(`cannot be said in ${cniVersion}`, () => {
      assert.throws(() => formatResult(empty, cniVersion), { code: 7, message: /there is no IP address/ })
    })
  }
  for (const cniVersion of ['0.3.0', '0.3.1', '0.4.0']) {
    test(`has an empty dns in ${cniVersion}`, () => {
      assert.deepEqual(JSON.parse(formatResult(empty, cniVersion)), { cniVersion, dns: {} })
    })
  }
  for (const cniVersion of ['1.0.0', '1.1.0']) {
    test(`is nothing but the version in ${cniVersion}`, () => {
      assert.deepEqual(JSON.parse(formatResult(empty, cniVersion)), { cniVersion })
    })
  }
})

test('one family alone stands alone in 0.2.0', () => {
  const v6 = { ...full, ips: full.ips.slice(2) }
  assert.deepEqual(Object.keys(JSON.parse(formatResult(v6, '0.2.0'))), ['cniVersion', 'ip6', 'dns'])
})

test("a result without version is read as one of the configuration's", () => {
  const document = { ip4: { ip: '10.1.2.3/24' } }
  assert.equal(parseResult(jsonOf(document), '0.2.0').ips[0]?.address, '10.1.2.3/24')
  assert.deepEqual(parseResult(jsonOf(document), '1.0.0').ips, [])
  assert.equal(parseResult(jsonOf({ cniVersion: '', ...document }), '0.1.0').ips.length, 1)
})

test('null and missing lists are empty ones', () => {
  assert.deepEqual(parseResult(jsonOf({ interfaces: null, ips: null, routes: null, dns: null }), '1.1.0'), empty)
  assert.deepEqual(parseResult(jsonOf({}), '0.2.0'), empty)
})

test('a result of an unknown version is refused', () => {
  assert.throws(() => parseResult(jsonOf({ cniVersion: '9.9.9' }), '1.1.0'), { code: 1 })
})

test('addresses are written in their one form', () => {
  const document = {
    ips: [{ address: 'FD00:0:0::3/64', gateway: 'fd00::0001' }, { address: '::ffff:10.1.2.3/120' }],
    routes: [{ dst: '10.1.2.3/8', gw: '' }, { dst: '::FFFF:0:0/96' }],
  }
  const { ips, routes } = parseResult(jsonOf(document), '1.1.0')
  assert.deepEqual(ips, [{ address: 'fd00::3/64', gateway: 'fd00::1' }, { address: '10.1.2.3/24' }])
  assert.deepEqual(routes, [{ dst: '10.1.2.3/8' }, { dst: '0.0.0.0/0' }])
})

describe('parseResult() refuses', () => {
  const rows: [object, number, RegExp][] = [
    [{ ips: [{}] }, 7, /^Cannot find "ips\[0\].address"/],
    [
      { ips: [{ address: '10.1.2.3' }] },
      7,
      /^Cannot use "ips\[0\].address": "10.1.2.3" is no address with a prefix length/,
    ],
    [{ ips: [{ address: '10.1.2.3/33' }] }, 7, /"ips\[0\].address"/],
    [
      { ips: [{ address: '10.1.2.3/24', gateway: '10.1.2.300' }] },
      7,
      /^Cannot use "ips\[0\].gateway": "10.1.2.300" is no IP address/,
    ],
    [{ ips: [{ address: '10.1.2.3/24', interface: '0' }] }, 6, /"ips\[0\].interface"/],
    [{ routes: [{ gw: '10.1.2.1' }] }, 7, /^Cannot find "routes\[0\].dst"/],
    [{ routes: {} }, 6, /^Cannot use "routes": it is an object, give an array/],
    [{ dns: { nameservers: '8.8.8.8' } }, 6, /"dns.nameservers"/],
  ]
  for (const [document, code, message] of rows) {
    test(JSON.stringify(document), () =>
      assert.throws(() => told(() => parseResult(jsonOf(document), '1.0.0')), { code, message }),
    )
  }
})

test('sameShape() knows which versions look alike', () => {
  for (const { versions } of shapes) {
    for (const version of cniVersions) assert.equal(sameShape(versions[0]!, version), versions.includes(version))
  }
})
