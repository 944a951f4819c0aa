/** `log`, LOG and NFLOG: nobody reads the log here but who follows the packet. Source: net/netfilter/nft_log.c. */
import { note } from '../../observer.ts'
import type { Operation } from './machine.ts'
import { CONTINUE } from './verdict.ts'

export function logged(prefix: string | undefined, ref: string): Operation {
  const what = prefix === undefined || prefix === '' ? 'logged' : `logged: ${prefix.trim()}`
  return ({ packet, input, output }) => {
    if (packet.journey) note(packet, input ?? output ?? packet.device, 'rule', what, { kernel: 'nf_log_packet', ref })
    return CONTINUE
  }
}
