/** What the kernel's ipset says no with, beside the usual error numbers: linux/netfilter/ipset/ip_set.h. */
import type { IpSetType } from '../../../kernel/ipset.ts'

/** From IPSET_ERR_PROTOCOL, 4097, on. */
const COMMON = (
  'PROTOCOL FIND_TYPE MAX_SETS BUSY EXIST_SETNAME2 TYPE_MISMATCH EXIST INVALID_CIDR INVALID_NETMASK INVALID_FAMILY TIMEOUT ' +
  'REFERENCED IPADDR_IPV4 IPADDR_IPV6 COUNTER COMMENT INVALID_MARKMASK SKBINFO BITMASK_NETMASK_EXCL'
).split(' ')
const FIRST = 4097

/** From IPSET_ERR_TYPE_SPECIFIC, 4352, on. */
const OF_HASHES = 'HASH_FULL HASH_ELEM INVALID_PROTO MISSING_PROTO HASH_RANGE_UNSUPPORTED HASH_RANGE'.split(' ')
const OF_BITMAPS = 'BITMAP_RANGE BITMAP_RANGE_SIZE'.split(' ')
const FIRST_OF_TYPE = 4352

/** `IPSET_ERR_EXIST` for `E4103`; any other as it is. */
export function ipSetErrno(errno: string, type: IpSetType | undefined): string {
  const number = /^E[0-9]+$/.test(errno) ? Number(errno.slice(1)) : 0
  const ofType = type === 'bitmap:port' ? OF_BITMAPS : OF_HASHES
  const name = number < FIRST_OF_TYPE ? COMMON[number - FIRST] : ofType[number - FIRST_OF_TYPE]
  return name === undefined ? errno : `IPSET_ERR_${name}`
}
