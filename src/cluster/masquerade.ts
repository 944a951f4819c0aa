/**
 * Pools with `natOutgoing`: what their pods send to outside of all pools leaves with the node's address. Disabled pools count as
 * inside, too, so that a network that must see the pods' own addresses can be named by one. Source: Calico, felix, masq_mgr.go.
 *
 *   table ip overlab_cluster     postrouting   nat, postrouting, srcnat
 *                                ip daddr 10.244.0.0/16 return                      for each pool
 *                                ip saddr 10.244.0.0/16 masquerade fully-random     for each with natOutgoing
 */
import type { Family } from '../address/ip.ts'
import { KernelError } from '../kernel/errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { NFT_FAMILY, nftRule } from '../overlay/rules/expressions.ts'
import type { TrafficRule } from '../overlay/rules/traffic.ts'
import { familyOfPool, type Pool } from '../pool/pool.ts'
import { joinStates, type State } from '../reconcile/state.ts'

const TABLE = 'overlab_cluster'
const FAMILIES = ['ipv4', 'ipv6'] as const

/** Nothing is masqueraded: what was there for it goes. */
export const noMasquerade: State = {
  owned: { nftTables: FAMILIES.map((family) => ({ family: NFT_FAMILY[family], name: TABLE })) },
}

/** Left by an earlier life. A kernel without nftables has none. */
export function hasMasquerade({ nftables }: Kernel): boolean {
  try {
    return nftables.list({ table: TABLE }).tables.length > 0
  } catch (error) {
    if (!(error instanceof KernelError)) throw error
    return false
  }
}

export function masqueradeState(pools: readonly Pool[]): State {
  return joinStates(noMasquerade, ...FAMILIES.map((family) => tableOf(family, pools)))
}

function tableOf(family: Family, pools: readonly Pool[]): State {
  const its = pools.filter((pool) => familyOfPool(pool) === family)
  const natted = its.filter(({ natOutgoing }) => natOutgoing)
  if (natted.length === 0) return {}
  const rules: TrafficRule[] = [
    ...its.map(({ cidr }): TrafficRule => ({ destination: { prefix: cidr }, does: 'return' })),
    ...natted.map(({ cidr }): TrafficRule => ({ source: { prefix: cidr }, does: 'masquerade' })),
  ]
  const nftFamily = NFT_FAMILY[family]
  const base = { type: 'nat', hook: 'postrouting', priority: 100 } as const
  return {
    nftTables: [{ family: nftFamily, name: TABLE, comment: 'pools with natOutgoing' }],
    nftChains: [
      {
        chain: { family: nftFamily, table: TABLE, name: 'postrouting', base },
        content: rules.map((rule) => nftRule(rule, family, true)),
      },
    ],
  }
}
