/** ATOMIC_AGGREGATE: RFC 4271 §5.1.6. It is there or not. */
import { type AttributeCodec, WELL_KNOWN } from './attribute.ts'
import { requireLength } from './length.ts'

export const atomicAggregate: AttributeCodec<true> = {
  code: 6,
  name: 'ATOMIC_AGGREGATE',
  flags: WELL_KNOWN,
  damaged: 'attribute discard',
  decode(value) {
    requireLength('ATOMIC_AGGREGATE', value, 0)
    return true
  },
  encode: () => new Uint8Array(0),
  show: () => '',
}
