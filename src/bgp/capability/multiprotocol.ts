/** Multiprotocol extensions: RFC 4760 §8. | AFI (2) | reserved (1) | SAFI (1) |, once per family. */
import { type AfiSafi, formatAfiSafi } from '../family.ts'
import { u16 } from '../octets.ts'
import type { CapabilityCodec } from './capability.ts'

export const multiprotocol: CapabilityCodec<AfiSafi> = {
  code: 1,
  decode: (data) => (data.length === 4 ? { afi: u16(data, 0), safi: data[3]! } : undefined),
  encode: ({ afi, safi }) => Uint8Array.of(afi >> 8, afi, 0, safi),
  show: formatAfiSafi,
}
