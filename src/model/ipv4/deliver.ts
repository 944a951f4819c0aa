/** To this host's transports: ip_local_deliver, net/ipv4/ip_input.c. */
import { Hook, runHook } from '../netfilter/hooks.ts'
import { drop, note } from '../observer.ts'
import type { Packet } from '../packet.ts'
import { headerLength, isFragment, PROTOCOL_AT } from './header.ts'
import { LOCAL_DELIVERY } from './reassemble.ts'

const ICMP = 1
const UDP = 17
const UNREACHABLE = 3
const PROTOCOL_UNREACHABLE = 2

export function deliverLocal(packet: Packet): void {
  const { device } = packet
  const { namespace } = device
  if (isFragment(packet) && !namespace.ipv4.reassembly.gather(packet, LOCAL_DELIVERY)) return
  if (namespace.hooks.ip.has(Hook.input) && !runHook(namespace, 'ip', Hook.input, packet, device, undefined)) return
  finishDelivery(packet)
}

/** ip_local_deliver_finish, ip_protocol_deliver_rcu. */
function finishDelivery(packet: Packet): void {
  const { ipv4Protocols } = packet.device.namespace.model
  packet.transport = packet.network + headerLength(packet)
  const number = packet.view.getUint8(packet.network + PROTOCOL_AT)
  const protocol = ipv4Protocols[number]
  if (packet.journey) note(packet, packet.device, 'local', 'for this host', { kernel: 'ip_local_deliver_finish' })
  // Tunnels' packets are UDP: a call of their own, which V8 builds in.
  if (number === UDP && protocol !== undefined) protocol.receive(packet)
  else if (protocol) protocol.receive(packet)
  else refuseProtocol(packet, number)
}

function refuseProtocol(packet: Packet, number: number): void {
  const { ipv4Protocols } = packet.device.namespace.model
  ipv4Protocols[ICMP]?.refuse?.(packet, UNREACHABLE, PROTOCOL_UNREACHABLE, 0)
  drop(packet, 'IP_NOPROTO', 'ip_local_deliver_finish', { what: `nobody takes protocol ${number}` })
}
