/**
 * What a node does to the traffic of pods: flannel's rules, the same for nftables and for iptables.
 *
 *   masquerade    what pods send out of the network gets the node's address; so does what comes from outside for pods of
 *                 other nodes, whose answers must come back this way. Pods among themselves keep their addresses, and who
 *                 comes from outside to a pod of this node is seen as himself.
 *   forward       traffic of pods is let through
 *
 * The first rule that matches decides. Source: flannel, pkg/trafficmngr/iptables. Its rules for nftables say otherwise in one
 * place, the fourth rule, so that hosts are not masqueraded towards pods of other nodes; here both say the same.
 */

import type { NetworkConfig } from '../config.ts'
import type { Family, Lease } from '../lease.ts'

export interface TrafficOptions {
  /** --ip-masq */
  readonly masquerade: boolean
  /** Not --ip-masq-fully-random-disable: ports are chosen so that two nodes' choices do not collide. */
  readonly fullyRandom: boolean
  /** --iptables-forward-rules */
  readonly forward: boolean
}

export interface Where {
  readonly prefix: string
  readonly not?: boolean
}

/** Both conditions must hold where both are there. */
export interface TrafficRule {
  readonly source?: Where
  readonly destination?: Where
  /** The packet bears kube-proxy's mark: it is masqueraded there. */
  readonly marked?: boolean
  readonly does: 'return' | 'masquerade' | 'accept'
}

/** A family's network and the node's own pods in it. */
export interface Pods {
  readonly family: Family
  readonly network: string
  readonly subnet: string
}

/** Of kube-proxy: `--iptables-masquerade-bit` 14. */
export const MASQUERADE_MARK = 0x4000

const MULTICAST = { ipv4: '224.0.0.0/4', ipv6: 'ff00::/8' } as const

export function podsOf(config: NetworkConfig, lease: Lease): Pods[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const [network, subnet] = [config[family]?.network, lease[family]?.subnet]
    return network === undefined || subnet === undefined ? [] : [{ family, network, subnet }]
  })
}

export function masqueradeRules({ family, network, subnet }: Pods): TrafficRule[] {
  const inside = { prefix: network }
  const outside = { prefix: network, not: true }
  const own = { prefix: subnet }
  return [
    { marked: true, does: 'return' },
    { source: own, destination: inside, does: 'return' },
    { source: inside, destination: own, does: 'return' },
    { source: outside, destination: own, does: 'return' },
    { source: inside, destination: { prefix: MULTICAST[family], not: true }, does: 'masquerade' },
    { source: outside, destination: inside, does: 'masquerade' },
  ]
}

export function forwardRules({ network }: Pods): TrafficRule[] {
  return [
    { source: { prefix: network }, does: 'accept' },
    { destination: { prefix: network }, does: 'accept' },
  ]
}
