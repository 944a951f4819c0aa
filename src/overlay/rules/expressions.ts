/** The conditions of a rule as nftables has them, and as nft and iptables-nft both write them. */
import { parsePrefix } from '../../address/prefix.ts'
import type { NftExpression } from '../../kernel/nftables.ts'
import type { ChainRule } from '../../reconcile/state.ts'
import type { Family } from '../lease.ts'
import { MASQUERADE_MARK, type TrafficRule, type Where } from './traffic.ts'

export const NFT_FAMILY = { ipv4: 'ip', ipv6: 'ip6' } as const

/** Bytes from the network header on. */
const OFFSETS = { ipv4: { source: 12, destination: 16 }, ipv6: { source: 8, destination: 24 } } as const
/** NFT_REG_1. */
const REGISTER = 1
/** NF_NAT_RANGE_PROTO_RANDOM_FULLY, linux/netfilter/nf_nat.h. */
const FULLY_RANDOM = 1 << 4

/** A rule of a table of `NFT_FAMILY[family]`. */
export function nftRule(rule: TrafficRule, family: Family, fullyRandom: boolean): ChainRule {
  const { does } = rule
  const outcome: NftExpression =
    does === 'masquerade'
      ? { type: 'masquerade', ...(fullyRandom && { flags: FULLY_RANDOM }) }
      : { type: 'verdict', verdict: does }
  return { expressions: [...conditions(rule, family), outcome] }
}

export function conditions({ source, destination, marked }: TrafficRule, family: Family): NftExpression[] {
  return [
    ...(source ? comparePrefix(OFFSETS[family].source, source) : []),
    ...(destination ? comparePrefix(OFFSETS[family].destination, destination) : []),
    ...(marked ? compareMark() : []),
  ]
}

/** Of a prefix of whole bytes only those are loaded; another one needs a mask. */
function comparePrefix(offset: number, { prefix, not = false }: Where): NftExpression[] {
  const { address, length } = parsePrefix(prefix)
  const bytes = Math.ceil(length / 8)
  const operator = not ? 'neq' : 'eq'
  if (length % 8 === 0) {
    return [load(offset, bytes), { type: 'cmp', register: REGISTER, operator, value: address.slice(0, bytes) }]
  }
  const mask = address.map((_, i) => 0xff00 >> Math.min(8, Math.max(0, length - 8 * i)))
  return [
    load(offset, address.length),
    { type: 'bitwise', source: REGISTER, register: REGISTER, mask, xor: new Uint8Array(address.length) },
    { type: 'cmp', register: REGISTER, operator, value: address },
  ]
}

function load(offset: number, length: number): NftExpression {
  return { type: 'payload', base: 'network', offset, length, register: REGISTER }
}

/** `meta mark & 0x4000 == 0x4000`: whatever else is marked. */
function compareMark(): NftExpression[] {
  return [
    { type: 'meta', key: 'mark', register: REGISTER },
    { type: 'bitwise', source: REGISTER, register: REGISTER, mask: MARK, xor: new Uint8Array(4) },
    { type: 'cmp', register: REGISTER, operator: 'eq', value: MARK },
  ]
}

/** In the machine's byte order, which is little-endian on all that this runs on. */
const MARK = Uint8Array.of(MASQUERADE_MARK & 0xff, MASQUERADE_MARK >> 8, 0, 0)
