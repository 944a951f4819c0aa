/** What IPv6 keeps for each device: struct inet6_dev, and its NDP parameters. */
import type { Scope } from '../../kernel/address.ts'
import type { Timer } from '../clock.ts'
import type { Mortal } from '../lifetime.ts'
import type { Ipv6Conf, NeighbourConf } from '../settings.ts'
import type { Fib6Route } from './fib-route.ts'

/** struct inet6_ifaddr. Addresses are 16 bytes. */
export interface Ipv6Address extends Mortal {
  readonly address: Uint8Array
  readonly peer: Uint8Array | undefined
  readonly length: number
  readonly scope: Scope
  tentative: boolean
  dadFailed: boolean
  readonly noDad: boolean
  readonly noPrefixRoute: boolean
  /** IFA_F_MANAGETEMPADDR: of a router's prefix. */
  readonly managesTemporary: boolean
  /** IFA_PROTO. */
  readonly protocol: number
  /** Of duplicate address detection: the next step, how many questions are left, and what tells our own question. */
  timer: Timer | undefined
  probes: number
  nonce: Uint8Array | undefined
  /** The route in the table local that makes it ours. */
  hostRoute: Fib6Route | undefined
}

/** A multicast group that the device listens to: struct ifmcaddr6. */
export interface Ipv6Group {
  readonly address: Uint8Array
  /** How many asked for it; 0: it is left, which is still to be told. */
  users: number
  /** Reports of its change that are still to be sent: mca_crcount. */
  reports: number
}

/** An anycast address: struct ifacaddr6. */
export interface Ipv6Anycast {
  readonly address: Uint8Array
  users: number
  route: Fib6Route | undefined
}

export interface Ipv6Device {
  readonly conf: Ipv6Conf
  readonly neighbourConf: NeighbourConf
  /** Those that reach farthest first; among equal ones, the newest. */
  readonly addresses: Ipv6Address[]
  /** In the order of joining. */
  groups: Ipv6Group[]
  anycast: Ipv6Anycast[]
  /** IF_READY: it is up and has had a carrier since. */
  ready: boolean
  /** Of multicast listener reports: mc_ifc_work and mc_dad_work. */
  changeReports: { left: number; timer: Timer | undefined }
  firstReports: { left: number; timer: Timer | undefined }
  /** Of router solicitations: how many were sent, and when the next is due. */
  solicitations: { sent: number; interval: number; timer: Timer | undefined }
}

export function createIpv6Device(conf: Ipv6Conf, neighbourConf: NeighbourConf): Ipv6Device {
  return {
    conf,
    neighbourConf,
    addresses: [],
    groups: [],
    anycast: [],
    ready: false,
    changeReports: { left: 0, timer: undefined },
    firstReports: { left: 0, timer: undefined },
    solicitations: { sent: 0, interval: 0, timer: undefined },
  }
}
