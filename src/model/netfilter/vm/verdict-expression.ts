/** A verdict stands in the rule: `immediate` into the verdict register. Source: net/netfilter/nft_immediate.c, nft_verdict_init. */
import type { NftVerdict } from '../../../kernel/nftables.ts'
import type { Compiled } from './compile.ts'
import type { ElementVerdict } from './element.ts'
import { refusal } from './refusal.ts'
import type { Table } from './ruleset.ts'
import { codeOf, isVerdict } from './verdict.ts'

export function compileVerdict(verdict: NftVerdict, table: Table): Compiled {
  const { code, chain } = resolveVerdict(verdict, table)
  if (chain === undefined) return { operation: () => code }
  return {
    chain,
    operation(machine) {
      machine.target = chain
      return code
    },
  }
}

/** nft_verdict_init. */
export function resolveVerdict(verdict: NftVerdict, table: Table): ElementVerdict {
  const code = codeOf(verdict)
  if (!isVerdict(code)) throw refusal('EINVAL')
  if (!('chain' in verdict)) return { code, chain: undefined }
  const chain = table.chains.get(verdict.chain)
  if (!chain) throw refusal('ENOENT')
  if (chain.base) throw refusal('EOPNOTSUPP')
  return { code, chain }
}
