/** To this host: ip6_input, ip6_protocol_deliver_rcu, net/ipv6/ip6_input.c. Extension headers are worked off one by one. */
import { u16 } from '../bytes.ts'
import { Hook, runHook } from '../netfilter/hooks.ts'
import { drop, note } from '../observer.ts'
import type { Packet } from '../packet.ts'
import { isMulticast } from './address.ts'
import { acceptOptions, acceptRouting } from './extension.ts'
import { DESTINATION_AT, HEADER_LENGTH, NEXT_HEADER_AT, NextHeader } from './header.ts'
import { sendIcmpv6Error } from './icmp.ts'
import { listensTo } from './multicast.ts'
import { LOCAL_DELIVERY } from './reassemble.ts'

const PARAMETER_PROBLEM = 4
const UNKNOWN_NEXT_HEADER = 1
const FRAGMENT_HEADER = 8
/** Offset and M. */
const FRAGMENT_BITS = 0xfff9

export function deliverLocal6(packet: Packet): void {
  const { device } = packet
  const { namespace } = device
  if (namespace.hooks.ip6.has(Hook.input) && !runHook(namespace, 'ip6', Hook.input, packet, device, undefined)) return
  finishDelivery6(packet)
}

/** ip6_input_finish */
export function finishDelivery6(packet: Packet): void {
  const { device } = packet
  const { namespace } = device
  if (packet.journey) note(packet, device, 'local', 'for this host', { kernel: 'ip6_input_finish' })
  // Hop-by-hop options were read on the way in. Those that stood behind a fragment header which conntrack took away were not.
  const wereRead = packet.transport > packet.network + HEADER_LENGTH
  const isHopByHop = wereRead && packet.bytes[packet.network + NEXT_HEADER_AT] === NextHeader.hopByHop
  let namedAt = packet.network + (isHopByHop ? HEADER_LENGTH : NEXT_HEADER_AT)
  // Where conntrack has put it together, that is behind the fragment header: Linux takes what is there for the first header.
  let at = packet.transport
  // IP6SKB_FRAGMENTED, which conntrack says too.
  let isWhole = packet.fragmentMaxSize !== 0
  for (;;) {
    const next = packet.bytes[namedAt]!
    if (next === NextHeader.options) {
      if (!acceptOptions(packet, at)) return
    } else if (next === NextHeader.routing) {
      if (!acceptRouting(packet, at)) return
    } else if (next === NextHeader.fragment) {
      if (isWhole) {
        refuse(packet, at - packet.network)
        return
      }
      isWhole = true
      if (isAtomic(packet, at)) {
        ;[namedAt, at] = [at, at + FRAGMENT_HEADER]
        continue
      }
      const named = namespace.ipv6.reassembly.gather(packet, LOCAL_DELIVERY, at, namedAt)
      if (named < 0) return
      namedAt = packet.network + named
      at = packet.transport
      continue
    } else break
    ;[namedAt, at] = behind(packet, at)
  }
  packet.transport = at
  deliver(packet, namedAt)
}

/** RFC 6946: the header stays, and is passed over. */
function isAtomic({ bytes, end }: Packet, at: number): boolean {
  return at + FRAGMENT_HEADER <= end && (u16(bytes, at + 2) & FRAGMENT_BITS) === 0
}

/** A second fragment header: ipv6_frag_rcv. */
function refuse(packet: Packet, pointer: number): void {
  sendIcmpv6Error(packet, PARAMETER_PROBLEM, 0, pointer)
  drop(packet, 'NOT_SPECIFIED', 'ipv6_frag_rcv', { own: 'OVL_TWO_FRAGMENTS', what: 'it has two fragment headers' })
}

function behind({ bytes }: Packet, at: number): [number, number] {
  return [at, at + (bytes[at + 1]! + 1) * 8]
}

function deliver(packet: Packet, namedAt: number): void {
  const { bytes, network, device } = packet
  const number = bytes[namedAt]!
  const protocol = device.namespace.model.ipv6Protocols[number]
  if (protocol) {
    const destination = network + DESTINATION_AT
    if (number !== NextHeader.icmp && isMulticast(bytes, destination) && !listensTo(device, bytes, destination)) {
      drop(packet, 'IP_INADDRERRORS', 'ip6_input_finish', { what: `${device.name} is not in the group` })
      return
    }
    protocol.receive(packet)
    return
  }
  if (number === NextHeader.none) {
    drop(packet, 'NOT_SPECIFIED', 'dst_discard_out', { own: 'OVL_NO_NEXT_HEADER', what: 'nothing follows its headers' })
    return
  }
  sendIcmpv6Error(packet, PARAMETER_PROBLEM, UNKNOWN_NEXT_HEADER, namedAt - network)
  drop(packet, 'IP_NOPROTO', 'ip6_input_finish', { what: `nobody takes protocol ${number}` })
}
