/** The tables of iptables and their built-in chains, as iptables-nft makes them: iptables/nft.c, xtables_ipv4. */
import type { NftChain } from '../../kernel/nftables.ts'
import type { Family } from './rule.ts'

type Base = NonNullable<NftChain['base']>

export interface BuiltinChain extends Pick<Base, 'type' | 'hook' | 'priority'> {
  readonly name: string
}

export interface BuiltinTable {
  readonly name: string
  /** In the order of the hooks, in which they are listed. */
  readonly chains: readonly BuiltinChain[]
}

const HOOKS = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
} as const

function chain(name: keyof typeof HOOKS, priority: number, type: Base['type'] = 'filter'): BuiltinChain {
  return { name, hook: HOOKS[name], priority, type }
}

/** In the order in which iptables-save writes them. Priorities: NF_IP_PRI_*. */
export const TABLES: readonly BuiltinTable[] = [
  {
    name: 'mangle',
    chains: [
      chain('PREROUTING', -150),
      chain('INPUT', -150),
      chain('FORWARD', -150),
      chain('OUTPUT', -150, 'route'),
      chain('POSTROUTING', -150),
    ],
  },
  { name: 'security', chains: [chain('INPUT', 150), chain('FORWARD', 150), chain('OUTPUT', 150)] },
  { name: 'raw', chains: [chain('PREROUTING', -300), chain('OUTPUT', -300)] },
  { name: 'filter', chains: [chain('INPUT', 0), chain('FORWARD', 0), chain('OUTPUT', 0)] },
  {
    name: 'nat',
    chains: [
      chain('PREROUTING', -100, 'nat'),
      chain('INPUT', 100, 'nat'),
      chain('OUTPUT', -100, 'nat'),
      chain('POSTROUTING', 100, 'nat'),
    ],
  },
]

export function findTable(name: string): BuiltinTable | undefined {
  return TABLES.find((table) => table.name === name)
}

export function findBuiltin(table: BuiltinTable, name: string): BuiltinChain | undefined {
  return table.chains.find((chain) => chain.name === name)
}

/** Whether the chain is the built-in one; another program's base chain of that name is not. */
export function isBuiltin({ type, hook, priority }: BuiltinChain, { base }: NftChain): boolean {
  return base !== undefined && base.type === type && base.hook === hook && base.priority === priority
}

/** The built-in chain as nftables has it. */
export function builtinChain(
  family: Family,
  table: string,
  { name, type, hook, priority }: BuiltinChain,
  more: Pick<Base, 'policy' | 'counter'> = { policy: 'accept' },
): NftChain {
  return { family, table, name, base: { type, hook, priority, ...more } }
}
