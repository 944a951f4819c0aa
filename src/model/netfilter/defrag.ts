/**
 * Fragments are put together before conntrack looks at them: only the first one has ports. Sources:
 * net/ipv4/netfilter/nf_defrag_ipv4.c, net/ipv6/netfilter/nf_defrag_ipv6_hooks.c.
 */
import { u16 } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import type { Packet } from '../packet.ts'
import { findFragmentHeader } from './conntrack/headers.ts'
import { Hook, type HookNumber, Verdict, type VerdictNumber } from './hooks.ts'

/** enum ip_defrag_users: fragments that come in at different places are not mixed. Behind local delivery, which is 0. */
const User = { conntrackIn: 1, conntrackOut: 2, conntrackBridge: 3 } as const

/** MF, and the offset. */
const FRAGMENT_BITS = 0x3fff

/** ipv4_conntrack_defrag: the packet that completes a datagram goes on as the whole of it; one that does not stays behind. */
export function defragment(packet: Packet, hook: HookNumber, device: Device): VerdictNumber {
  if (packet.connection !== undefined || packet.untracked) return Verdict.accept
  if ((u16(packet.bytes, packet.network + 6) & FRAGMENT_BITS) === 0) return Verdict.accept
  return device.namespace.ipv4.reassembly.gather(packet, userOf(packet, hook)) ? Verdict.accept : Verdict.stolen
}

/** ipv6_defrag. */
export function defragment6(packet: Packet, hook: HookNumber, device: Device): VerdictNumber {
  if (packet.connection !== undefined || packet.untracked) return Verdict.accept
  const [at, namedAt] = findFragmentHeader(packet.bytes, packet.network, packet.end)
  if (at < 0) return Verdict.accept
  const named = device.namespace.ipv6.reassembly.gather(packet, userOf(packet, hook), at, namedAt)
  return named < 0 ? Verdict.stolen : Verdict.accept
}

function userOf({ bridged }: Packet, hook: HookNumber): number {
  if (bridged?.inPrerouting) return User.conntrackBridge
  return hook === Hook.prerouting ? User.conntrackIn : User.conntrackOut
}
