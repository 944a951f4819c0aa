/** What IPv4 keeps for each device: struct in_device, and its ARP parameters. */
import type { Scope } from '../../kernel/address.ts'
import type { Mortal } from '../lifetime.ts'
import type { Ipv4Conf, NeighbourConf } from '../settings.ts'

/** struct in_ifaddr. Addresses are unsigned 32-bit numbers. */
export interface Ipv4Address extends Mortal {
  readonly local: number
  /** IFA_ADDRESS: the other end of a point-to-point link, else `local`. */
  readonly peer: number
  readonly length: number
  readonly scope: Scope
  readonly broadcast: number | undefined
  /** Follows the device's name. */
  label: string
  secondary: boolean
  readonly noPrefixRoute: boolean
  /** IFA_PROTO. */
  readonly protocol: number
}

export interface Ipv4Device {
  readonly conf: Ipv4Conf
  readonly neighbourConf: NeighbourConf
  /** In the kernel's order: primaries by scope, each network's secondaries behind. */
  readonly addresses: Ipv4Address[]
  /** False once an MTU below 68 was set, until a greater one is: inetdev_event. A device may begin with a smaller one. */
  isThere: boolean
}
