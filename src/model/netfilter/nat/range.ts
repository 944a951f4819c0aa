/** What a connection may be translated to: struct nf_nat_range2, linux/netfilter/nf_nat.h. */
import type { Address } from '../conntrack/tuple.ts'

/** NF_NAT_RANGE_*. */
export const RangeFlag = {
  mapAddresses: 1 << 0,
  portsSpecified: 1 << 1,
  random: 1 << 2,
  persistent: 1 << 3,
  fullyRandom: 1 << 4,
  /** The port's distance from `basePort` is kept. */
  offset: 1 << 5,
} as const

/** NF_NAT_RANGE_PROTO_RANDOM_ALL. */
export const RANDOM_ALL = RangeFlag.random | RangeFlag.fullyRandom

export interface NatRange {
  /** Bits of RangeFlag: what is not flagged is not looked at. */
  readonly flags: number
  readonly minAddress: Address
  /** Inclusive, as maxPort. */
  readonly maxAddress: Address
  readonly minPort: number
  readonly maxPort: number
  readonly basePort: number
}

/** nf_nat_manip_type: which end of the packet is changed. */
export type NatKind = 'snat' | 'dnat'

/** Addresses of any port. */
export function addressRange(address: Address, flags = 0): NatRange {
  return {
    flags: flags | RangeFlag.mapAddresses,
    minAddress: address,
    maxAddress: address,
    minPort: 0,
    maxPort: 0,
    basePort: 0,
  }
}
