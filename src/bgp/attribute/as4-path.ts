/**
 * AS4_PATH: RFC 6793. The true path beside an AS_PATH with AS_TRANS in it, on sessions with two-octet numbers only.
 */
import { UpdateError, updateError } from '../errors.ts'
import {
  type AsPath,
  type AsSegment,
  asPathLength,
  CONFED_SEQUENCE,
  CONFED_SET,
  decodeSegments,
  encodeSegments,
  formatAsPath,
} from './as-path.ts'
import { type AttributeCodec, OPTIONAL_TRANSITIVE } from './attribute.ts'

export const as4Path: AttributeCodec<AsPath> = {
  code: 17,
  name: 'AS4_PATH',
  flags: OPTIONAL_TRANSITIVE,
  damaged: 'attribute discard',
  unwanted: ({ as4 }) => as4,
  decode(value) {
    // §6: too small for one segment with one number. Segments of confederations are left out of it.
    if (value.length < 6) throw updateError(UpdateError.optionalAttribute, `AS4_PATH of ${value.length} octets`)
    return decodeSegments(value, 4, [CONFED_SEQUENCE, CONFED_SET])
  },
  encode: (path) => encodeSegments(path, 4),
  show: formatAsPath,
}

/** Whether a path needs an AS4_PATH beside it where numbers have two octets: §4.2.2. */
export function needsAs4Path(path: AsPath): boolean {
  return path.some(({ numbers }) => numbers.some((as) => as > 0xffff))
}

/**
 * The path that both say, §4.2.3: AS4_PATH, and before it as much of the start of AS_PATH as speakers without RFC 6793 have
 * put in front since. An AS4_PATH longer than AS_PATH is not to be believed.
 */
export function mergedPath(path: AsPath, path4: AsPath): AsPath {
  let missing = asPathLength(path) - asPathLength(path4)
  if (missing < 0) return path
  const before: AsSegment[] = []
  for (const segment of path) {
    if (missing === 0) break
    const { type, numbers } = segment
    if (type === 'set') {
      before.push(segment)
      missing--
    } else {
      const taken = numbers.slice(0, missing)
      before.push({ type, numbers: taken })
      missing -= taken.length
    }
  }
  return joinSequences([...before, ...path4])
}

/** Neighbouring sequences are one to every reader; a segment holds no more than 255. */
function joinSequences(path: AsPath): AsPath {
  const joined: AsSegment[] = []
  for (const segment of path) {
    const last = joined.at(-1)
    if (last?.type === 'sequence' && segment.type === 'sequence') {
      joined[joined.length - 1] = { type: 'sequence', numbers: [...last.numbers, ...segment.numbers] }
    } else joined.push(segment)
  }
  return joined
}
