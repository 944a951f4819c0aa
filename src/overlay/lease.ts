/**
 * What the nodes of an overlay tell each other: who has which pods, and how they are reached. flannel's lease, in our words.
 */

export type Family = 'ipv4' | 'ipv6'

export interface FamilyLease {
  /** The pods that are there: `10.5.72.0/24`, `fd00:5:0:7::/64`. */
  readonly subnet: string
  /** Address of the node in the network below. */
  readonly publicIp: string
  /** The node's VXLAN device, BackendData and BackendV6Data: backend vxlan only. Old flannels do not tell the VNI. */
  readonly vtep?: { readonly vni: number | undefined; readonly mac: string }
}

/** At least one of the families is there. */
export interface Lease {
  /** The node, for people, where it is known: labs know it, etcd does not. */
  readonly node?: string
  /** BackendType: `vxlan`, `host-gw`; empty for udp and alloc. */
  readonly backend: string
  readonly ipv4?: FamilyLease
  readonly ipv6?: FamilyLease
}

/** The subnet's first address: the overlay device has it, and other nodes route by it. */
export function gatewayOf(subnet: string): string {
  return subnet.slice(0, subnet.indexOf('/'))
}
