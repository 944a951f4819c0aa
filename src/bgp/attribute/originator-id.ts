/** ORIGINATOR_ID: RFC 4456 §8. The identifier of the router that brought the route into the AS. */
import { type BgpId, formatBgpId } from '../bgp-id.ts'
import { ofU32, u32 } from '../octets.ts'
import { type AttributeCodec, fromOutside, OPTIONAL_NON_TRANSITIVE } from './attribute.ts'
import { requireLength } from './length.ts'

export const originatorId: AttributeCodec<BgpId> = {
  code: 9,
  name: 'ORIGINATOR_ID',
  flags: OPTIONAL_NON_TRANSITIVE,
  damaged: 'treat-as-withdraw',
  unwanted: fromOutside,
  decode(value) {
    requireLength('ORIGINATOR_ID', value, 4)
    return u32(value, 0)
  },
  encode: (id) => ofU32(id),
  show: formatBgpId,
}
