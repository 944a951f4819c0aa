/**
 * How single values stand in nf_tables' attributes: a codec writes one and reads it back. Numbers are in network order.
 *
 * `read` answers undefined for a value that the codec has no word for, so that its owner can keep the bytes instead.
 */
import type { NftVerdict } from '../../kernel/nftables.ts'
import { DecodeError } from '../../wire/errors.ts'
import type { Attributes } from '../netlink/attribute.ts'
import type { MessageWriter } from '../netlink/message.ts'

const NFTA_DATA_VALUE = 1
const NFTA_DATA_VERDICT = 2
const NFTA_VERDICT_CODE = 1
const NFTA_VERDICT_CHAIN = 2

/** NF_* of linux/netfilter.h and NFT_* of nf_tables.h share one number space. */
const VERDICTS = { drop: 0, accept: 1, continue: -1, jump: -3, goto: -4, return: -5 } as const

export interface Codec<Value> {
  write(to: MessageWriter, attribute: number, value: Value): void
  read(from: Attributes, attribute: number): Value | undefined
}

export const u8: Codec<number> = {
  write: (to, attribute, value) => to.attributeU8(attribute, value),
  read: (from, attribute) => from.u8(attribute),
}

export const u16: Codec<number> = {
  write: (to, attribute, value) => to.attributeU16be(attribute, value),
  read: (from, attribute) => from.u16be(attribute),
}

export const u32: Codec<number> = {
  write: (to, attribute, value) => to.attributeU32be(attribute, value),
  read: (from, attribute) => from.u32be(attribute),
}

export const u64: Codec<bigint> = {
  write: (to, attribute, value) => to.attributeU64be(attribute, value),
  read: (from, attribute) => from.u64be(attribute),
}

export const text: Codec<string> = {
  write: (to, attribute, value) => to.attributeText(attribute, value),
  read: (from, attribute) => from.text(attribute),
}

/** Bytes as they stand in a register or a set: NFTA_DATA_VALUE. */
export const value: Codec<Uint8Array> = {
  write: (to, attribute, bytes) => to.nested(attribute, () => to.attribute(NFTA_DATA_VALUE, bytes)),
  read: (from, attribute) => from.nested(attribute)?.bytes(NFTA_DATA_VALUE)?.slice(),
}

/** A verdict where a value could stand: NFTA_DATA_VERDICT. */
export const verdict: Codec<NftVerdict> = {
  write: (to, attribute, value) =>
    to.nested(attribute, () =>
      to.nested(NFTA_DATA_VERDICT, () => {
        const code = value.verdict === 'other' ? value.code : VERDICTS[value.verdict]
        to.attributeU32be(NFTA_VERDICT_CODE, code >>> 0)
        if ('chain' in value) to.attributeText(NFTA_VERDICT_CHAIN, value.chain)
      }),
    ),
  read: (from, attribute) => {
    const nested = from.nested(attribute)?.nested(NFTA_DATA_VERDICT)
    const number = nested?.u32be(NFTA_VERDICT_CODE)
    if (nested === undefined || number === undefined) return undefined
    const code = number | 0
    const name = nameOf(VERDICTS, code)
    if (name !== 'jump' && name !== 'goto') return name ? { verdict: name } : { verdict: 'other', code }
    const chain = nested.text(NFTA_VERDICT_CHAIN)
    return chain === undefined ? undefined : { verdict: name, chain }
  },
}

/**
 * NFT_REG_1 … NFT_REG_4 are the same places as every fourth 32-bit register, and the kernel lists those by the former
 * numbers: nft_dump_register(). So do we.
 */
export const register: Codec<number> = {
  write: u32.write,
  read: (from, attribute) => {
    const number = from.u32be(attribute)
    return number === undefined || number < 8 || number % 4 !== 0 ? number : number / 4 - 1
  },
}

/** A number in the kernel, a word with us. */
export function names<Name extends string>(numbers: Readonly<Record<Name, number>>, width = u32): Codec<Name> {
  return {
    write: (to, attribute, name) => width.write(to, attribute, numbers[name]),
    read: (from, attribute) => nameOf(numbers, width.read(from, attribute)),
  }
}

/** Bits of a number, each with a word. */
export function flags<Name extends string>(bits: Readonly<Record<Name, number>>): Codec<readonly Name[]> {
  const rows = Object.entries<number>(bits) as [Name, number][]
  return {
    write: (to, attribute, set) =>
      to.attributeU32be(
        attribute,
        set.reduce((sum, name) => sum | bits[name], 0),
      ),
    read: (from, attribute) => {
      const number = from.u32be(attribute)
      if (number === undefined) return undefined
      const set = rows.filter(([, bit]) => number & bit)
      return set.reduce((rest, [, bit]) => rest & ~bit, number) === 0 ? set.map(([name]) => name) : undefined
    },
  }
}

/** The one bit that this number may have: 1. */
export const bit: Codec<boolean> = {
  write: (to, attribute, value) => to.attributeU32be(attribute, value ? 1 : 0),
  read: (from, attribute) => {
    const number = from.u32be(attribute)
    return number === undefined || number > 1 ? undefined : number === 1
  },
}

export function nameOf<Name extends string>(
  numbers: Readonly<Partial<Record<Name, number>>>,
  number: number | undefined,
): Name | undefined {
  for (const name in numbers) if (numbers[name] === number) return name
  return undefined
}

/** The value that a thing of this kind cannot be without. */
export function required<Value>(kind: string, field: string, value: Value | undefined): Value {
  if (value === undefined) throw new DecodeError('nftables', 0, `a ${kind} without a ${field} that is known`)
  return value
}
