/** What rules ask of routing. Source: net/ipv4/netfilter/nft_fib_ipv4.c, ipt_rpfilter.c, net/netfilter/xt_addrtype.c. */
import type { RouteType } from '../../../kernel/route.ts'
import { u32 } from '../../bytes.ts'
import type { Device } from '../../device/device.ts'
import type { FibResult } from '../../ipv4/fib-route.ts'
import { clearFlow } from '../../ipv4/fib-rule.ts'
import { addressType } from '../../ipv4/select-address.ts'
import type { Namespace } from '../../namespace.ts'
import type { Packet } from '../../packet.ts'

/** RTN_*, linux/rtnetlink.h. */
export const RouteTypeNumber: { readonly [T in RouteType]: number } = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
  nat: 10,
}

/** Offsets in the IPv4 header. */
export const SOURCE = 12
export const DESTINATION = 16
const TOS = 1

/** LOOPBACK_IFINDEX. */
export const LOOPBACK_INDEX = 1
export const LIMITED_BROADCAST = 0xffff_ffff

/** inet_dev_addr_type. */
export function typeOfAddress(namespace: Namespace, address: number, device: Device | undefined): number {
  return RouteTypeNumber[addressType(namespace, address, device)]
}

export interface RouteQuestion {
  /** The address that is looked for: SOURCE or DESTINATION. */
  readonly towards: number
  readonly mark: number
  /** Index of the device that it must leave by, and of the one that it came in by; 0: any. */
  readonly output: number
  readonly input: number
}

/** fib_lookup with FIB_LOOKUP_IGNORE_LINKSTATE, of an IPv4 packet's one address towards the other. */
export function findRoute(namespace: Namespace, { bytes, network }: Packet, question: RouteQuestion): FibResult {
  const { fib } = namespace
  const other = question.towards === SOURCE ? DESTINATION : SOURCE
  const flow = clearFlow(fib.flow, u32(bytes, network + question.towards))
  flow.source = unicastOnly(u32(bytes, network + other))
  flow.tos = bytes[network + TOS]!
  flow.mark = question.mark
  flow.output = question.output
  flow.input = question.input
  return fib.search(flow, true)
}

/** fib_info_nh_uses_dev. */
export function usesDevice({ route }: FibResult, device: Device): boolean {
  return route?.hops.some((hop) => hop.device === device) ?? false
}

/** get_saddr, rpfilter_get_saddr: no source is taken that cannot be one. */
function unicastOnly(address: number): number {
  return isMulticast(address) || address === LIMITED_BROADCAST || isZeroNet(address) ? 0 : address
}

function isMulticast(address: number): boolean {
  return address >>> 28 === 0xe
}

export function isZeroNet(address: number): boolean {
  return address >>> 24 === 0
}

/** 224.0.0.0/24. */
export function isLocalMulticast(address: number): boolean {
  return address >>> 8 === 0xe0_0000
}
