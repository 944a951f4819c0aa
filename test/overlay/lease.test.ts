/** Attributes of leases, as flannel writes them into etcd, and what of others' is accepted. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { formatIp, ipFromBigInt } from '../../src/address/ip.ts'
import { JsonError } from '../../src/json/errors.ts'
import {
  formatLeaseAttributes,
  gatewayOf,
  type LeaseAttributes,
  leaseOf,
  parseLeaseAttributes,
} from '../../src/overlay/lease.ts'

const mac = 'c6:d2:32:6f:8f:44'
const vtep = { vni: 1, mac }

// name, the value of the key, attributes: read and written.
const values: readonly (readonly [string, string, LeaseAttributes])[] = [
  [
    'udp and alloc',
    '{"PublicIP":"192.168.77.1","PublicIPv6":null}',
    { backend: '', ipv4: { publicIp: '192.168.77.1' } },
  ],
  [
    'host-gw',
    '{"PublicIP":"192.168.77.1","PublicIPv6":null,"BackendType":"host-gw"}',
    { backend: 'host-gw', ipv4: { publicIp: '192.168.77.1' } },
  ],
  [
    'vxlan',
    `{"PublicIP":"192.168.77.1","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"${mac}"}}`,
    { backend: 'vxlan', ipv4: { publicIp: '192.168.77.1', vtep } },
  ],
  [
    'vxlan of both families',
    `{"PublicIP":"192.168.77.1","PublicIPv6":"fd77::1","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"${mac}"},"BackendV6Data":{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}}`,
    {
      backend: 'vxlan',
      ipv4: { publicIp: '192.168.77.1', vtep },
      ipv6: { publicIp: 'fd77::1', vtep: { vni: 1, mac: '02:00:00:00:00:01' } },
    },
  ],
  [
    'vxlan of IPv6 alone',
    `{"PublicIP":"0.0.0.0","PublicIPv6":"fd77::1","BackendType":"vxlan","BackendV6Data":{"VNI":7,"VtepMAC":"${mac}"}}`,
    { backend: 'vxlan', ipv6: { publicIp: 'fd77::1', vtep: { vni: 7, mac } } },
  ],
  [
    'an IPv4 address mapped into IPv6, as Go prints it',
    '{"PublicIP":"0.0.0.0","PublicIPv6":"10.0.0.1","BackendType":"host-gw"}',
    { backend: 'host-gw', ipv6: { publicIp: '::ffff:10.0.0.1' } },
  ],
  [
    'a backend that is not ours',
    '{"PublicIP":"192.168.77.1","PublicIPv6":null,"BackendType":"wireguard"}',
    { backend: 'wireguard', ipv4: { publicIp: '192.168.77.1' } },
  ],
]

for (const [name, text, attributes] of values) {
  test(`${name}: read, and written byte for byte`, () => {
    assert.deepEqual(parseLeaseAttributes(text), attributes)
    assert.equal(formatLeaseAttributes(attributes), text)
  })
}

// What others write: name, value, attributes.
const others: readonly (readonly [string, string, LeaseAttributes])[] = [
  [
    'any case, any order, more keys, twice',
    `{"backenddata":{"vtepmac":"${mac}","vni":3,"x":1},"Node":"n1","BACKENDTYPE":"vxlan","publicip":"1.2.3.4","PublicIP":"10.0.0.9"}`,
    { backend: 'vxlan', ipv4: { publicIp: '10.0.0.9', vtep: { vni: 3, mac } } },
  ],
  [
    'no VNI, as old flannels',
    `{"PublicIP":"10.0.0.9","BackendType":"vxlan","BackendData":{"VtepMAC":"${mac}"}}`,
    { backend: 'vxlan', ipv4: { publicIp: '10.0.0.9', vtep: { vni: undefined, mac } } },
  ],
  [
    'hyphens in the MAC',
    '{"PublicIP":"10.0.0.9","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"C6-D2-32-6F-8F-44"}}',
    { backend: 'vxlan', ipv4: { publicIp: '10.0.0.9', vtep } },
  ],
  [
    'dots in the MAC',
    '{"PublicIP":"10.0.0.9","BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"c6d2.326f.8f44"}}',
    { backend: 'vxlan', ipv4: { publicIp: '10.0.0.9', vtep } },
  ],
  [
    'another way to write IPv6',
    '{"PublicIPv6":"FD77:0:0::0001","BackendType":"host-gw"}',
    { backend: 'host-gw', ipv6: { publicIp: 'fd77::1' } },
  ],
  [
    'data of a backend that is not ours',
    '{"PublicIP":"10.0.0.9","BackendType":"extension","BackendData":"text"}',
    { backend: 'extension', ipv4: { publicIp: '10.0.0.9' } },
  ],
  ['a reservation', '{"PublicIP":"10.0.0.9"}', { backend: '', ipv4: { publicIp: '10.0.0.9' } }],
  ['nothing', '{}', { backend: '' }],
]

for (const [name, text, attributes] of others) {
  test(`${name}: accepted`, () => assert.deepEqual(parseLeaseAttributes(text), attributes))
}

const withMac = (text: string) => `{"PublicIP":"10.0.0.9","BackendType":"vxlan","BackendData":{"VtepMAC":"${text}"}}`
const refused: readonly (readonly [string, string, RegExp])[] = [
  ['no JSON', 'garbage', /^Cannot decode the lease/],
  ['a list', '[]', /^Cannot use the document/],
  [
    'an address that is none',
    '{"PublicIP":"10.0.0"}',
    /^Cannot use "PublicIP": it is "10\.0\.0", give an IPv4 address$/,
  ],
  ['an IPv4 address of IPv6', '{"PublicIP":"fd77::1"}', /"PublicIP"/],
  ['a number as an address', '{"PublicIP":5}', /"PublicIP"/],
  ['an IPv6 address that is none', '{"PublicIPv6":"fd77::1::2"}', /"PublicIPv6"/],
  [
    'a MAC of 8 bytes',
    withMac('02:00:5e:10:00:00:00:01'),
    /"BackendData\.VtepMAC": it is "02:00:5e:10:00:00:00:01", give/,
  ],
  ['a MAC of 20 bytes', withMac(Array(20).fill('02').join('-')), /"BackendData\.VtepMAC"/],
  ['a MAC of no byte', withMac(''), /"BackendData\.VtepMAC"/],
  ['a group’s MAC', withMac('01:00:5e:00:00:01'), /"BackendData\.VtepMAC"/],
  ['a MAC of zeros', withMac('00:00:00:00:00:00'), /"BackendData\.VtepMAC"/],
  [
    'data without MAC',
    '{"PublicIP":"10.0.0.9","BackendType":"vxlan","BackendData":{"VNI":1}}',
    /no "BackendData\.VtepMAC"/,
  ],
  ['data that is text', '{"PublicIP":"10.0.0.9","BackendType":"vxlan","BackendData":"x"}', /"BackendData"/],
  [
    'a VNI of 25 bits',
    `{"PublicIP":"10.0.0.9","BackendType":"vxlan","BackendData":{"VNI":16777216,"VtepMAC":"${mac}"}}`,
    /"BackendData\.VNI"/,
  ],
]

for (const [name, text, message] of refused) {
  test(`${name}: refused, and it is said why`, () => {
    assert.throws(() => parseLeaseAttributes(text), { name: 'JsonError', message })
  })
}

test('a lease is its subnets with its attributes', () => {
  const attributes = parseLeaseAttributes(values[3]![1])
  assert.deepEqual(leaseOf({ ipv4: '10.5.4.0/24', ipv6: 'fd00:5:0:7::/64' }, attributes), {
    backend: 'vxlan',
    ipv4: { subnet: '10.5.4.0/24', publicIp: '192.168.77.1', vtep },
    ipv6: { subnet: 'fd00:5:0:7::/64', publicIp: 'fd77::1', vtep: { vni: 1, mac: '02:00:00:00:00:01' } },
  })
  assert.deepEqual(Object.keys(leaseOf({ ipv4: '10.5.4.0/24' }, attributes)), ['backend', 'ipv4'])
})

test('a lease of udp of both families has no address for IPv6, and counts for IPv4', () => {
  const attributes = parseLeaseAttributes(values[0]![1])
  const lease = { backend: '', ipv4: { subnet: '10.5.4.0/24', publicIp: '192.168.77.1' } }
  assert.deepEqual(leaseOf({ ipv4: '10.5.4.0/24', ipv6: 'fd00:5:0:7::/64' }, attributes), lease)
})

test('a lease without the address or the data for its subnet is refused', () => {
  const missing = (subnets: object, text: string, message: RegExp) =>
    assert.throws(() => leaseOf(subnets, parseLeaseAttributes(text)), { name: 'JsonError', message })
  missing({ ipv4: '10.5.4.0/24' }, '{}', /there is no "PublicIP"$/)
  missing({ ipv4: '10.5.4.0/24' }, '{"PublicIP":"0.0.0.0"}', /there is no "PublicIP"$/)
  missing({ ipv6: 'fd00::/64' }, '{"PublicIP":"10.0.0.9"}', /there is no "PublicIPv6"$/)
  missing({ ipv4: '10.5.4.0/24' }, '{"PublicIP":"10.0.0.9","BackendType":"vxlan"}', /there is no "BackendData"$/)
  missing({ ipv6: 'fd00::/64' }, '{"PublicIPv6":"fd77::1","BackendType":"vxlan"}', /there is no "BackendV6Data"$/)
})

test('a subnet’s gateway is its first address', () => {
  assert.equal(gatewayOf('10.5.72.0/24'), '10.5.72.0')
  assert.equal(gatewayOf('fd00:5:0:7::/64'), 'fd00:5:0:7::')
})

const macOfOne = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) =>
    [(bytes[0]! & 0xfe) | 2, ...bytes.slice(1)].map((byte) => byte.toString(16).padStart(2, '0')).join(':'),
  )
const anyVtep = fc
  .tuple(fc.option(fc.integer({ min: 0, max: 2 ** 24 - 1 }), { nil: undefined }), macOfOne)
  .map(([vni, each]) => ({ vni, mac: each }))
const endpoint = (family: 'ipv4' | 'ipv6', hasVtep: boolean) =>
  fc
    .tuple(fc.bigInt({ min: 1n, max: 2n ** (family === 'ipv4' ? 32n : 128n) - 1n }), anyVtep)
    .map(([bits, each]) => ({ publicIp: formatIp(ipFromBigInt(bits, family)), ...(hasVtep && { vtep: each }) }))

test('what is written is read as the same', () => {
  const attributes = fc.constantFrom('vxlan', 'host-gw', '').chain((backend) =>
    fc.record(
      {
        backend: fc.constant(backend),
        ipv4: endpoint('ipv4', backend === 'vxlan'),
        ipv6: endpoint('ipv6', backend === 'vxlan'),
      },
      { requiredKeys: ['backend'], noNullPrototype: true },
    ),
  )
  fc.assert(
    fc.property(attributes, (each) => assert.deepEqual(parseLeaseAttributes(formatLeaseAttributes(each)), each)),
  )
})

test('any text is attributes or a JsonError', () => {
  const piece = fc.oneof(
    fc.constantFrom('10.0.0.9', '0.0.0.0', 'fd77::1', mac, 'vxlan', '', null, 1, -1, 1.5),
    fc.string(),
  )
  const data = fc.record({ VNI: piece, VtepMAC: piece }, { requiredKeys: [] })
  const text = fc
    .record(
      {
        PublicIP: piece,
        PublicIPv6: piece,
        BackendType: piece,
        BackendData: fc.oneof(data, piece),
        BackendV6Data: data,
      },
      { requiredKeys: [] },
    )
    .map((value) => JSON.stringify(value))
  fc.assert(
    fc.property(fc.oneof(text, fc.json(), fc.string()), (each) => {
      try {
        leaseOf({ ipv4: '10.5.4.0/24', ipv6: 'fd00::/64' }, parseLeaseAttributes(each))
      } catch (error) {
        assert.ok(error instanceof JsonError)
      }
    }),
    { numRuns: 500 },
  )
})
