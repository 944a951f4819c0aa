/** What a set may be: nf_tables_newset, and what each of the kernel's ways to keep elements can. */
import type { NftSet } from '../../../kernel/nftables.ts'
import { refusal } from './refusal.ts'

/** NFT_DATA_VALUE_MAXLEN. */
const MAX_LENGTH = 64

export function checkSet({ keyLength, data, interval, dynamic }: NftSet): void {
  if (keyLength === 0 || keyLength > MAX_LENGTH) throw refusal('EINVAL')
  if (data && data.type !== 'verdict' && (data.length === 0 || data.length > MAX_LENGTH)) throw refusal('EINVAL')
  // Neither trees nor concatenated ranges have NFT_SET_EVAL.
  if (interval && dynamic) throw refusal('EOPNOTSUPP')
}
