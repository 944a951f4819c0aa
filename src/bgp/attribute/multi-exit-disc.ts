/** MULTI_EXIT_DISC: RFC 4271 §5.1.4. */
import { ofU32, u32 } from '../octets.ts'
import { type AttributeCodec, OPTIONAL_NON_TRANSITIVE } from './attribute.ts'
import { requireLength } from './length.ts'

export const multiExitDisc: AttributeCodec<number> = {
  code: 4,
  name: 'MULTI_EXIT_DISC',
  flags: OPTIONAL_NON_TRANSITIVE,
  damaged: 'treat-as-withdraw',
  decode(value) {
    requireLength('MULTI_EXIT_DISC', value, 4)
    return u32(value, 0)
  },
  encode: (metric) => ofU32(metric),
  show: String,
}
