/** net-conf.json: flannel's rows (pkg/subnet/config_test.go, and the checks of config.go), and what overlab checks besides. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { ipToBigInt, parseIp } from '../../src/address/ip.ts'
import { contains, parsePrefix } from '../../src/address/prefix.ts'
import { JsonError } from '../../src/json/errors.ts'
import { parseConfig } from '../../src/overlay/config.ts'

const parse = (value: object) => parseConfig(JSON.stringify(value))
const network = { Network: '10.3.0.0/16' }
const ipv6 = { EnableIPv4: false, EnableIPv6: true, Backend: { Type: 'vxlan' } }
const vxlan = (backend: object) => parse({ ...network, Backend: { Type: 'vxlan', ...backend } }).backend

test('a network alone: IPv4, subnets of 24 bits but the first, iptables, and udp as backend', () => {
  assert.deepEqual(parseConfig('{ "network": "10.3.0.0/16" }'), {
    ipv4: { network: '10.3.0.0/16', subnetMin: '10.3.1.0', subnetMax: '10.3.255.0', subnetLen: 24 },
    nftables: false,
    backend: { type: 'udp', port: 8285 },
  })
})

test('IPv6 alone: subnets of 64 bits but the first', () => {
  const text =
    '{ "enableIPv6": true, "ipv6Network": "fc00::/48", "enableIPv4": false, "EnableNFTables": true, "backend": {"type":"host-gw"} }'
  assert.deepEqual(parseConfig(text), {
    ipv6: { network: 'fc00::/48', subnetMin: 'fc00:0:0:1::', subnetMax: 'fc00:0:0:ffff::', subnetLen: 64 },
    nftables: true,
    backend: { type: 'host-gw' },
  })
})

test('what is said of the subnets counts', () => {
  const text = '{ "Network": "10.3.0.0/16", "SubnetMin": "10.3.5.0", "SubnetMax": "10.3.8.0", "SubnetLen": 28 }'
  const given = { network: '10.3.0.0/16', subnetMin: '10.3.5.0', subnetMax: '10.3.8.0', subnetLen: 28 }
  assert.deepEqual(parseConfig(text).ipv4, given)
  const min = { IPv6Network: 'fc00::/48', IPv6SubnetMin: 'fc00:0:0:1::', IPv6SubnetMax: 'fc00:0:0:f::' }
  assert.deepEqual(parse({ ...ipv6, ...min, IPv6SubnetLen: 124 }).ipv6, {
    network: 'fc00::/48',
    subnetMin: 'fc00:0:0:1::',
    subnetMax: 'fc00:0:0:f::',
    subnetLen: 124,
  })
})

// network, SubnetLen, SubnetMin, SubnetMax
const defaults = [
  ['10.0.0.0/8', 24, '10.0.1.0', '10.255.255.0'],
  ['10.3.4.5/16', 24, '10.3.1.0', '10.3.255.0'],
  ['10.3.0.0/22', 24, '10.3.1.0', '10.3.3.0'],
  ['10.3.0.0/23', 25, '10.3.0.128', '10.3.1.128'],
  ['10.3.0.0/28', 30, '10.3.0.4', '10.3.0.12'],
  ['255.255.0.0/16', 24, '255.255.1.0', '255.255.255.0'],
  ['fc00::/62', 64, 'fc00:0:0:1::', 'fc00:0:0:3::'],
  ['fc00::/63', 65, 'fc00::8000:0:0:0', 'fc00:0:0:1:8000::'],
  ['fc00::/124', 126, 'fc00::4', 'fc00::c'],
] as const

for (const [text, subnetLen, subnetMin, subnetMax] of defaults) {
  test(`of ${text} a node gets /${subnetLen}, from ${subnetMin} to ${subnetMax}`, () => {
    const isIpv6 = text.includes(':')
    const config = parse(isIpv6 ? { ...ipv6, IPv6Network: text } : { Network: text })
    const { network: _, ...rest } = (isIpv6 ? config.ipv6 : config.ipv4)!
    assert.deepEqual(rest, { subnetMin, subnetMax, subnetLen })
  })
}

test('an address without bits and a length of 0 say nothing', () => {
  const none = { ...network, SubnetLen: 0, SubnetMin: '0.0.0.0', SubnetMax: null, EnableIPv4: null }
  assert.deepEqual(parse(none), parse(network))
})

test('keys match in any case, the last one counts, unknown ones do not', () => {
  const text = `{ "NETWORK": "10.3.0.0/16", "network": "10.4.0.0/16", "Mtu": 5, "enablenftables": true,
    "Backend": {"Type":"host-gw"}, "BACKEND": {"tYPE":"VXLAN","Vni":7,"vni":9,"directrouting":true,"x":[1]} }`
  const config = parseConfig(text)
  assert.equal(config.ipv4?.network, '10.4.0.0/16')
  assert.equal(config.nftables, true)
  const rest = { port: 8472, gbp: false, learning: false }
  assert.deepEqual(config.backend, { type: 'vxlan', vni: 9, directRouting: true, ...rest })
})

test('of several backends the last one counts whole', () => {
  const text = '{"Network":"10.3.0.0/16","Backend":{"Type":"vxlan","VNI":5},"backend":{"Type":"vxlan","Port":4789}}'
  const { backend } = parseConfig(text)
  assert.ok(backend.type === 'vxlan')
  assert.equal(backend.vni, 1)
  assert.equal(backend.port, 4789)
})

test('vxlan: VNI 1, the kernel’s port, the uplink’s MTU, and nothing else on', () => {
  const off = { gbp: false, learning: false, directRouting: false }
  assert.deepEqual(vxlan({}), { type: 'vxlan', vni: 1, port: 8472, ...off })
  assert.deepEqual(vxlan({ Port: 0 }), { type: 'vxlan', vni: 1, port: 8472, ...off })
})

test('vxlan: all that can be said', () => {
  const given = { VNI: 16777215, Port: 65535, MTU: 1400, GBP: true, Learning: true, DirectRouting: true }
  const all = { vni: 16777215, port: 65535, mtu: 1400, gbp: true, learning: true, directRouting: true }
  assert.deepEqual(vxlan(given), { type: 'vxlan', ...all })
})

test('udp, host-gw and alloc', () => {
  assert.deepEqual(parse({ ...network, Backend: { Type: 'UDP', Port: 7890 } }).backend, { type: 'udp', port: 7890 })
  assert.deepEqual(parse({ ...network, Backend: { Type: 'host-gw', VNI: 'x' } }).backend, { type: 'host-gw' })
  assert.deepEqual(parse({ ...network, Backend: { Type: 'Alloc' } }).backend, { type: 'alloc' })
})

// flannel's own words where flannel refuses it too.
const refusals: readonly (readonly [object, string])[] = [
  [{}, 'please define a correct Network parameter in the flannel config'],
  [{ Network: '0.0.0.0/0' }, 'please define a correct Network parameter in the flannel config'],
  [{ Network: null }, 'please define a correct Network parameter in the flannel config'],
  [{ Network: '10.3.0.0' }, 'Cannot use "Network": invalid CIDR address: 10.3.0.0'],
  [{ Network: 'fc00::/48' }, 'Cannot use "Network": invalid IPv4 CIDR format: fc00::/48'],
  [{ EnableIPv4: false, ...network }, 'none defined stack: both EnableIPv4 and EnableIPv6 are false'],
  [{ ...network, SubnetLen: 31 }, 'SubnetLen must be less than /31'],
  [{ ...network, SubnetLen: 17 }, 'network must be able to accommodate at least four subnets'],
  [{ Network: '10.3.0.0/29' }, 'network is too small. Minimum useful network prefix is /28'],
  [{ ...network, SubnetMin: '10.4.1.0' }, 'SubnetMin is not in the range of the Network'],
  [{ ...network, SubnetMax: '10.4.1.0' }, 'SubnetMax is not in the range of the Network'],
  [{ ...network, SubnetMin: '10.3.1.1' }, 'SubnetMin is not on a SubnetLen boundary: 10.3.1.1'],
  [{ ...network, SubnetMax: '10.3.9.128' }, 'SubnetMax is not on a SubnetLen boundary: 10.3.9.128'],
  [{ ...network, SubnetMin: '10.3.1' }, 'Cannot use "SubnetMin": invalid IP address format: 10.3.1'],
  [{ ...network, SubnetMin: 'fc00::' }, 'Cannot use "SubnetMin": invalid IP address format: fc00::'],
  [
    { ...network, SubnetMin: '10.3.9.0', SubnetMax: '10.3.8.0' },
    'SubnetMin 10.3.9.0 is greater than SubnetMax 10.3.8.0',
  ],
  [{ ...ipv6 }, 'please define a correct IPv6Network parameter in the flannel config'],
  [{ ...ipv6, IPv6Network: '10.3.0.0/16' }, 'Cannot use "IPv6Network": invalid IPv6 CIDR format: 10.3.0.0/16'],
  [{ ...ipv6, IPv6Network: 'fc00::/48', IPv6SubnetLen: 127 }, 'SubnetLen must be less than /127'],
  [
    { ...ipv6, IPv6Network: 'fc00::/48', IPv6SubnetLen: 49 },
    'network must be able to accommodate at least four subnets',
  ],
  [{ ...ipv6, IPv6Network: 'fc00::/125' }, 'IPv6Network is too small. Minimum useful network prefix is /124'],
  [
    { ...ipv6, IPv6Network: 'fc00::/48', IPv6SubnetMin: 'fd00::' },
    'IPv6SubnetMin is not in the range of the IPv6Network',
  ],
  [
    { ...ipv6, IPv6Network: 'fc00::/48', IPv6SubnetMax: 'fd00::' },
    'IPv6SubnetMax is not in the range of the IPv6Network',
  ],
  [
    { ...ipv6, IPv6Network: 'fc00::/48', IPv6SubnetMin: 'fc00::1' },
    'IPv6SubnetMin is not on a SubnetLen boundary: fc00::1',
  ],
  [
    { ...ipv6, IPv6Network: 'fc00::/48', IPv6SubnetMax: 'fc00::1' },
    'IPv6SubnetMax is not on a SubnetLen boundary: fc00::1',
  ],
  [
    { ...ipv6, IPv6Network: 'fc00::/48', Backend: undefined },
    'backend type udp carries IPv4 only: set EnableIPv4, or use vxlan or host-gw',
  ],
  [{ ...network, Backend: {} }, 'unknown backend type:  ("Type" is one of vxlan, host-gw, udp and alloc)'],
  [
    { ...network, Backend: { Type: 'Geneve' } },
    'unknown backend type: geneve ("Type" is one of vxlan, host-gw, udp and alloc)',
  ],
  [
    { ...network, Backend: { Type: 'WireGuard' } },
    'overlab has no backend type wireguard ("Type" is one of vxlan, host-gw, udp and alloc)',
  ],
]

for (const [value, message] of refusals) {
  test(`${JSON.stringify(value)} is refused: ${message}`, () => {
    assert.throws(() => parse(value), { name: 'JsonError', message })
  })
}

for (const type of ['extension', 'ipip', 'ipsec', 'wireguard', 'tencent-vpc']) {
  test(`backend ${type} is refused by its name`, () => {
    const message = `overlab has no backend type ${type} ("Type" is one of vxlan, host-gw, udp and alloc)`
    assert.throws(() => parse({ ...network, Backend: { Type: type } }), { name: 'JsonError', message })
  })
}

// A wrong type, or out of range: which key the message names.
const wrong: readonly (readonly [object, RegExp])[] = [
  [{ Network: 5 }, /"Network"/],
  [{ ...network, SubnetLen: '24' }, /"SubnetLen"/],
  [{ ...network, SubnetLen: -1 }, /"SubnetLen"/],
  [{ ...network, SubnetLen: 24.5 }, /"SubnetLen"/],
  [{ ...network, EnableIPv6: 'yes' }, /"EnableIPv6"/],
  [{ ...network, EnableNFTables: 1 }, /"EnableNFTables"/],
  [{ ...network, Backend: 'vxlan' }, /^error decoding Backend property of config: .*"Backend"/],
  [{ ...network, Backend: [] }, /^error decoding Backend property of config: .*"Backend"/],
  [{ ...network, Backend: { Type: 5 } }, /^error decoding Backend property of config: .*"Backend\.Type"/],
  [{ ...network, Backend: { Type: 'vxlan', VNI: '1' } }, /^error decoding VXLAN backend config: .*"Backend\.VNI"/],
  [{ ...network, Backend: { Type: 'vxlan', VNI: 0 } }, /"Backend\.VNI".* from 1 to 16777215/],
  [{ ...network, Backend: { Type: 'vxlan', VNI: 16777216 } }, /"Backend\.VNI"/],
  [{ ...network, Backend: { Type: 'vxlan', Port: 65536 } }, /"Backend\.Port"/],
  [{ ...network, Backend: { Type: 'vxlan', Port: -1 } }, /"Backend\.Port"/],
  [{ ...network, Backend: { Type: 'vxlan', MTU: 117 } }, /"Backend\.MTU".* from 118 /],
  [{ ...ipv6, IPv6Network: 'fc00::/48', Backend: { Type: 'vxlan', MTU: 1349 } }, /"Backend\.MTU".* from 1350 /],
  [{ ...network, Backend: { Type: 'vxlan', MTU: 65536 } }, /"Backend\.MTU"/],
  [{ ...network, Backend: { Type: 'vxlan', GBP: 'true' } }, /"Backend\.GBP"/],
  [{ ...network, Backend: { Type: 'udp', Port: 0 } }, /^error decoding UDP backend config: .*"Backend\.Port"/],
]

for (const [value, message] of wrong) {
  test(`${JSON.stringify(value)} is refused by its key`, () => {
    assert.throws(() => parse(value), { name: 'JsonError', message })
  })
}

for (const text of ['', 'null', '[]', '5', '{', '{} {}', '{"Network":}']) {
  test(`${JSON.stringify(text)} is no configuration`, () => {
    assert.throws(() => parseConfig(text), { name: 'JsonError' })
  })
}

const word = fc.oneof(
  fc.constantFrom(
    '10.3.0.0/16',
    '10.3.1.0',
    '0.0.0.0/0',
    'fc00::/48',
    'fc00:0:0:1::',
    '10.3.0.0/28',
    'vxlan',
    'udp',
    '',
  ),
  fc.string({ maxLength: 8 }),
)
const anything = fc.oneof(word, fc.integer(), fc.boolean(), fc.constant(null), fc.constant({ Type: 'vxlan' }))
const anyConfig = fc.record(
  {
    EnableIPv4: fc.oneof(fc.boolean(), anything),
    EnableIPv6: fc.oneof(fc.boolean(), anything),
    Network: anything,
    IPv6Network: anything,
    SubnetLen: fc.oneof(fc.integer({ min: -1, max: 40 }), anything),
    IPv6SubnetLen: fc.oneof(fc.integer({ min: -1, max: 140 }), anything),
    SubnetMin: anything,
    SubnetMax: anything,
    IPv6SubnetMin: anything,
    Backend: anything,
  },
  { requiredKeys: [] },
)

test('any text is a configuration or a JsonError', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        anyConfig.map((value) => JSON.stringify(value)),
        fc.string(),
        fc.json(),
      ),
      (text) => {
        try {
          parseConfig(text)
        } catch (error) {
          assert.ok(error instanceof JsonError)
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('there is always a subnet to give, in the network and on its boundary', () => {
  const length = fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined })
  const address = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  fc.assert(
    fc.property(address, fc.integer({ min: 1, max: 28 }), length, (bits, prefix, subnetLen) => {
      const bytes = [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.')
      let config: ReturnType<typeof parse>
      try {
        config = parse({ Network: `${bytes}/${prefix}`, SubnetLen: subnetLen })
      } catch {
        assert.ok(subnetLen !== undefined && subnetLen < prefix + 2)
        return
      }
      const { network: whole, subnetMin, subnetMax, subnetLen: chosen } = config.ipv4!
      const size = 1n << BigInt(32 - chosen)
      for (const each of [subnetMin, subnetMax]) {
        assert.ok(contains(parsePrefix(whole), parseIp(each)))
        assert.equal(ipToBigInt(parseIp(each)) % size, 0n)
      }
      assert.ok(ipToBigInt(parseIp(subnetMin)) <= ipToBigInt(parseIp(subnetMax)))
    }),
  )
})
