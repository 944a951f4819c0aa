/**
 * Translation to what the device has: MASQUERADE to the address that packets leave with, REDIRECT to the one that they came
 * in at. Sources: net/netfilter/nf_nat_masquerade.c, nf_nat_redirect.c.
 */
import { u32 } from '../../bytes.ts'
import type { Device } from '../../device/device.ts'
import { RtScope } from '../../ipv4/fib-route.ts'
import type { Ipv4Route } from '../../ipv4/route.ts'
import { selectAddress } from '../../ipv4/select-address.ts'
import { selectAddress6 } from '../../ipv6/select-address.ts'
import type { Namespace } from '../../namespace.ts'
import type { Packet } from '../../packet.ts'
import type { Connection } from '../conntrack/connection.ts'
import { type Address, sameAddress } from '../conntrack/tuple.ts'
import { Hook, type HookNumber, Verdict, type VerdictNumber } from '../hooks.ts'
import { setupNat } from '../nat.ts'
import { type NatRange, RangeFlag } from './range.ts'

const LOCALHOST = 0x7f000001
const LOCALHOST6 = Uint8Array.from({ length: 16 }, (_, i) => (i === 15 ? 1 : 0))

/** At POSTROUTING. Of `range` flags and ports count. */
export function masquerade(
  packet: Packet,
  connection: Connection,
  range: NatRange,
  output: Device,
  rule?: string | undefined,
): VerdictNumber {
  if (connection.original.family === 'ip6') {
    const at6 = packet.network + 24
    const source6 = selectAddress6(output.namespace, output, packet.bytes.slice(at6, at6 + 16))
    if (!source6) return Verdict.drop
    connection.masqueradeIndex = output.index
    return setupNat(packet, connection, 'snat', at(range, source6), rule)
  }
  // A packet without a source is the host's own and wants none (DHCP).
  if (connection.original.source === 0) return Verdict.accept
  const { gateway } = packet.route as Ipv4Route
  const nextHop = gateway === 0 ? u32(packet.bytes, packet.network + 16) : gateway
  const source = selectAddress(output, nextHop, RtScope.universe)
  if (source === 0) return Verdict.drop
  connection.masqueradeIndex = output.index
  return setupNat(packet, connection, 'snat', at(range, source), rule)
}

/** At PREROUTING and OUTPUT: to this host. Of `range` flags and ports count. */
export function redirect(
  packet: Packet,
  connection: Connection,
  range: NatRange,
  hook: HookNumber,
  input: Device | undefined,
  rule?: string | undefined,
): VerdictNumber {
  const ip6 = connection.original.family === 'ip6'
  const own = hook === Hook.output ? (ip6 ? LOCALHOST6 : LOCALHOST) : ip6 ? usable6(packet, input) : first4(input)
  if (own === undefined) return Verdict.drop
  return setupNat(packet, connection, 'dnat', at(range, own), rule)
}

function first4(input: Device | undefined): number | undefined {
  return input?.ipv4.addresses[0]?.local
}

/** nf_nat_redirect_ipv6_usable: the first that is no longer tentative, and reaches as far as the destination. */
function usable6({ bytes, network }: Packet, input: Device | undefined): Uint8Array | undefined {
  const linkLocal = isLinkLocal(bytes, network + 24)
  return input?.ipv6.addresses.find(({ address, tentative }) => !tentative && isLinkLocal(address, 0) === linkLocal)
    ?.address
}

function isLinkLocal(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xfe && (bytes[at + 1]! & 0xc0) === 0x80
}

/** NETDEV_DOWN and addresses that go: what was masqueraded with them ends. `address` undefined: all of the device. */
export function forgetMasqueraded(namespace: Namespace, device: Device, address?: Address): void {
  namespace.conntrack.killWhere(
    ({ masqueradeIndex, reply }) =>
      masqueradeIndex === device.index && (address === undefined || sameAddress(reply.destination, address)),
  )
}

function at(range: NatRange, address: Address): NatRange {
  return { ...range, flags: range.flags | RangeFlag.mapAddresses, minAddress: address, maxAddress: address }
}
