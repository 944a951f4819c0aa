/** The choice of a subnet, beside a naive one. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { formatIp, ipFromBigInt, ipToBigInt, parseIp } from '../../src/address/ip.ts'
import { networkOf, overlaps, parsePrefix } from '../../src/address/prefix.ts'
import { allocateSubnet, isAllocatable, OutOfSubnets } from '../../src/overlay/allocate.ts'
import { type FamilyNetwork, parseConfig } from '../../src/overlay/config.ts'

const network = (text: string): FamilyNetwork => parseConfig(text).ipv4!
const small = network('{"Network":"10.5.0.0/22"}')
const first = () => 0
const last = () => 1 - 2 ** -53

test('any subnet that is free, as chance has it', () => {
  const large = network('{"Network":"10.5.0.0/16"}')
  const at = (chance: number, taken: string[] = []) => allocateSubnet(large, taken, () => chance)
  assert.equal(at(0), '10.5.1.0/24')
  assert.equal(at(0.5), '10.5.128.0/24')
  assert.equal(at(1 - 2 ** -53), '10.5.255.0/24')
  assert.equal(at(0, ['10.5.1.0/24', '10.5.50.0/24']), '10.5.2.0/24')
  // 253 are left; the 126th of them is behind the one in the middle.
  assert.equal(at(0.5, ['10.5.1.0/24', '10.5.50.0/24']), '10.5.129.0/24')
})

test('what overlaps is passed over, larger or smaller', () => {
  assert.equal(allocateSubnet(small, ['10.5.0.0/23', '10.5.2.128/25'], first), '10.5.3.0/24')
  assert.equal(allocateSubnet(small, ['10.5.1.4/30', '10.5.2.0/24', '10.5.2.0/25'], first), '10.5.3.0/24')
})

test('the other family and foreign networks do not matter', () => {
  assert.equal(allocateSubnet(small, ['fd00::/8', '10.4.0.0/16', '192.168.0.0/16'], first), '10.5.1.0/24')
})

test('none is left: OutOfSubnets says of what', () => {
  const message = 'out of subnets: all /24 of 10.5.0.0/22 from 10.5.1.0 to 10.5.3.0 are taken'
  const all = ['10.5.1.0/24', '10.5.2.0/24', '10.5.3.0/24']
  assert.throws(() => allocateSubnet(small, all, first), { name: 'OutOfSubnets', message })
  assert.throws(() => allocateSubnet(small, ['0.0.0.0/0'], first), OutOfSubnets)
})

test('one is found at once among millions, behind a block of millions', () => {
  const ipv6 = parseConfig(
    '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00::/16","Backend":{"Type":"vxlan"}}',
  ).ipv6!
  assert.equal(allocateSubnet(ipv6, ['fd00::/20'], first), 'fd00:1000::/64')
  assert.equal(allocateSubnet(ipv6, [], first), 'fd00:0:0:1::/64')
  assert.equal(allocateSubnet(ipv6, [], last), 'fd00:ffff:ffff:ffff::/64')
})

test('a node may have what is of the right length and in the range', () => {
  const ranged = network('{"Network":"10.5.0.0/16","SubnetMin":"10.5.10.0","SubnetMax":"10.5.20.0"}')
  for (const subnet of ['10.5.10.0/24', '10.5.20.0/24']) assert.ok(isAllocatable(ranged, subnet), subnet)
  for (const subnet of ['10.5.9.0/24', '10.5.21.0/24', '10.5.10.0/25', '10.5.0.0/16', 'fd00::/24', '10.6.10.0/24']) {
    assert.ok(!isAllocatable(ranged, subnet), subnet)
  }
})

/** All that are free, tried one by one. */
function naive({ subnetMin, subnetMax, subnetLen }: FamilyNetwork, taken: readonly string[]): string[] {
  const size = 1n << BigInt(32 - subnetLen)
  const free: string[] = []
  for (let at = ipToBigInt(parseIp(subnetMin)); at <= ipToBigInt(parseIp(subnetMax)); at += size) {
    const subnet = `${formatIp(ipFromBigInt(at, 'ipv4'))}/${subnetLen}`
    if (!taken.some((each) => overlaps(parsePrefix(each), parsePrefix(subnet)))) free.push(subnet)
  }
  return free
}

test('one of those that overlap nothing, whatever is taken; when there is none, OutOfSubnets', () => {
  const taken = fc
    .tuple(fc.integer({ min: 0, max: 1023 }), fc.integer({ min: 20, max: 32 }))
    .map(([offset, length]) => {
      const prefix = { address: ipFromBigInt(ipToBigInt(parseIp('10.5.0.0')) + BigInt(offset), 'ipv4'), length }
      return `${formatIp(networkOf(prefix).address)}/${length}`
    })
  const length = fc.integer({ min: 24, max: 30 })
  fc.assert(
    fc.property(
      fc.array(taken, { maxLength: 12 }),
      length,
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (used, subnetLen, chance) => {
        const range = network(`{"Network":"10.5.0.0/22","SubnetLen":${subnetLen}}`)
        const free = naive(range, used)
        if (free.length === 0) {
          assert.throws(() => allocateSubnet(range, used, () => chance), OutOfSubnets)
        } else {
          const subnet = allocateSubnet(range, used, () => chance)
          // Of fewer than a thousand, chances that differ by less than a millionth seldom tell two apart.
          const near = [chance - 1e-6, chance, chance + 1e-6].map((each) => free[Math.floor(each * free.length)])
          assert.ok(near.includes(subnet), `${subnet} is none of ${near}`)
          assert.ok(isAllocatable(range, subnet))
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('nodes one after the other get all there is, each once', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })), (chances) => {
      const range = network('{"Network":"10.5.0.0/27","SubnetLen":30}')
      const taken: string[] = []
      for (let i = 0; i < 7; i++) taken.push(allocateSubnet(range, taken, () => chances.next().value))
      assert.equal(new Set(taken).size, 7)
      assert.throws(() => allocateSubnet(range, taken, first), OutOfSubnets)
    }),
  )
})
