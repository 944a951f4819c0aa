/** iptables' targets, each with the operation that it is. Source: net/netfilter/nft_compat.c. */
import type { NftExpression } from '../../../kernel/nftables.ts'
import type { XtTarget } from '../../../kernel/xtables.ts'
import type { Compiled, Surroundings } from '../vm/compile.ts'
import { logged } from '../vm/log.ts'
import type { Operation } from '../vm/machine.ts'
import { refusal } from '../vm/refusal.ts'
import { rejectByName } from '../vm/reject.ts'
import { CONTINUE } from '../vm/verdict.ts'
import { masqueradeTarget, natTarget } from './nat.ts'
import { setTarget } from './set.ts'
import { tcpMssTarget } from './tcpmss.ts'

type Target = Extract<NftExpression, { type: 'xt target' }>
type Of<T extends XtTarget['target']> = Extract<XtTarget, { target: T }>

/** XT_CONTINUE is NFT_CONTINUE. */
export function compileXtTarget(target: Target, { ref, namespace }: Surroundings): Compiled {
  switch (target.target) {
    case 'DNAT':
    case 'SNAT':
      return natTarget(target, ref)
    case 'MASQUERADE':
    case 'REDIRECT':
      return masqueradeTarget(target, ref)
    case 'REJECT':
      return rejectByName(target.with)
    case 'MARK':
      return { operation: markTarget(target) }
    case 'CONNMARK':
      return { tracks: true, operation: connmarkTarget(target) }
    case 'TCPMSS':
      return tcpMssTarget(target)
    case 'CT':
      if (target.zone) throw refusal('EOPNOTSUPP', 'zones of connections are not modelled')
      return target.notrack ? { operation: notrack } : { operation: () => CONTINUE, tracks: true }
    case 'NOTRACK':
      return { operation: notrack }
    case 'LOG':
    case 'NFLOG':
      return { operation: logged(target.prefix, ref) }
    case 'SET':
      return setTarget(target, namespace)
    case 'TRACE':
      return { operation: () => CONTINUE }
  }
}

function markTarget({ value, mask }: Of<'MARK'>): Operation {
  return ({ packet }) => {
    packet.mark = ((packet.mark & ~mask) ^ value) >>> 0
    return CONTINUE
  }
}

/** connmark_tg. */
function connmarkTarget({ action, value, connectionMask, packetMask }: Of<'CONNMARK'>): Operation {
  return ({ packet }) => {
    const { connection } = packet
    if (connection === undefined) return CONTINUE
    if (action === 'set') connection.mark = ((connection.mark & ~connectionMask) ^ value) >>> 0
    else if (action === 'save') {
      connection.mark = ((connection.mark & ~connectionMask) ^ (packet.mark & packetMask)) >>> 0
    } else packet.mark = ((packet.mark & ~packetMask) ^ (connection.mark & connectionMask)) >>> 0
    return CONTINUE
  }
}

/** notrack_tg: a packet that has a connection keeps it. */
export const notrack: Operation = ({ packet }) => {
  if (packet.connection === undefined) packet.untracked = true
  return CONTINUE
}
