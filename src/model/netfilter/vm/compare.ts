/** What is done with registers alone: `cmp`, `range`, `bitwise`, `immediate`. Source: net/netfilter/nft_cmp.c, nft_range.c, nft_bitwise.c. */
import type { NftExpression } from '../../../kernel/nftables.ts'
import { sameBytes } from '../../bytes.ts'
import type { Compiled } from './compile.ts'
import { compare } from './element.ts'
import type { Operation } from './machine.ts'
import { refusal } from './refusal.ts'
import type { Registers } from './registers.ts'
import { BREAK, CONTINUE } from './verdict.ts'

type Of<T extends NftExpression['type']> = Extract<NftExpression, { type: T }>
type Operator = Of<'cmp'>['operator']

const HOLDS: { readonly [O in Operator]: (difference: number) => boolean } = {
  eq: (difference) => difference === 0,
  neq: (difference) => difference !== 0,
  lt: (difference) => difference < 0,
  lte: (difference) => difference <= 0,
  gt: (difference) => difference > 0,
  gte: (difference) => difference >= 0,
}

export function compileCompare({ register, operator, value }: Of<'cmp'>, registers: Registers): Compiled {
  const { length } = value
  const at = registers.load(register, length)
  return { operation: operator === 'eq' ? equals(at, value) : ordered(at, value, HOLDS[operator]) }
}

function equals(at: number, value: Uint8Array): Operation {
  const { length } = value
  return (machine) => (sameBytes(machine.registers, at, value, 0, length) ? CONTINUE : BREAK)
}

function ordered(at: number, value: Uint8Array, holds: (difference: number) => boolean): Operation {
  const { length } = value
  return (machine) => (holds(compare(machine.registers, at, value, 0, length)) ? CONTINUE : BREAK)
}

export function compileRange({ register, operator, from, to }: Of<'range'>, registers: Registers): Compiled {
  if (from.length !== to.length) throw refusal('EINVAL')
  const { length } = from
  const at = registers.load(register, length)
  const [inside, outside] = operator === 'eq' ? [CONTINUE, BREAK] : [BREAK, CONTINUE]
  return {
    operation: (machine) =>
      compare(machine.registers, at, from, 0, length) >= 0 && compare(machine.registers, at, to, 0, length) <= 0
        ? inside
        : outside,
  }
}

export function compileBitwise({ source, register, mask, xor }: Of<'bitwise'>, registers: Registers): Compiled {
  if (mask.length !== xor.length) throw refusal('EINVAL')
  const { length } = mask
  const from = registers.load(source, length)
  const to = registers.store(register, length)
  const padding = ((length + 3) & ~3) - length
  return {
    operation(machine) {
      const bytes = machine.registers
      for (let i = 0; i < length; i++) bytes[to + i] = (bytes[from + i]! & mask[i]!) ^ xor[i]!
      for (let i = 0; i < padding; i++) bytes[to + length + i] = 0
      return CONTINUE
    },
  }
}

export function compileImmediate({ register, value }: Of<'immediate'>, registers: Registers): Compiled {
  const at = registers.store(register, value.length)
  const padded = new Uint8Array((value.length + 3) & ~3)
  padded.set(value)
  return {
    operation(machine) {
      machine.registers.set(padded, at)
      return CONTINUE
    },
  }
}
