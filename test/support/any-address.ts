/** Any address and any prefix, for properties. IPv6 with many zero groups, which are what its text is difficult about. */
import fc from 'fast-check'
import type { Ip } from '../../src/address/ip.ts'
import type { Prefix } from '../../src/address/prefix.ts'

export const ipv4Bytes = fc.uint8Array({ minLength: 4, maxLength: 4 })
export const ipv6Bytes = fc
  .array(fc.oneof(fc.constant(0), fc.constant(0), fc.nat({ max: 0xffff })), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255])))
export const ip: fc.Arbitrary<Ip> = fc.oneof(ipv4Bytes, ipv6Bytes)
export const prefix: fc.Arbitrary<Prefix> = ip.chain((address) =>
  fc.nat({ max: address.length * 8 }).map((length) => ({ address, length })),
)
