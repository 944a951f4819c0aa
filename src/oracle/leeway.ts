import type { Scenario } from './scenario.ts'

/** What a scenario says about how far two runs of it may differ. */
export interface Leeway {
  /** net.ipv4.ip_local_port_range. */
  readonly portRange: readonly [low: number, high: number]
  /** Ports that scenario and rules name: those alone of the ports seen that no NAT has drawn. Undefined: it draws none. */
  readonly namedPorts?: readonly number[]
  /** Ports of the expected run that NAT has drawn, and from where. */
  readonly drawnPorts?: readonly DrawnPort[]
  /** Tunnel packets carry TCP of real sockets, each of which draws a hash of its own. */
  readonly realSockets?: boolean
  /** Packets keep the hash that they had before NAT or in a tunnel: one source port per tunnel packet. hashesAreKept. */
  readonly keptHashes?: boolean
  /** Milliseconds that a frame may come earlier or later behind the given frame before it. */
  readonly tolerance: number
}

export interface DrawnPort {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
  readonly range: readonly [low: number, high: number]
}

export const LEEWAY: Leeway = { portRange: [32768, 60999], tolerance: 100 }

/**
 * Where NAT draws from for a port like this: nf_nat_l4proto_unique_tuple, net/netfilter/nf_nat_core.c.
 */
export function classOf(port: number): readonly [low: number, high: number] {
  if (port < 512) return [1, 511]
  return port < 1024 ? [600, 1023] : [1024, 65535]
}

const MAKES_RULES = /\b(?:nft|ip6?tables|ebtables)\b/

/**
 * While anybody on the machine listens to nft's trace, Linux computes the hash of each packet in each hook that has a chain
 * (nft_trace_init, net/netfilter/nf_tables_trace.c), and the packet keeps it: through NAT, and of a packet with ports in what it
 * carried (__iptunnel_pull_header, net/ipv4/ip_tunnel_core.c). The next tunnel takes its source port from it.
 */
export function hashesAreKept({ topology, steps }: Scenario): boolean {
  return steps.some((step) => 'run' in step && MAKES_RULES.test(step.run)) || MAKES_RULES.test(JSON.stringify(topology))
}
