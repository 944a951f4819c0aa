/**
 * BGP identifiers: "a 4-octet, unsigned, non-zero integer" (RFC 6286 §2.1), written like an IPv4 address. A number here, since
 * the decision process and the resolution of collisions compare them. CLUSTER_IDs are of the same kind (RFC 4456 §7).
 */
import { formatIpv4, readIpv4 } from '../address/ipv4.ts'
import { ofU32, u32 } from './octets.ts'

export type BgpId = number

export function formatBgpId(id: BgpId): string {
  return formatIpv4(ofU32(id))
}

/** Throws RangeError when the text is no identifier. */
export function parseBgpId(text: string): BgpId {
  const bytes = readIpv4(text)
  if (!bytes) throw new RangeError(`Cannot parse "${text}" as a BGP identifier`)
  return u32(bytes, 0)
}
