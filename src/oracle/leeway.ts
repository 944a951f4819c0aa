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
