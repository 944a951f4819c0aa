/**
 * How extensions name an IP set: struct xt_set_info, linux/netfilter/xt_set.h, and the flags of ipset/ip_set.h.
 *
 *   index, 2 bytes   dimension, 1   flags, 1: turned round 1, first part src 2, second 4, third 8 …
 */
import type { XtSet } from '../../kernel/xtables.ts'
import type { SetNumbers, Structure } from './xt-structure.ts'

export const XT_SET_INFO_SIZE = 4

const IPSET_INV_MATCH = 1
const IPSET_DIM_MAX = 6
/** No set: it has no sides. */
const IPSET_INVALID_ID = 65535

/** enum ipset_cmd_flags. */
export const setFlags = { exist: 1, skipCounterUpdate: 1 << 3, returnNoMatch: 1 << 7 } as const

export function writeSet(to: Structure, at: number, set: XtSet | undefined, sets: SetNumbers, invert = false): void {
  const sides = set?.sides ?? []
  const flags = sides.reduce((bits, side, i) => bits | (side === 'src' ? 2 << i : 0), invert ? IPSET_INV_MATCH : 0)
  to.setU16(at, set ? sets.indexOf(set.name) : IPSET_INVALID_ID)
    .setU8(at + 2, sides.length)
    .setU8(at + 3, flags)
}

/** Undefined where there is no set, or more sides than there may be. */
export function readSet(
  from: Structure,
  at: number,
  sets: SetNumbers,
): { readonly set: XtSet; readonly invert: boolean } | undefined {
  const [index, dimension, flags] = [from.u16(at), from.u8(at + 2), from.u8(at + 3)]
  if (index === IPSET_INVALID_ID || dimension > IPSET_DIM_MAX) return undefined
  const sides = Array.from({ length: dimension }, (_, i) => (flags & (2 << i) ? 'src' : 'dst'))
  return { set: { name: sets.nameAt(index), sides }, invert: (flags & IPSET_INV_MATCH) !== 0 }
}
