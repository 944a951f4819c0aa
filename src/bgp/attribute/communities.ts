/** COMMUNITIES: RFC 1997; the well-known ones: IANA "BGP Well-known Communities". */
import { ofU32, u32 } from '../octets.ts'
import { type AttributeCodec, OPTIONAL_TRANSITIVE } from './attribute.ts'
import { requireMultiple } from './length.ts'

/** The AS in the upper 16 bits, its value in the lower. */
export type Community = number

export const WellKnown = {
  /** RFC 8326. */
  'graceful-shutdown': 0xffff_0000,
  /** RFC 7611. */
  'accept-own': 0xffff_0001,
  /** RFC 9494. */
  'llgr-stale': 0xffff_0006,
  'no-llgr': 0xffff_0007,
  /** RFC 7999. */
  blackhole: 0xffff_029a,
  /** RFC 1997. */
  'no-export': 0xffff_ff01,
  'no-advertise': 0xffff_ff02,
  'no-export-subconfed': 0xffff_ff03,
  /** RFC 3765. */
  nopeer: 0xffff_ff04,
} as const

const NAMES: ReadonlyMap<Community, string> = new Map(Object.entries(WellKnown).map(([name, value]) => [value, name]))

export const communities: AttributeCodec<readonly Community[]> = {
  code: 8,
  name: 'COMMUNITIES',
  flags: OPTIONAL_TRANSITIVE,
  damaged: 'treat-as-withdraw',
  decode(value) {
    requireMultiple('COMMUNITIES', value, 4)
    const list: Community[] = []
    for (let at = 0; at < value.length; at += 4) list.push(u32(value, at))
    return list
  },
  encode: (list) => ofU32(...list),
  show: (list) => list.map(formatCommunity).join(' '),
}

/** `65000:100`, or the name of a well-known one. */
export function formatCommunity(community: Community): string {
  return NAMES.get(community) ?? `${community >>> 16}:${community & 0xffff}`
}

/** Reads what formatCommunity writes, and well-known ones also as numbers. Throws RangeError for anything else. */
export function parseCommunity(text: string): Community {
  if (Object.hasOwn(WellKnown, text)) return WellKnown[text as keyof typeof WellKnown]
  const [, as, value] = /^(\d{1,5}):(\d{1,5})$/.exec(text) ?? []
  if (as === undefined || Number(as) > 0xffff || Number(value) > 0xffff) {
    throw new RangeError(`Cannot parse "${text}" as a community: it is two numbers up to 65535, or a well-known name`)
  }
  return Number(as) * 0x1_0000 + Number(value)
}
