/** A key is looked for in a set or map: `lookup`. Source: net/netfilter/nft_lookup.c. */
import type { NftExpression } from '../../../kernel/nftables.ts'
import type { Compiled } from './compile.ts'
import { refusal } from './refusal.ts'
import type { Registers } from './registers.ts'
import type { Table } from './ruleset.ts'
import { BREAK, CONTINUE } from './verdict.ts'

type Lookup = Extract<NftExpression, { type: 'lookup' }>

/** NFT_REG_VERDICT. */
const VERDICT_REGISTER = 0

export function compileLookup(lookup: Lookup, registers: Registers, table: Table): Compiled {
  const { source, register, inverted = false } = lookup
  const set = table.sets.get(lookup.set)
  if (!set) throw refusal('ENOENT')
  const { data, keyLength } = set.definition
  const from = registers.load(source, keyLength)

  if (register === undefined) {
    return {
      set,
      operation: ({ registers: bytes }) => ((set.lookup(bytes, from) === undefined) === inverted ? CONTINUE : BREAK),
    }
  }
  if (inverted || data === undefined) throw refusal('EINVAL')
  if ((data.type === 'verdict') !== (register === VERDICT_REGISTER)) throw refusal('EINVAL')

  if (data.type === 'verdict') {
    return {
      set,
      operation(machine) {
        const verdict = set.lookup(machine.registers, from)?.verdict
        if (verdict === undefined) return BREAK
        machine.target = verdict.chain
        return verdict.code
      },
    }
  }
  const to = registers.store(register, data.length)
  const padding = ((data.length + 3) & ~3) - data.length
  return {
    set,
    operation({ registers: bytes }) {
      const found = set.lookup(bytes, from)?.data
      if (found === undefined) return BREAK
      bytes.set(found, to)
      for (let i = 0; i < padding; i++) bytes[to + found.length + i] = 0
      return CONTINUE
    },
  }
}
