/** Labels of flows that have none: ip6_make_flowlabel, include/net/ipv6.h; RFC 6437. A hash that nobody outside can know. */
import { u16, u32 } from '../bytes.ts'
import type { Model } from '../model.ts'
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import { keyAt } from './address.ts'
import { DESTINATION_AT, HEADER_LENGTH, NEXT_HEADER_AT, NextHeader, SOURCE_AT } from './header.ts'

const LABEL_MASK = 0xfffff
const secrets = new WeakMap<Model, number>()

/** FLOWLABEL_REFLECT_*, bits of flowlabel_reflect: which answers have the label of what they answer. */
export const Reflected = { reset: 2, echoReply: 4 } as const

/** Undefined: the answer's label is its own, as it is where the packet has none. */
export function reflectedLabel({ bytes, network, device }: Packet, answer: number): number | undefined {
  if ((device.namespace.ipv6.settings.flowlabel_reflect & answer) === 0) return undefined
  return u32(bytes, network) & LABEL_MASK || undefined
}

/** The packet's addresses and the first bytes of its transport are there already. */
export function flowLabelOf({ model, ipv6 }: Namespace, { bytes, network, end }: Packet): number {
  if (ipv6.settings.auto_flowlabels === 0) return 0
  let secret = secrets.get(model)
  if (secret === undefined) {
    secret = model.random.bits('flowLabel')
    secrets.set(model, secret)
  }
  const protocol = bytes[network + NEXT_HEADER_AT]!
  let hash = secret ^ protocol
  // __flow_hash_consistentify: it is the same both ways.
  const [source, destination] = [network + SOURCE_AT, network + DESTINATION_AT]
  const isInOrder = keyAt(bytes, source) <= keyAt(bytes, destination)
  for (const from of isInOrder ? [source, destination] : [destination, source])
    for (let at = from; at < from + 16; at += 4) hash = mix(hash, u32(bytes, at))
  const at = network + HEADER_LENGTH
  // Ports; of ICMPv6 type and code.
  if (protocol === NextHeader.icmp) hash = mix(hash, u16(bytes, at))
  else if ((protocol === NextHeader.tcp || protocol === NextHeader.udp) && at + 4 <= end) {
    const [one, other] = [u16(bytes, at), u16(bytes, at + 2)]
    hash = mix(hash, one < other ? (one << 16) | other : (other << 16) | one)
  }
  return (hash ^ (hash >>> 20)) & LABEL_MASK
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}
