/** Addresses and prefixes, against rows of the RFCs and node:net. The npm package ip-address: ip-address.test.ts. */
import assert from 'node:assert/strict'
import { isIPv4, isIPv6 } from 'node:net'
import fc from 'fast-check'
import { test } from 'vitest'
import {
  compareIp,
  familyOf,
  formatIp,
  ipFromBigInt,
  ipToBigInt,
  isOfHost,
  nextIp,
  parseIp,
  previousIp,
  readIp,
} from '../../src/address/ip.ts'
import { readIpv4 } from '../../src/address/ipv4.ts'
import { readIpv6 } from '../../src/address/ipv6.ts'
import { formatMac, isMulticastMac, parseMac } from '../../src/address/mac.ts'
import {
  contains,
  hostBits,
  hostOf,
  maskOf,
  networkOf,
  overlaps,
  parsePrefix,
  readPrefix,
} from '../../src/address/prefix.ts'
import { ip, prefix } from '../support/any-address.ts'

const noIpv4 = [
  '',
  '1',
  '1.2.3',
  '1.2.3.4.5',
  '1..3.4',
  '256.1.1.1',
  '1.2.3.04',
  '0x1.2.3.4',
  ' 1.2.3.4',
  '1.2.3.4 ',
  '1.2.3.-4',
  '٣.2.3.4',
]
for (const text of noIpv4) test(`"${text}" is no IPv4 address`, () => assert.equal(readIp(text), undefined))

const noIpv6 = [
  ':',
  ':::',
  '1::2::3',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '12345::',
  '::1%eth0',
  '::g',
  '1:2:3:4:5:6:7::8:9',
]
noIpv6.push(
  '::1.2.3',
  '1.2.3.4::',
  '::ffff:1.2.3.4:5',
  '1:2:3:4:5:6:7:1.2.3.4',
  ':1',
  '1:',
  '::1 ',
  '1:2:3:4:5:6:7:8::',
)
for (const text of noIpv6) test(`"${text}" is no IPv6 address`, () => assert.equal(readIp(text), undefined))

// RFC 5952 §4 and §5.
const written = [
  ['2001:0db8:0:0:0:0:0002:0001', '2001:db8::2:1'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ['2001:DB8::AAAA', '2001:db8::aaaa'],
  ['::', '::'],
  ['0:0:0:0:0:0:0:1', '::1'],
  ['1:0:0:0:0:0:0:0', '1::'],
  ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
  ['::ffff:c000:201', '::ffff:192.0.2.1'],
  ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
] as const
for (const [text, canonical] of written) {
  test(`${text} is written ${canonical}`, () => assert.equal(formatIp(parseIp(text)), canonical))
}

test('any text is an address exactly when Node says so', () => {
  const nearly = fc.string({ unit: fc.constantFrom(...'0123456789abcf:.::'), maxLength: 24 })
  fc.assert(
    fc.property(fc.oneof(nearly, fc.ipV4(), fc.ipV6()), (text) => {
      assert.equal(readIpv4(text) !== undefined, isIPv4(text))
      assert.equal(readIpv6(text) !== undefined, isIPv6(text))
    }),
    { numRuns: 3000 },
  )
})

test('an address written and read is the same', () => {
  fc.assert(fc.property(ip, (bytes) => assert.deepEqual(parseIp(formatIp(bytes)), bytes)))
})

test('next and previous take each other back, and follow the order', () => {
  fc.assert(
    fc.property(ip, (bytes) => {
      assert.deepEqual(previousIp(nextIp(bytes)), bytes)
      assert.deepEqual(ipFromBigInt(ipToBigInt(bytes), familyOf(bytes)), bytes)
      if (bytes.some((byte) => byte !== 255)) assert.ok(compareIp(bytes, nextIp(bytes)) < 0)
    }),
  )
  assert.equal(formatIp(nextIp(parseIp('255.255.255.255'))), '0.0.0.0')
})

test('overlapping is mutual, and a prefix overlaps what it contains', () => {
  fc.assert(
    fc.property(prefix, prefix, (a, b) => {
      assert.equal(overlaps(a, b), overlaps(b, a))
      assert.equal(overlaps(a, b), contains(a, networkOf(b).address) || contains(b, networkOf(a).address))
    }),
  )
})

const noPrefix = [
  '10.0.0.0',
  '10.0.0.0/',
  '10.0.0.0/33',
  '10.0.0.0/08',
  '10.0.0.0/-1',
  '::/129',
  '/24',
  '10.0.0.0/24/24',
  '10.0.0.0/2a',
]
for (const text of noPrefix) test(`"${text}" is no prefix`, () => assert.equal(readPrefix(text), undefined))

test('masks and host bits', () => {
  assert.equal(formatIp(maskOf(parsePrefix('10.0.0.0/0'))), '0.0.0.0')
  assert.equal(formatIp(maskOf(parsePrefix('10.0.0.0/19'))), '255.255.224.0')
  assert.equal(formatIp(maskOf(parsePrefix('::/65'))), 'ffff:ffff:ffff:ffff:8000::')
  assert.equal(hostBits(parsePrefix('10.0.0.0/30')), 2)
  assert.equal(hostBits(parsePrefix('fd00::/64')), 64)
})

for (const text of ['02:42:0A:00:00:01', '02-42-0a-00-00-01', '0242.0a00.0001', '02420a000001']) {
  test(`MAC address ${text} is read`, () => assert.equal(formatMac(parseMac(text)), '02:42:0a:00:00:01'))
}
for (const text of [
  '',
  '02:42:0a:00:00',
  '02:42:0a:00:00:01:02',
  '02:42-0a:00:00:01',
  '2:42:a:0:0:1',
  '02420a00000',
  '02:42:0a:00:00:0g',
]) {
  test(`"${text}" is no MAC address`, () => assert.throws(() => parseMac(text), RangeError))
}
test('the lowest bit of the first byte makes a MAC address a group', () => {
  assert.ok(isMulticastMac(parseMac('ff:ff:ff:ff:ff:ff')))
  assert.ok(isMulticastMac(parseMac('01:00:5e:00:00:01')))
  assert.ok(!isMulticastMac(parseMac('02:00:00:00:00:01')))
})

test('an address can be another host’s, or is a group’s, everybody’s, one’s own, or none', () => {
  for (const text of ['10.0.2.15', '1.0.0.0', '223.255.255.255', '128.0.0.1', 'fe80::1', '::2', '2001:db8::']) {
    assert.ok(isOfHost(parseIp(text)), text)
  }
  for (const text of [
    '0.0.0.0',
    '0.1.2.3',
    '127.0.0.1',
    '127.9.9.9',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'ff02::1',
  ]) {
    assert.ok(!isOfHost(parseIp(text)), text)
  }
})

test('what stands before the length of a prefix', () => {
  assert.equal(hostOf('192.168.77.1/24'), '192.168.77.1')
  assert.equal(hostOf('fd77::1/64'), 'fd77::1')
  assert.equal(hostOf('10.0.0.1'), '10.0.0.1')
})
