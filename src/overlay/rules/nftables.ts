/**
 * The traffic rules in nftables: a table of our own for each family, named as flannel names it.
 *
 *   table ip flannel-ipv4      postrtg   nat, postrouting, srcnat
 *                              forward   filter, forward, filter
 *
 * An `accept` in a chain of our own does not keep others' chains from dropping; forward is there as flannel has it. Both
 * tables are there always, as flannel's are. Source: flannel, pkg/trafficmngr/nftables.
 */
import type { NftChain, NftTable } from '../../kernel/nftables.ts'
import type { ChainContent, State } from '../../reconcile/state.ts'
import type { NetworkConfig } from '../config.ts'
import type { Family, Lease } from '../lease.ts'
import { NFT_FAMILY, nftRule } from './expressions.ts'
import { forwardRules, masqueradeRules, type Pods, podsOf, type TrafficOptions, type TrafficRule } from './traffic.ts'

export const flannelTables: readonly NftTable[] = (['ipv4', 'ipv6'] as const).map((family) => ({
  ...tableName(family),
  comment: `rules for flannel-${family}`,
}))

export function nftablesRules(config: NetworkConfig, lease: Lease, options: TrafficOptions): State {
  return {
    nftTables: flannelTables,
    nftChains: podsOf(config, lease).flatMap((pods) => [
      ...(options.masquerade ? [masqueradeChain(pods, options)] : []),
      ...(options.forward ? [forwardChain(pods, options)] : []),
    ]),
  }
}

function tableName(family: Family) {
  return { family: NFT_FAMILY[family], name: `flannel-${family}` }
}

function masqueradeChain(pods: Pods, options: TrafficOptions): ChainContent {
  const comment = 'chain to manage traffic masquerading by flannel'
  const base = { type: 'nat', hook: 'postrouting', priority: 100 } as const
  return chain('postrtg', base, comment, pods, masqueradeRules(pods), options)
}

function forwardChain(pods: Pods, options: TrafficOptions): ChainContent {
  const comment = 'chain to accept flannel traffic'
  const base = { type: 'filter', hook: 'forward', priority: 0 } as const
  return chain('forward', base, comment, pods, forwardRules(pods), options)
}

function chain(
  name: string,
  base: NonNullable<NftChain['base']>,
  comment: string,
  { family }: Pods,
  rules: readonly TrafficRule[],
  options: TrafficOptions,
): ChainContent {
  const { family: nftFamily, name: table } = tableName(family)
  return {
    chain: { family: nftFamily, table, name, comment, base },
    content: rules.map((rule) => nftRule(rule, family, options.fullyRandom)),
  }
}
