/** What the nodes of an overlay tell each other: who has which pods, and how they are reached. flannel's lease, in our words. */

export interface Lease {
  /** The node, for people: what a trace says an entry was made for. */
  readonly node: string
  /** The pods that are there: `10.244.1.0/24`. */
  readonly subnet: string
  /** Address of the node in the network below. */
  readonly publicIp: string
  /** Of its VXLAN device; backend vxlan only. */
  readonly vtepMac?: string
}

/** The subnet's first address: the overlay device has it, and other nodes route by it. */
export function gatewayOf({ subnet }: Lease): string {
  return subnet.slice(0, subnet.indexOf('/'))
}
