/** LARGE_COMMUNITY: RFC 8092. Three numbers of four octets each: the AS that gives the other two their meaning. */
import { ofU32, u32 } from '../octets.ts'
import { type AttributeCodec, OPTIONAL_TRANSITIVE } from './attribute.ts'
import { requireMultiple } from './length.ts'

export type LargeCommunity = readonly [administrator: number, value1: number, value2: number]

const SIZE = 12

export const largeCommunities: AttributeCodec<readonly LargeCommunity[]> = {
  code: 32,
  name: 'LARGE_COMMUNITY',
  flags: OPTIONAL_TRANSITIVE,
  damaged: 'treat-as-withdraw',
  decode(value) {
    requireMultiple('LARGE_COMMUNITY', value, SIZE)
    const list: LargeCommunity[] = []
    for (let at = 0; at < value.length; at += SIZE) list.push([u32(value, at), u32(value, at + 4), u32(value, at + 8)])
    return list
  },
  encode: (list) => ofU32(...list.flat()),
  show: (list) => list.map(formatLargeCommunity).join(' '),
}

/** `65000:1:2`. */
export function formatLargeCommunity(community: LargeCommunity): string {
  return community.join(':')
}

/** Throws RangeError for what formatLargeCommunity does not write. */
export function parseLargeCommunity(text: string): LargeCommunity {
  const numbers = /^\d{1,10}:\d{1,10}:\d{1,10}$/.test(text) ? text.split(':').map(Number) : []
  const [administrator, value1, value2] = numbers
  if (
    administrator === undefined ||
    value1 === undefined ||
    value2 === undefined ||
    Math.max(...numbers) > 0xffff_ffff
  ) {
    throw new RangeError(`Cannot parse "${text}" as a large community: it is three numbers up to 4294967295`)
  }
  return [administrator, value1, value2]
}
