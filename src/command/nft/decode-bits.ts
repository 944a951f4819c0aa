/** Changes of bits in registers, and how nft tells them. */
import { type Datatype, integer, toNumber } from './datatype.ts'
import { sameBytes } from './decode-set.ts'
import { prefixMask } from './parse-rule.ts'
import type { Selector } from './syntax.ts'

/** (register & mask) ^ xor */
export interface BitChange {
  readonly mask?: Uint8Array
  readonly xor?: Uint8Array
}

/** One change of bits behind another. */
export function combine(held: BitChange, { mask, xor }: Required<BitChange>): BitChange {
  if (!held.mask) return { mask, xor }
  return {
    mask: held.mask.map((byte, i) => byte & mask[i]!),
    xor: (held.xor ?? xor).map((byte, i) => (byte & mask[i]!) ^ xor[i]!),
  }
}

/** `x & mask`, `x | bits`, `x ^ bits`, or two of them. */
export function changed(of: Selector, mask: Uint8Array, xor: Uint8Array): Selector {
  const isZero = xor.every((byte) => byte === 0)
  if (isZero) return { kind: 'bits', operator: '&', of, value: mask }
  if (mask.every((byte, i) => byte === (~xor[i]! & 0xff))) return { kind: 'bits', operator: '|', of, value: xor }
  if (mask.every((byte) => byte === 0xff)) return { kind: 'bits', operator: '^', of, value: xor }
  return { kind: 'bits', operator: '^', of: { kind: 'bits', operator: '&', of, value: mask }, value: xor }
}

export function hexadecimal(length: number): Datatype {
  const type = integer(length)
  return { ...type, format: (value) => `0x${toNumber(value, 'network').toString(16)}` }
}

export function leadingOnes(mask: Uint8Array): number | undefined {
  for (let length = 8 * mask.length; length >= 0; length--) {
    if (sameBytes(prefixMask(length, mask.length), mask)) return length
  }
  return undefined
}
