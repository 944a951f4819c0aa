/** Keys of leases: flannel's rows, pkg/subnet/subnet_test.go, and the forms that it cannot read. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { formatIp, ipFromBigInt } from '../../src/address/ip.ts'
import { formatPrefix, networkOf } from '../../src/address/prefix.ts'
import { formatLeaseKey, networkKeys, parseLeaseKey, type Subnets } from '../../src/overlay/lease-key.ts'

const keys: readonly (readonly [string, Subnets])[] = [
  ['10.12.13.0-24', { ipv4: '10.12.13.0/24' }],
  ['10.12.13.0-24&fd00:12:13::-56', { ipv4: '10.12.13.0/24', ipv6: 'fd00:12:13::/56' }],
  ['0.0.0.0-0&fd00:5:0:5f::-64', { ipv6: 'fd00:5:0:5f::/64' }],
  ['10.12.13.4-32', { ipv4: '10.12.13.4/32' }],
  ['10.12.13.4-32&fd00::4-128', { ipv4: '10.12.13.4/32', ipv6: 'fd00::4/128' }],
]

for (const [key, subnets] of keys) {
  test(`${key} is read and written`, () => {
    assert.deepEqual(parseLeaseKey(key), subnets)
    assert.equal(formatLeaseKey(subnets), key)
  })
}

const invalid = [
  '10',
  '10.12.13.0',
  '10.12.13-24',
  '10.12.13.300-24',
  '10.12.13.0-24hi',
  '&2001::-56',
  '10.12.13.0-24&:12:13:-56',
  '10.12.13.0-24&20011::-56',
  '10.12.13.0-24&2001-56',
  '10.12.13.0-24&2001::',
  '10.12.13.0-24&2001::-56hi',
  '',
  '0.0.0.0-0',
  '10.12.13.0-33',
  '10.12.13.1-24',
  '10.12.13.0/24',
  '10.12.13.0-24/x',
  '10.12.13.0-24&fd00::-129',
  '10.12.13.0-24&fd00::1-64',
  '10.12.13.0-24&',
  '10.12.13.0-24&fd00::-64&fd01::-64',
  'fd00::-64',
  '10.12.13.0-24&10.12.14.0-24',
]

for (const key of invalid) {
  test(`"${key}" is no key of a lease`, () => assert.equal(parseLeaseKey(key), undefined))
}

test('whatever is read is written as something that reads the same', () => {
  const ipv4 = fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }), fc.integer({ min: 1, max: 32 }))
  const ipv6 = fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), fc.integer({ min: 0, max: 128 }))
  const subnet = (value: bigint, length: number, family: 'ipv4' | 'ipv6') =>
    formatPrefix(networkOf({ address: ipFromBigInt(value, family), length }))
  fc.assert(
    fc.property(fc.option(ipv4), fc.option(ipv6), (four, six) => {
      fc.pre(four !== null || six !== null)
      const subnets = { ...(four && { ipv4: subnet(...four, 'ipv4') }), ...(six && { ipv6: subnet(...six, 'ipv6') }) }
      assert.deepEqual(parseLeaseKey(formatLeaseKey(subnets)), subnets)
    }),
  )
})

test('any text is a key or none', () => {
  const part = fc.constantFrom(
    '10.1.2.0',
    '-',
    '24',
    '&',
    'fd00::',
    '64',
    '/',
    '.',
    ':',
    formatIp(Uint8Array.of(0, 0, 0, 0)),
  )
  const text = fc.oneof(
    fc.string(),
    fc.array(part, { maxLength: 8 }).map((parts) => parts.join('')),
  )
  fc.assert(
    fc.property(text, (key) => {
      const subnets = parseLeaseKey(key)
      if (subnets) assert.ok(subnets.ipv4 ?? subnets.ipv6)
    }),
  )
})

test('a prefix is joined as a path', () => {
  const flannels = { config: '/coreos.com/network/config', subnets: '/coreos.com/network/subnets/' }
  assert.deepEqual(networkKeys('/coreos.com/network'), flannels)
  assert.deepEqual(networkKeys('/coreos.com//network/'), flannels)
  assert.deepEqual(networkKeys('vxlan'), { config: 'vxlan/config', subnets: 'vxlan/subnets/' })
  assert.deepEqual(networkKeys('/'), { config: '/config', subnets: '/subnets/' })
})
