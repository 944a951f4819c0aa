/** A packet that was put together from pieces, as Linux keeps it: frag_list of struct sk_buff, net/core/skbuff.c. */
import type { Packet } from './packet.ts'

const TCP_HEADER = 20

/**
 * pskb_may_pull, skb_ensure_writable: who needs the bytes up to `until` in one piece has some of the second moved into the
 * first. Then it does not leave in the pieces that it came in.
 */
export function pull(packet: Packet, until: number): void {
  if (packet.fragmentSizes === undefined || until > packet.end) return
  if (until > endOfFirst(packet)) packet.fragmentSizes = []
}

/** Where the first of its pieces ends: skb_tail_pointer. */
export function endOfFirst({ fragmentSizes: sizes, end }: Packet): number {
  return sizes === undefined ? end : end - sizes.slice(1).reduce((sum, size) => sum + size, 0)
}

/** tcp_v4_early_demux, tcp_v6_early_demux: before a TCP packet is routed, a socket is looked for that it may be for. */
export function pullForEarlyDemux(packet: Packet): void {
  pull(packet, packet.transport + TCP_HEADER)
}
