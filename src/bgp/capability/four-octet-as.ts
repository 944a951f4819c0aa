/** AS numbers of four octets: RFC 6793 §3. The data are the speaker's own number, which may not fit into the OPEN's field. */
import { ofU32, u32 } from '../octets.ts'
import type { CapabilityCodec } from './capability.ts'

export const fourOctetAs: CapabilityCodec<number> = {
  code: 65,
  decode: (data) => (data.length === 4 ? u32(data, 0) : undefined),
  encode: (as) => ofU32(as),
  show: String,
}
