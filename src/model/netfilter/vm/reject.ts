/** `reject`: the packet is dropped, and its sender told. Source: net/netfilter/nft_reject.c, net/ipv4/netfilter/nf_reject_ipv4.c. */
import type { NftExpression, NftHook } from '../../../kernel/nftables.ts'
import { type Compiled, notModelled } from './compile.ts'
import { refusal } from './refusal.ts'

type Reject = Extract<NftExpression, { type: 'reject' }>

const HOOKS: readonly NftHook[] = ['prerouting', 'input', 'forward', 'output']
/** NFT_REJECT_ICMPX_MAX. */
const LAST_ABSTRACT_CODE = 3

export function compileReject({ reject, code }: Reject): Compiled {
  if (reject === 'icmpx' && code > LAST_ABSTRACT_CODE) throw refusal('EINVAL')
  return { operation: notModelled('nft reject'), allows: ({ hook }) => HOOKS.includes(hook) }
}

/** REJECT's `--reject-with`. */
export function rejectByName(_name: string): Compiled {
  return { operation: notModelled('xt REJECT'), allows: ({ hook }) => HOOKS.includes(hook), errno: 'EINVAL' }
}
