/** The link by which the other nodes know this one, flannel's external interface. */

export interface UplinkAddress {
  /** The link's own address with its prefix length: `192.168.77.1/24`. */
  readonly address: string
  /** By which others reach the node: the same, unless it is behind address translation. */
  readonly publicIp: string
}

/** At least one of the families is there. */
export interface Uplink {
  readonly link: string
  /** Bytes. */
  readonly mtu: number
  readonly ipv4?: UplinkAddress
  readonly ipv6?: UplinkAddress
}
