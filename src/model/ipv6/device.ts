/** What IPv6 keeps for each device: struct inet6_dev, and its NDP parameters. */
import type { Scope } from '../../kernel/address.ts'
import type { Timer } from '../clock.ts'
import type { Ipv6Conf, NeighbourConf } from '../settings.ts'

/** struct inet6_ifaddr. Addresses are 16 bytes. */
export interface Ipv6Address {
  readonly address: Uint8Array
  readonly peer: Uint8Array | undefined
  readonly length: number
  readonly scope: Scope
  tentative: boolean
  dadFailed: boolean
  readonly noDad: boolean
  readonly noPrefixRoute: boolean
  readonly permanent: boolean
  /** IFA_PROTO. */
  readonly protocol: number
  /** Of duplicate address detection. */
  timer: Timer | undefined
}

export interface Ipv6Device {
  readonly conf: Ipv6Conf
  readonly neighbourConf: NeighbourConf
  readonly addresses: Ipv6Address[]
}
