/**
 * Sets and maps: NFTA_SET_*, linux/netfilter/nf_tables.h.
 *
 * Of what a key is, the kernel wants the length only. The type is for `nft`, which shows elements by it; of integers it
 * must know the byte order as well, which has no attribute and stands in its user data: libnftnl, include/libnftnl/udata.h.
 */
import type { NftFamily, NftSet } from '../../kernel/nftables.ts'
import type { Attributes } from '../netlink/attribute.ts'
import type { MessageWriter } from '../netlink/message.ts'
import { required } from './codec.ts'
import { appendComment, COMMENT, decodeComment } from './comment.ts'

const NFTA_SET_TABLE = 1
const NFTA_SET_NAME = 2
const NFTA_SET_FLAGS = 3
const NFTA_SET_KEY_TYPE = 4
const NFTA_SET_KEY_LEN = 5
const NFTA_SET_DATA_TYPE = 6
const NFTA_SET_DATA_LEN = 7
const NFTA_SET_DESC = 9
const NFTA_SET_ID = 10
const NFTA_SET_TIMEOUT = 11
const NFTA_SET_USERDATA = 13
const NFTA_SET_HANDLE = 16
const NFTA_SET_DESC_SIZE = 1
const NFTA_SET_DESC_CONCAT = 2
const NFTA_LIST_ELEM = 1
const NFTA_SET_FIELD_LEN = 1

const NFT_SET_ANONYMOUS = 0x1
const NFT_SET_CONSTANT = 0x2
const NFT_SET_INTERVAL = 0x4
const NFT_SET_MAP = 0x8
const NFT_SET_TIMEOUT = 0x10
const NFT_SET_EVAL = 0x20
const NFT_SET_CONCAT = 0x80

const NFT_DATA_VERDICT = 0xffff_ff00
/** sizeof(struct nft_verdict), as the kernel lists it. */
const VERDICT_SIZE = 16

const NFTNL_UDATA_SET_KEYBYTEORDER = 0
const NFTNL_UDATA_SET_DATABYTEORDER = 1
/** enum byteorder of nft; 0 is a concatenation's, whose parts have one each. */
const HOST_ENDIAN = 1
const BIG_ENDIAN = 2
/** Bits of a type in a concatenation: TYPE_BITS. */
const TYPE_BITS = 6

/** Bytes of nft's datatypes by number (include/datatype.h); 0 where the type does not tell. */
const TYPE_LENGTHS = [
  0, 16, 1, 0, 0, 0, 0, 4, 16, 6, 2, 2, 1, 2, 1, 1, 1, 1, 8, 4, 4, 2, 4, 4, 4, 4, 4, 1, 4, 1, 16, 1, 1, 1, 1, 4, 1, 1,
  4, 1, 4, 16, 1, 8, 0, 1, 8,
]
/** Those that are kept as the machine keeps numbers: strings, marks, indexes, realms, ids, states, groups, times. */
const HOST_ENDIAN_TYPES = [2, 5, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 30, 31, 35, 38, 40, 41, 43, 44, 45, 46]

type SetName = { readonly table: string; readonly name?: string }

/** `id` tells the sets of one batch apart. */
export function encodeSet(to: MessageWriter, set: NftSet, id: number): void {
  const { keyType, keyLength, data, interval, constant, anonymous, dynamic, timeout, size } = set
  const parts = interval ? partLengths(set) : []
  encodeSetName(to, set)
  to.attributeU32be(
    NFTA_SET_FLAGS,
    (constant ? NFT_SET_CONSTANT : 0) |
      (anonymous ? NFT_SET_ANONYMOUS : 0) |
      (interval ? NFT_SET_INTERVAL : 0) |
      (data ? NFT_SET_MAP : 0) |
      (timeout !== undefined ? NFT_SET_TIMEOUT : 0) |
      (dynamic ? NFT_SET_EVAL : 0) |
      (parts.length > 1 ? NFT_SET_CONCAT : 0),
  )
  to.attributeU32be(NFTA_SET_KEY_TYPE, keyType).attributeU32be(NFTA_SET_KEY_LEN, keyLength)
  if (data?.type === 'verdict') {
    to.attributeU32be(NFTA_SET_DATA_TYPE, NFT_DATA_VERDICT).attributeU32be(NFTA_SET_DATA_LEN, VERDICT_SIZE)
  } else if (data) {
    to.attributeU32be(NFTA_SET_DATA_TYPE, data.type).attributeU32be(NFTA_SET_DATA_LEN, data.length)
  }
  to.attributeU32be(NFTA_SET_ID, id)
  if (timeout) to.attributeU64be(NFTA_SET_TIMEOUT, BigInt(timeout))
  if (size !== undefined || parts.length > 1) {
    to.nested(NFTA_SET_DESC, () => {
      if (size !== undefined) to.attributeU32be(NFTA_SET_DESC_SIZE, size)
      if (parts.length > 1) to.nested(NFTA_SET_DESC_CONCAT, () => encodeParts(to, parts))
    })
  }
  to.attributeOf(NFTA_SET_USERDATA, () => encodeUserdata(to, set))
}

/** Which set is meant; without a name all of the table. */
export function encodeSetName(to: MessageWriter, { table, name }: SetName): void {
  to.attributeText(NFTA_SET_TABLE, table)
  if (name !== undefined) to.attributeText(NFTA_SET_NAME, name)
}

export function decodeSet(family: NftFamily, from: Attributes): NftSet {
  const flags = from.u32be(NFTA_SET_FLAGS) ?? 0
  const dataType = from.u32be(NFTA_SET_DATA_TYPE) ?? 0
  const size = from.nested(NFTA_SET_DESC)?.u32be(NFTA_SET_DESC_SIZE)
  return {
    family,
    table: required('set', 'table', from.text(NFTA_SET_TABLE)),
    name: required('set', 'name', from.text(NFTA_SET_NAME)),
    ...decodeComment(from.bytes(NFTA_SET_USERDATA), COMMENT.set),
    keyType: from.u32be(NFTA_SET_KEY_TYPE) ?? 0,
    keyLength: required('set', 'key length', from.u32be(NFTA_SET_KEY_LEN)),
    ...(flags & NFT_SET_MAP && {
      data:
        dataType === NFT_DATA_VERDICT
          ? { type: 'verdict' }
          : { type: dataType, length: required('set', 'data length', from.u32be(NFTA_SET_DATA_LEN)) },
    }),
    ...(flags & NFT_SET_INTERVAL && { interval: true }),
    ...(flags & NFT_SET_CONSTANT && { constant: true }),
    ...(flags & NFT_SET_ANONYMOUS && { anonymous: true }),
    ...(flags & NFT_SET_EVAL && { dynamic: true }),
    ...(flags & NFT_SET_TIMEOUT && { timeout: Number(from.u64be(NFTA_SET_TIMEOUT) ?? 0n) }),
    ...(size !== undefined && { size }),
  }
}

/** Whether the set's keys are ranges in each part of a concatenation. */
export function isConcatenatedInterval({ keyType, interval }: Pick<NftSet, 'keyType' | 'interval'>): boolean {
  return interval === true && keyType >> TYPE_BITS !== 0
}

/** Lengths of a key's parts in bytes, not padded. The key's length tells that of one part whose type does not. */
function partLengths({ name, keyType, keyLength }: Pick<NftSet, 'name' | 'keyType' | 'keyLength'>): number[] {
  const lengths: number[] = []
  for (let types = keyType; types !== 0; types >>>= TYPE_BITS) {
    lengths.unshift(TYPE_LENGTHS[types & ((1 << TYPE_BITS) - 1)] ?? 0)
  }
  if (lengths.length < 2) return [keyLength]
  const rest = keyLength - lengths.reduce((sum, length) => sum + ((length + 3) & ~3), 0)
  const unknown = lengths.indexOf(0)
  if (unknown >= 0) lengths[unknown] = rest
  if (unknown >= 0 ? rest <= 0 || lengths.includes(0) : rest !== 0) {
    throw new RangeError(`Cannot divide the keys of set "${name}": ${keyLength} bytes do not fit key type ${keyType}`)
  }
  return lengths
}

function encodeParts(to: MessageWriter, lengths: readonly number[]): void {
  for (const length of lengths) to.nested(NFTA_LIST_ELEM, () => to.attributeU32be(NFTA_SET_FIELD_LEN, length))
}

function encodeUserdata(to: MessageWriter, { keyType, data, comment }: NftSet): void {
  encodeByteOrder(to, NFTNL_UDATA_SET_KEYBYTEORDER, keyType)
  if (data && data.type !== 'verdict') encodeByteOrder(to, NFTNL_UDATA_SET_DATABYTEORDER, data.type)
  if (comment !== undefined) appendComment(to, COMMENT.set, comment)
}

function encodeByteOrder(to: MessageWriter, entry: number, type: number): void {
  const order = type >> TYPE_BITS ? 0 : HOST_ENDIAN_TYPES.includes(type) ? HOST_ENDIAN : BIG_ENDIAN
  to.u8(entry).u8(4).u32(order)
}

export const setHandle = (from: Attributes): bigint | undefined => from.u64be(NFTA_SET_HANDLE)
