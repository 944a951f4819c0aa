/**
 * Why a packet went no further than where captures saw it last, on a kernel that does not say: the checks of the kernel's own
 * way, in its order, asked of its tables through the interface.
 */

import { formatMac } from '../address/mac.ts'
import { hostOf } from '../address/prefix.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { EtherType } from '../wire/ethernet.ts'
import { couldMatch } from './could-match.ts'
import { covers, routeTo, type World } from './explain/loss.ts'
import type { Sighting } from './of-captures.ts'
import { type Headers, insideVxlan, readHeaders, vniOf } from './summary.ts'

export interface Cause {
  /** SKB_DROP_REASON_* without its prefix, or OVL_*. */
  readonly reason: string
  readonly kernel: string
  readonly ref?: string
  /** Where it is, if not where it was seen last. */
  readonly device?: string
}

/** Packets that rules with a counter had counted: by node and rule. */
export type Counters = ReadonlyMap<string, bigint>

export function readCounters({ places }: World): Counters {
  const counters = new Map<string, bigint>()
  for (const { name, kernel } of places) {
    for (const { family, table, chain, handle, expressions } of kernel.nftables.list().rules) {
      for (const expression of expressions) {
        if (expression.type !== 'counter') continue
        counters.set(`${name} rule ${family} ${table} ${chain} handle ${handle}`, expression.packets ?? 0n)
      }
    }
  }
  return counters
}

/** Undefined where nothing of the place's state would keep the packet. */
export function deduce(last: Sighting, world: World, before: Counters): Cause | undefined {
  const kernel = world.places.find(({ name }) => name === last.node)?.kernel
  if (!kernel) return undefined
  return last.direction === 'out'
    ? lostOnLink(last, kernel, world)
    : (droppedByRule(last, kernel, before) ?? lostOnBridge(last, kernel) ?? lostInNetwork(last, kernel))
}

/** A rule that has counted since, could have been about this packet, and ends in a drop. */
function droppedByRule({ node, frame, network }: Sighting, kernel: LiveKernel, before: Counters): Cause | undefined {
  for (const { family, table, chain, handle, expressions } of kernel.nftables.list().rules) {
    const drops = expressions.some(
      (each) =>
        (each.type === 'verdict' && each.verdict === 'drop') ||
        each.type === 'reject' ||
        (each.type === 'xt target' && each.target === 'REJECT'),
    )
    const counter = expressions.find((each) => each.type === 'counter')
    const ref = `rule ${family} ${table} ${chain} handle ${handle}`
    if (!drops || counter?.type !== 'counter' || !couldMatch(expressions, frame, network)) continue
    if ((counter.packets ?? 0n) > (before.get(`${node} ${ref}`) ?? 0n)) {
      return { reason: 'NETFILTER_DROP', kernel: 'nft_do_chain', ref }
    }
  }
  return undefined
}

/** A packet for this host that no socket had a chance to refuse: what the policy of INPUT says. */
export function refusedByPolicy({ node }: Sighting, { places }: World): Cause | undefined {
  const kernel = places.find(({ name }) => name === node)?.kernel
  return kernel && droppedByPolicy(kernel, 'input')
}

/** Policies count nothing; where nothing else would keep the packet, one that drops has. */
function droppedByPolicy(kernel: LiveKernel, hook: string): Cause | undefined {
  const chain = kernel.nftables
    .list()
    .chains.find(({ family, base }) => ['ip', 'inet'].includes(family) && base?.hook === hook && base.policy === 'drop')
  if (!chain) return undefined
  const { family, table, name } = chain
  return { reason: 'NETFILTER_DROP', kernel: 'nft_do_chain', ref: `chain ${family} ${table} ${name} policy drop` }
}

/** It was sent, and the other end did not take it. */
function lostOnLink({ device, frame, node }: Sighting, kernel: LiveKernel, { places }: World): Cause | undefined {
  const link = kernel.links.get(device)
  const mac = formatMac(frame.subarray(0, 6))
  if (link?.kind === 'vxlan') {
    const entries = kernel.fdb.list({ link: device }).filter(({ owner }) => owner === 'self')
    const found = entries.some((entry) => entry.mac === mac || entry.mac === '00:00:00:00:00:00')
    return found ? undefined : { reason: 'NO_TX_TARGET', kernel: 'vxlan_xmit' }
  }
  if (link?.kind !== 'veth') return undefined
  for (const { name, kernel: other } of places) {
    for (const far of other.links.list()) {
      const isFar = far.kind === 'veth' && far.index === link.parent && far.parent === link.index
      if (!isFar || (name === node && far.name === device)) continue
      if (!far.up) return { reason: 'OVL_LINK_DOWN', kernel: '__dev_forward_skb2' }
      if (frame.length > far.mtu + 18) return { reason: 'OVL_VETH_MTU', kernel: '__dev_forward_skb2' }
    }
  }
  return undefined
}

/** It came in by a port of a bridge, for somebody behind a port. */
function lostOnBridge({ device, frame }: Sighting, kernel: LiveKernel): Cause | undefined {
  const link = kernel.links.get(device)
  const bridge = link?.master === undefined ? undefined : kernel.links.getByIndex(link.master)
  if (!link || bridge?.kind !== 'bridge') return undefined
  const mac = formatMac(frame.subarray(0, 6))
  const at = 'br_handle_frame_finish'
  if (mac === bridge.mac) {
    // It never came to the bridge itself: PREROUTING has turned it to somebody behind a port (br_netfilter).
    return link.port && !link.port.hairpin ? { reason: 'OVL_BRIDGE_HAIRPIN_OFF', kernel: at } : undefined
  }
  const port = kernel.fdb.list().find((entry) => entry.mac === mac && entry.owner === 'master')?.link
  const out = port === undefined ? undefined : kernel.links.get(port)
  if (port === device && !link.port?.hairpin) return { reason: 'OVL_BRIDGE_HAIRPIN_OFF', kernel: at }
  if (link.port?.isolated && out?.port?.isolated) return { reason: 'OVL_BRIDGE_ISOLATED', kernel: at }
  if (out && frame.length > out.mtu + 18) return { reason: 'OVL_BRIDGE_MTU', kernel: 'br_dev_queue_push_xmit' }
  return undefined
}

/** It came in, and was for this host or to be forwarded: ip_rcv_core, ip_rcv_finish_core, ip_forward. */
function lostInNetwork({ device, frame, network, packetType }: Sighting, kernel: LiveKernel): Cause | undefined {
  const headers = readHeaders(frame, network)
  const link = kernel.links.get(device)
  if (!headers || !link || headers.etherType !== EtherType.ipv4) return undefined // these are IPv4's checks
  // A tunnel's packet to the node itself has another's MAC and is taken all the same: vxlan_encap_bypass.
  const isOthers = packetType === undefined ? link.mac !== formatMac(frame.subarray(0, 6)) : packetType === 'otherhost'
  if (network > 0 && isOthers && (frame[0]! & 1) === 0 && link.master === undefined) {
    return { reason: 'OTHERHOST', kernel: 'ip_rcv_core' }
  }
  const { source, destination, ttl, length, dontFragment } = headers
  const own = kernel.addresses.list().map(({ prefix }) => hostOf(prefix))
  if (own.includes(source)) return { reason: 'IP_LOCAL_SOURCE', kernel: 'ip_rcv_finish_core' }
  if (isFiltered(kernel, device, source)) return { reason: 'IP_RPFILTER', kernel: 'ip_rcv_finish_core' }
  if (own.includes(destination)) {
    const inner = insideVxlan(frame, headers)
    if (inner !== undefined) return lostInTunnel(headers, vniOf(frame, inner), kernel)
    const functions: Readonly<Record<number, string>> = { 6: 'tcp_v4_rcv', 17: '__udp4_lib_rcv' }
    const kernelFunction = functions[headers.protocol]
    return kernelFunction === undefined ? undefined : { reason: 'NO_SOCKET', kernel: kernelFunction }
  }
  if (kernel.sysctl.get(`net/ipv4/conf/${device}/forwarding`) === '0') {
    return { reason: 'IP_INADDRERRORS', kernel: 'ip_error' }
  }
  const route = routeTo(destination, kernel)
  const refusing = kernel.routes
    .list({ family: 'ipv4' })
    .find(({ type, destination: prefix }) => isRefusal(type) && covers(prefix, destination))
  if (!route) {
    const reason = refusing ? `OVL_ROUTE_${refusing.type!.toUpperCase()}` : 'IP_INNOROUTES'
    return { reason, kernel: 'ip_error' }
  }
  if (ttl <= 1) return { reason: 'IP_INHDR', kernel: 'ip_forward' }
  const out = route.link === undefined ? undefined : kernel.links.get(route.link)
  const mtu = route.metrics?.mtu ?? out?.mtu
  if (mtu !== undefined && dontFragment && length > mtu) return { reason: 'PKT_TOO_BIG', kernel: 'ip_forward' }
  const next = route.gateway ?? destination
  const neighbour = kernel.neighbours.list().find((each) => each.link === route.link && each.address === next)
  // Who was never asked for was not the cause: FORWARD comes before.
  const policy = neighbour && !neighbour.mac ? undefined : droppedByPolicy(kernel, 'forward')
  if (policy) return policy
  if (!neighbour?.mac && route.link !== undefined) {
    return { reason: 'NEIGH_FAILED', kernel: 'neigh_invalidate', device: route.link }
  }
  return undefined
}

/** It was for a tunnel of this host. */
function lostInTunnel({ destinationPort }: Headers, vni: number, kernel: LiveKernel): Cause | undefined {
  const devices = kernel.links.list().filter(({ up, vxlan }) => up && vxlan?.port === destinationPort)
  if (devices.length === 0) return { reason: 'NO_SOCKET', kernel: '__udp4_lib_rcv' }
  if (devices.some(({ vxlan }) => vxlan?.vni === vni)) return undefined
  return { reason: 'VXLAN_VNI_NOT_FOUND', kernel: 'vxlan_rcv' }
}

/** rp_filter, the larger of all and the link's own: 1 wants the way back by this link, 2 any. */
function isFiltered(kernel: LiveKernel, device: string, source: string): boolean {
  const values = ['all', device].map((name) => Number(kernel.sysctl.get(`net/ipv4/conf/${name}/rp_filter`) ?? 0))
  const filter = Math.max(...values)
  if (filter === 0) return false
  const back = routeTo(source, kernel)
  return filter === 1 ? back?.link !== device : back === undefined
}

const isRefusal = (type: string | undefined) => type === 'blackhole' || type === 'unreachable' || type === 'prohibit'
