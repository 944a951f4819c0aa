/**
 * What every nfnetlink message begins with: struct nfgenmsg, linux/netfilter/nfnetlink.h.
 *
 *   +---------------+---------------+-------------------------------+
 *   |    family     |  version, 0   |   resource id, big-endian     |
 *   +---------------+---------------+-------------------------------+
 *
 * In what nf_tables answers, the resource id is the lower half of the ruleset's generation.
 */
import type { NftFamily } from '../../kernel/nftables.ts'
import { DecodeError } from '../../wire/errors.ts'
import { MessageWriter } from '../netlink/message.ts'
import { nameOf } from './codec.ts'

export const NFGENMSG_SIZE = 4
export const NFNL_SUBSYS_NFTABLES = 10

export const NFT_MSG_NEWTABLE = 0
export const NFT_MSG_GETTABLE = 1
export const NFT_MSG_DELTABLE = 2
export const NFT_MSG_NEWCHAIN = 3
export const NFT_MSG_GETCHAIN = 4
export const NFT_MSG_DELCHAIN = 5
export const NFT_MSG_NEWRULE = 6
export const NFT_MSG_GETRULE = 7
export const NFT_MSG_DELRULE = 8
export const NFT_MSG_NEWSET = 9
export const NFT_MSG_GETSET = 10
export const NFT_MSG_DELSET = 11
export const NFT_MSG_NEWSETELEM = 12
export const NFT_MSG_GETSETELEM = 13
export const NFT_MSG_DELSETELEM = 14
export const NFT_MSG_GETGEN = 16

/** NFPROTO_*, linux/netfilter.h. */
const FAMILIES = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 } as const

/** Begins a message of nf_tables; without a family it is for all of them. */
export function nftMessage(type: number, flags: number, family?: NftFamily): MessageWriter {
  const number = family === undefined ? 0 : FAMILIES[family]
  return new MessageWriter()
    .message((NFNL_SUBSYS_NFTABLES << 8) | type, flags)
    .u8(number)
    .u8(0)
    .u16be(0)
}

/** Of a whole header; DecodeError where it is cut off. */
export function decodeFamily(payload: Uint8Array): NftFamily {
  if (payload.length < NFGENMSG_SIZE) throw new DecodeError('nftables', payload.length, 'the header is cut off')
  const family = nameOf(FAMILIES, payload[0])
  if (!family) throw new DecodeError('nftables', 0, `family ${payload[0]} is unknown`)
  return family
}

/** The lower 16 bits of it. `payload` has a whole header. */
export function decodeGeneration(payload: Uint8Array): number {
  return (payload[2]! << 8) | payload[3]!
}
