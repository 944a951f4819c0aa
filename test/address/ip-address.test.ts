/** The npm package ip-address as witness of our addresses and prefixes. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { Address4, Address6 } from 'ip-address'
import { test } from 'vitest'
import { familyOf, formatIp, ipToBigInt, parseIp } from '../../src/address/ip.ts'
import { formatIpv4 } from '../../src/address/ipv4.ts'
import { formatIpv6 } from '../../src/address/ipv6.ts'
import { contains, formatPrefix, lastOf, networkOf } from '../../src/address/prefix.ts'
import { ip, ipv4Bytes, ipv6Bytes, prefix } from '../support/any-address.ts'

test('the npm package ip-address writes addresses as we do', () => {
  fc.assert(
    fc.property(ipv4Bytes, (bytes) =>
      assert.equal(formatIpv4(bytes), Address4.fromByteArray([...bytes]).correctForm()),
    ),
  )
  fc.assert(
    fc.property(ipv6Bytes, (bytes) => {
      const address = Address6.fromByteArray([...bytes])
      // It writes the mapped form in hexadecimal.
      if (!formatIpv6(bytes).includes('.')) assert.equal(formatIpv6(bytes), address.correctForm())
      assert.deepEqual(parseIp(address.canonicalForm()), bytes)
    }),
  )
})

test('the npm package ip-address finds the same network, last address and membership', () => {
  fc.assert(
    fc.property(prefix, ip, (subnet, other) => {
      const text = formatPrefix(subnet)
      const witness = familyOf(subnet.address) === 'ipv4' ? new Address4(text) : new Address6(text)
      assert.equal(ipToBigInt(networkOf(subnet).address), witness.startAddress().bigInt())
      assert.equal(ipToBigInt(lastOf(subnet)), witness.endAddress().bigInt())
      if (familyOf(other) !== familyOf(subnet.address)) assert.ok(!contains(subnet, other))
      else {
        const inside = other.length === 4 ? new Address4(formatIp(other)) : new Address6(formatIp(other))
        assert.equal(contains(subnet, other), inside.isInSubnet(witness as never))
      }
    }),
  )
})
