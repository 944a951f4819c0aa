/** Congestion marks of a packet within a packet: RFC 6040, linux/inet_ecn.h. */
import { updateChecksum } from '../bytes.ts'
import type { Packet } from '../packet.ts'

const MASK = 3
const NOT_ECT = 0
const ECT_1 = 1
const ECT_0 = 2
const CE = 3

/** ip_tunnel_get_dsfield: type of service or traffic class of the packet at `packet.network`; 0 of other protocols. */
export function dsFieldOf({ view, network, protocol, end }: Packet): number {
  if (end <= network + 1) return 0
  if (protocol === 0x0800) return view.getUint8(network + 1)
  if (protocol === 0x86dd) return (view.getUint16(network) >> 4) & 0xff
  return 0
}

/** INET_ECN_encapsulate: the outer field, of `outer` and the inner packet's. */
export function encapsulateEcn(outer: number, inner: number): number {
  const mark = inner & MASK
  return (outer & ~MASK) | (mark === CE ? ECT_0 : mark)
}

/** INET_ECN_decapsulate: takes the outer mark over. False: the packet is to be dropped. */
export function decapsulateEcn(packet: Packet, outer: number): boolean {
  const inner = dsFieldOf(packet)
  const mark = outer & MASK
  if ((inner & MASK) === NOT_ECT) return mark !== CE
  if (mark === CE) setMark(packet, inner, CE)
  else if (mark === ECT_1) setMark(packet, inner, ECT_1)
  return true
}

/** IP_ECN_set_ce and IP_ECN_set_ect1: the latter changes ECT(0) only. */
function setMark({ bytes, network, protocol }: Packet, inner: number, mark: number): void {
  const old = inner & MASK
  if (old === mark || (mark === ECT_1 && old !== ECT_0)) return
  const field = (inner & ~MASK) | mark
  if (protocol === 0x0800) {
    const first = bytes[network]! << 8
    updateChecksum(bytes, network + 10, first | inner, first | field)
    bytes[network + 1] = field
  } else if (protocol === 0x86dd) {
    bytes[network + 1] = (bytes[network + 1]! & 0x0f) | ((field & 0x0f) << 4)
  }
}
