/**
 * The traffic rules in the tables of iptables, as iptables-nft has them: no iptables is needed, and `iptables-save` tells
 * what it would tell of flannel's.
 *
 *   nat      POSTROUTING ─> FLANNEL-POSTRTG
 *   filter   FORWARD     ─> FLANNEL-FWD
 *
 * Flannel appends its jumps, behind a last rule that rejects everything, where a distribution has such a one
 * (flannel#1033, #1172). Put first they would let pass what rules of network policies would not. So they go to the end, but
 * before such a last rule: reconcile/nftables-guests.ts.
 *
 * What iptables-legacy keeps is in tables of its own, which are not looked at.
 */
import type { NftChain, NftExpression } from '../../kernel/nftables.ts'
import type { ChainRule, GuestChain, GuestName, State } from '../../reconcile/state.ts'
import type { NetworkConfig } from '../config.ts'
import type { Family, Lease } from '../lease.ts'
import { conditions, NFT_FAMILY } from './expressions.ts'
import { forwardRules, masqueradeRules, podsOf, type TrafficOptions, type TrafficRule } from './traffic.ts'

const HOOKS = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
} as const

function builtin(name: keyof typeof HOOKS, type: 'nat' | 'filter', priority: number) {
  return { name, base: { type, hook: HOOKS[name], priority } }
}

/** Chains of ours, and the built-in ones of their tables in the order in which iptables makes them: NF_IP_PRI_*. */
const GUESTS = {
  masquerade: {
    table: 'nat',
    name: 'FLANNEL-POSTRTG',
    from: 'POSTROUTING',
    comment: 'flanneld masq',
    called: [
      builtin('PREROUTING', 'nat', -100),
      builtin('INPUT', 'nat', 100),
      builtin('OUTPUT', 'nat', -100),
      builtin('POSTROUTING', 'nat', 100),
    ],
  },
  forward: {
    table: 'filter',
    name: 'FLANNEL-FWD',
    from: 'FORWARD',
    comment: 'flanneld forward',
    called: [builtin('INPUT', 'filter', 0), builtin('FORWARD', 'filter', 0), builtin('OUTPUT', 'filter', 0)],
  },
} as const

type Guest = (typeof GUESTS)[keyof typeof GUESTS]

/** Flannel's chains in both families, whoever made them. */
export const flannelChains: readonly GuestName[] = (['ipv4', 'ipv6'] as const).flatMap((family) =>
  Object.values(GUESTS).map(({ table, name, from }) => ({ family: NFT_FAMILY[family], table, name, from })),
)

export function iptablesRules(config: NetworkConfig, lease: Lease, options: TrafficOptions): State {
  return {
    nftGuests: podsOf(config, lease).flatMap((pods) => [
      ...(options.masquerade ? [guest(GUESTS.masquerade, pods.family, masqueradeRules(pods), options)] : []),
      ...(options.forward ? [guest(GUESTS.forward, pods.family, forwardRules(pods), options)] : []),
    ]),
  }
}

function guest(
  { table, name, from, comment, called }: Guest,
  family: Family,
  rules: readonly TrafficRule[],
  options: TrafficOptions,
): GuestChain {
  const place = { family: NFT_FAMILY[family], table }
  const said: NftExpression = { type: 'xt match', match: 'comment', comment }
  return {
    ...place,
    name,
    from,
    called: called.map((chain): NftChain => ({ ...place, ...chain })),
    jump: { expressions: [said, COUNTER, { type: 'verdict', verdict: 'jump', chain: name }] },
    content: rules.map(
      (rule): ChainRule => ({ expressions: [...conditions(rule, family), said, COUNTER, target(rule, options)] }),
    ),
  }
}

/** Every rule of iptables counts. */
const COUNTER: NftExpression = { type: 'counter', packets: 0n, bytes: 0n }

function target({ does }: TrafficRule, { fullyRandom }: TrafficOptions): NftExpression {
  if (does !== 'masquerade') return { type: 'verdict', verdict: does }
  return { type: 'xt target', target: 'MASQUERADE', ...(fullyRandom && { fullyRandom }) }
}
