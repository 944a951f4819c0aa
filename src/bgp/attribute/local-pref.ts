/** LOCAL_PREF: RFC 4271 §5.1.5. */
import { ofU32, u32 } from '../octets.ts'
import { type AttributeCodec, fromOutside, WELL_KNOWN } from './attribute.ts'
import { requireLength } from './length.ts'

export const localPref: AttributeCodec<number> = {
  code: 5,
  name: 'LOCAL_PREF',
  flags: WELL_KNOWN,
  damaged: 'treat-as-withdraw',
  unwanted: fromOutside,
  decode(value) {
    requireLength('LOCAL_PREF', value, 4)
    return u32(value, 0)
  },
  encode: (preference) => ofU32(preference),
  show: String,
}
