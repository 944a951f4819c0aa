/**
 * A flow's number: skb_get_hash, net/core/flow_dissector.c. Linux mixes addresses and ports with a key drawn at boot; both
 * directions of a flow have the same. Here the seed of the model is the key.
 */
import { u16, u32 } from '../bytes.ts'
import type { Packet } from '../packet.ts'

const TCP = 6
const UDP = 17
const IPV4_FRAGMENT = 0x3fff

/** Of the packet at `packet.network`, whose EtherType is `protocol`; never 0. */
export function flowHash({ bytes, view, network, end }: Packet, protocol: number, key: number): number {
  let hash = key | 0
  if (protocol === 0x0800 && end >= network + 20 && (view.getUint8(network) & 15) >= 5) {
    const next = view.getUint8(network + 9)
    hash = mixPair(hash, view.getUint32(network + 12), view.getUint32(network + 16))
    hash = mix(hash, next)
    const transport = network + 4 * (view.getUint8(network) & 15)
    const isWhole = (view.getUint16(network + 6) & IPV4_FRAGMENT) === 0
    if (isWhole && (next === TCP || next === UDP) && end >= transport + 4) {
      hash = mixPair(hash, view.getUint16(transport), view.getUint16(transport + 2))
    }
  } else if (protocol === 0x86dd && end >= network + 40) {
    hash = mixAddresses6(hash, bytes, network)
    const next = bytes[network + 6]!
    hash = mix(hash, next)
    const label = u32(bytes, network) & 0xfffff
    // FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL: a label stands for the ports.
    if (label !== 0) hash = mix(hash, label)
    else if ((next === TCP || next === UDP) && end >= network + 44) {
      hash = mixPair(hash, u16(bytes, network + 40), u16(bytes, network + 42))
    }
  } else hash = mix(hash, protocol) // ARP too, and what is cut off: of such a protocol all is one flow
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0 || 1
}

/** The same whichever of the two comes first. */
function mixPair(hash: number, a: number, b: number): number {
  return mix(mix(hash, Math.min(a, b)), Math.max(a, b))
}

/** Of IPv6: the smaller address as a whole first. */
function mixAddresses6(hash: number, bytes: Uint8Array, network: number): number {
  const [source, destination] = [network + 8, network + 24]
  let i = 0
  while (i < 15 && bytes[source + i] === bytes[destination + i]) i++
  const isSorted = bytes[source + i]! <= bytes[destination + i]!
  return mixWords(mixWords(hash, bytes, isSorted ? source : destination), bytes, isSorted ? destination : source)
}

function mixWords(hash: number, bytes: Uint8Array, at: number): number {
  let mixed = hash
  for (let i = 0; i < 16; i += 4) mixed = mix(mixed, u32(bytes, at + i))
  return mixed
}

/** A round of MurmurHash3. */
function mix(hash: number, value: number): number {
  const part = Math.imul(value, 0xcc9e2d51)
  const mixed = hash ^ Math.imul((part << 15) | (part >>> 17), 0x1b873593)
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}
