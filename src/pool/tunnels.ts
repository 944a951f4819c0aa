/**
 * Blocks that are reached in VXLAN: all of a pool with `Always`; with `CrossSubnet` those of nodes in another subnet, since the
 * routers between know nothing of pods. What goes through the tunnel is written by whoever keeps the VXLAN device, and not by BGP,
 * whose next hop would be one of those routers.
 *
 * A tunnel is what overlay/backend/vxlan.ts plans a device's entries from: a peer's lease.
 */
import type { Family } from '../address/ip.ts'
import { hostOf } from '../address/prefix.ts'
import { familyOfCidr } from './keys.ts'
import { isSameSubnet } from './node-routes.ts'
import type { Node } from './nodes.ts'
import { type Pool, poolHolding } from './pool.ts'

/** A confirmed block of a node's, or an address that it has borrowed, as a host prefix. */
export interface Held {
  readonly node: string
  readonly prefix: string
}

export interface Tunnel {
  readonly node: string
  readonly family: Family
  readonly subnet: string
  /** Where the packets go, in the network below. */
  readonly publicIp: string
  readonly vtep: { readonly mac: string; readonly vni: number }
}

export interface Tunnels {
  readonly tunnels: readonly Tunnel[]
  /** What cannot be reached, and why: for people. */
  readonly leftOut: readonly { readonly prefix: string; readonly reason: string }[]
}

export function tunnelsFrom(
  self: Node,
  pools: readonly Pool[],
  nodes: readonly Node[],
  held: readonly Held[],
): Tunnels {
  const byName = new Map(nodes.map((node) => [node.name, node]))
  const tunnels: Tunnel[] = []
  const leftOut: { prefix: string; reason: string }[] = []
  for (const { node: name, prefix } of held) {
    const pool = poolHolding(pools, prefix)
    if (name === self.name || !pool || pool.vxlanMode === 'Never') continue
    const node = byName.get(name)
    const family = familyOfCidr(prefix)
    const [ours, theirs] = [self[family], node?.[family]]
    if (pool.vxlanMode === 'CrossSubnet' && ours && theirs && isSameSubnet(ours, theirs)) continue
    if (!node) leftOut.push({ prefix, reason: `node "${name}" is not there` })
    else if (!theirs) leftOut.push({ prefix, reason: `node "${name}" has no address of its family` })
    else if (!node.vtep) leftOut.push({ prefix, reason: `node "${name}" has no VXLAN device` })
    else tunnels.push({ node: name, family, subnet: prefix, publicIp: hostOf(theirs), vtep: node.vtep })
  }
  return { tunnels, leftOut }
}
