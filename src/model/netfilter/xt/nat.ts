/** `DNAT`, `SNAT`, `MASQUERADE`, `REDIRECT`. Source: net/netfilter/xt_nat.c, xt_MASQUERADE.c, xt_REDIRECT.c. */
import { readIp } from '../../../address/ip.ts'
import type { XtTarget } from '../../../kernel/xtables.ts'
import { u32 } from '../../bytes.ts'
import type { Address } from '../conntrack/tuple.ts'
import { masquerade, redirect } from '../nat/masquerade.ts'
import { type NatRange, RangeFlag } from '../nat/range.ts'
import { setupNat } from '../nat.ts'
import type { Compiled } from '../vm/compile.ts'
import { natAllows } from '../vm/nat.ts'
import { refusal } from '../vm/refusal.ts'
import { ACCEPT } from '../vm/verdict.ts'

type Of<T extends XtTarget['target']> = Extract<XtTarget, { target: T }>

export function natTarget(target: Of<'DNAT' | 'SNAT'>, rule: string): Compiled {
  const range = rangeOf(target, target.addresses, target.persistent)
  const kind = target.target === 'DNAT' ? 'dnat' : 'snat'
  return {
    tracks: true,
    allows: natAllows(kind === 'dnat' ? ['prerouting', 'output'] : ['postrouting', 'input']),
    errno: 'EINVAL',
    operation: ({ packet }) => (packet.connection ? setupNat(packet, packet.connection, kind, range, rule) : ACCEPT),
  }
}

export function masqueradeTarget(target: Of<'MASQUERADE' | 'REDIRECT'>, rule: string): Compiled {
  const range = rangeOf(target)
  if (target.target === 'MASQUERADE') {
    return {
      tracks: true,
      allows: natAllows(['postrouting']),
      errno: 'EINVAL',
      operation: ({ packet, output }) =>
        packet.connection ? masquerade(packet, packet.connection, range, output!, rule) : ACCEPT,
    }
  }
  return {
    tracks: true,
    allows: natAllows(['prerouting', 'output']),
    errno: 'EINVAL',
    operation: ({ packet, hook, input }) =>
      packet.connection ? redirect(packet, packet.connection, range, hook, input, rule) : ACCEPT,
  }
}

function rangeOf(
  { ports, random, fullyRandom }: Pick<Of<'MASQUERADE' | 'REDIRECT'>, 'ports' | 'random' | 'fullyRandom'>,
  addresses?: Of<'DNAT' | 'SNAT'>['addresses'],
  persistent?: boolean,
): NatRange {
  return {
    flags:
      (addresses ? RangeFlag.mapAddresses : 0) |
      (ports ? RangeFlag.portsSpecified : 0) |
      (random ? RangeFlag.random : 0) |
      (persistent ? RangeFlag.persistent : 0) |
      (fullyRandom ? RangeFlag.fullyRandom : 0),
    minAddress: addresses ? addressOf(addresses.from) : 0,
    maxAddress: addresses ? addressOf(addresses.to) : 0,
    minPort: ports?.from ?? 0,
    maxPort: ports?.to ?? 0,
    basePort: 0,
  }
}

function addressOf(text: string): Address {
  const address = readIp(text)
  if (!address) throw refusal('EINVAL', `"${text}" is no address`)
  return address.length === 4 ? u32(address, 0) : address
}
