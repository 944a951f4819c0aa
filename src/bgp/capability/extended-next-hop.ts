/** Next hops of another family: RFC 8950 §4. | AFI of the NLRI (2) | SAFI (2) | AFI of the next hop (2) |, repeated. */
import { type AfiSafi, formatAfiSafi } from '../family.ts'
import { joined, ofU16, u16 } from '../octets.ts'
import { type CapabilityCodec, entries } from './capability.ts'

export interface ExtendedNextHop extends AfiSafi {
  readonly nextHopAfi: number
}

export const extendedNextHop: CapabilityCodec<readonly ExtendedNextHop[]> = {
  code: 5,
  decode: (data) =>
    entries(data, 6, (entry) => ({ afi: u16(entry, 0), safi: u16(entry, 2), nextHopAfi: u16(entry, 4) })),
  encode: (list) => joined(list.flatMap(({ afi, safi, nextHopAfi }) => [afi, safi, nextHopAfi].map(ofU16))),
  show: (list) => list.map((each) => `${formatAfiSafi(each)} over afi ${each.nextHopAfi}`).join(', '),
}
