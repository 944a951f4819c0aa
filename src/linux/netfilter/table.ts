/** Tables: NFTA_TABLE_*, linux/netfilter/nf_tables.h. */
import type { NftFamily, NftTable } from '../../kernel/nftables.ts'
import type { Attributes } from '../netlink/attribute.ts'
import type { MessageWriter } from '../netlink/message.ts'
import { required } from './codec.ts'
import { COMMENT, decodeComment, writeComment } from './comment.ts'

const NFTA_TABLE_NAME = 1
const NFTA_TABLE_HANDLE = 4
const NFTA_TABLE_USERDATA = 6

/** Enough to name one, too. */
export function encodeTable(to: MessageWriter, { name, comment }: Pick<NftTable, 'name' | 'comment'>): void {
  to.attributeText(NFTA_TABLE_NAME, name)
  writeComment(to, NFTA_TABLE_USERDATA, COMMENT.table, comment)
}

export function decodeTable(family: NftFamily, from: Attributes): NftTable {
  return {
    family,
    name: required('table', 'name', from.text(NFTA_TABLE_NAME)),
    ...decodeComment(from.bytes(NFTA_TABLE_USERDATA), COMMENT.table),
  }
}

export const tableHandle = (from: Attributes): bigint | undefined => from.u64be(NFTA_TABLE_HANDLE)
