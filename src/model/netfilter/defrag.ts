/**
 * Fragments are put together before conntrack looks at them: only the first one has ports. Sources:
 * net/ipv4/netfilter/nf_defrag_ipv4.c, net/ipv6/netfilter/nf_defrag_ipv6_hooks.c.
 */
import { u16 } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import { note } from '../observer.ts'
import type { Packet } from '../packet.ts'
import type { TupleFamily } from './conntrack/tuple.ts'
import { Hook, type HookNumber, Verdict, type VerdictNumber } from './hooks.ts'

/** enum ip_defrag_users: fragments that come in at different places are not mixed. Behind local delivery, which is 0. */
const User = { conntrackIn: 1, conntrackOut: 2, conntrackBridge: 3 } as const

const FRAGMENT_BITS = 0x3fff

/** The packet that completes a datagram goes on as the whole of it; one that does not stays behind. */
export function defragment(family: TupleFamily, packet: Packet, hook: HookNumber, device: Device): VerdictNumber {
  if (packet.connection !== undefined || packet.untracked) return Verdict.accept
  if (family === 'ip' && (u16(packet.bytes, packet.network + 6) & FRAGMENT_BITS) === 0) return Verdict.accept
  const { namespace } = device
  const { reassembly } = namespace[family === 'ip' ? 'ipv4' : 'ipv6']
  const user = packet.bridged?.inPrerouting
    ? User.conntrackBridge
    : hook === Hook.prerouting
      ? User.conntrackIn
      : User.conntrackOut
  if (!reassembly.gather(packet, user)) return Verdict.stolen
  if (packet.journey && packet.fragmentMaxSize > 0)
    note(packet, device, 'defrag', `put together: ${packet.end - packet.network} bytes`, {
      kernel: 'nf_ct_ipv4_gather_frags',
    })
  return Verdict.accept
}
