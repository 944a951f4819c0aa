/** ORIGIN: RFC 4271 §5.1.1. */
import { UpdateError, updateError } from '../errors.ts'
import { type AttributeCodec, WELL_KNOWN } from './attribute.ts'
import { requireLength } from './length.ts'

/** By preference: §9.1.2.2 b. */
export const ORIGINS = ['IGP', 'EGP', 'INCOMPLETE'] as const
export type Origin = (typeof ORIGINS)[number]

export const origin: AttributeCodec<Origin> = {
  code: 1,
  name: 'ORIGIN',
  flags: WELL_KNOWN,
  damaged: 'treat-as-withdraw',
  decode(value) {
    requireLength('ORIGIN', value, 1)
    const name = ORIGINS[value[0]!]
    if (!name) throw updateError(UpdateError.invalidOrigin, `ORIGIN ${value[0]}`)
    return name
  },
  encode: (name) => Uint8Array.of(ORIGINS.indexOf(name)),
  show: (name) => name,
}
