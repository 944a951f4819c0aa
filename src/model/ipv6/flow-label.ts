/** Labels of flows that have none: ip6_make_flowlabel, include/net/ipv6.h; RFC 6437. A hash that nobody outside can know. */
import { u32 } from '../bytes.ts'
import type { Model } from '../model.ts'
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import { DESTINATION_AT, HEADER_LENGTH, NEXT_HEADER_AT, NextHeader, SOURCE_AT } from './header.ts'

const LABEL_MASK = 0xfffff
const secrets = new WeakMap<Model, number>()

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
  for (let at = network + SOURCE_AT; at < network + DESTINATION_AT + 16; at += 4) hash = mix(hash, u32(bytes, at))
  const at = network + HEADER_LENGTH
  // Ports; of ICMPv6 type and code.
  if (protocol === NextHeader.icmp) hash = mix(hash, u32(bytes, at) >>> 16)
  else if ((protocol === NextHeader.tcp || protocol === NextHeader.udp) && at + 4 <= end)
    hash = mix(hash, u32(bytes, at))
  return (hash ^ (hash >>> 20)) & LABEL_MASK
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}
