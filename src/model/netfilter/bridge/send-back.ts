/** Resets that answer what came over a bridge: nf_send_reset, net/ipv4/netfilter/nf_reject_ipv4.c. */
import { type Packet, pushEthernet } from '../../packet.ts'
import { transmit } from '../../path/transmit.ts'

/**
 * Straight back out of the port, from the MAC that the packet was sent to: sent as the host's own it would come from the
 * bridge's, which may confuse others. It passes no hook, so NAT is not undone in it.
 */
export function sendBack(answer: Packet, { bridged, bytes, link }: Packet): void {
  pushEthernet(answer, bytes.subarray(link + 6, link + 12), bytes.subarray(link, link + 6), answer.protocol)
  transmit(answer, bridged!.input)
}
