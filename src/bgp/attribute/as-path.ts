/**
 * AS_PATH: RFC 4271 §4.3 and §5.1.2; four-octet numbers: RFC 6793.
 *
 *   segment: | type (1): 1 set, 2 sequence | how many (1) | AS numbers, of two or four octets each |
 *
 * Segments of confederations (3 and 4) come from peers of the own confederation only. We are in none, so they are damage:
 * RFC 5065 §5.
 */
import { UpdateError, updateError } from '../errors.ts'
import { setU16, setU32, u16, u32 } from '../octets.ts'
import { type AttributeCodec, WELL_KNOWN } from './attribute.ts'

export interface AsSegment {
  readonly type: 'set' | 'sequence'
  /** 1 to 255 on the wire; longer sequences are written as several. */
  readonly numbers: readonly number[]
}

/** The AS that was passed last comes first. Empty within the AS of origin. */
export type AsPath = readonly AsSegment[]

/** Stands in two octets for an AS number of four: RFC 6793 §9. */
export const AS_TRANS = 23456

const MAX_SEGMENT = 255
const SET = 1
const SEQUENCE = 2
export const CONFED_SEQUENCE = 3
export const CONFED_SET = 4

export const asPath: AttributeCodec<AsPath> = {
  code: 2,
  name: 'AS_PATH',
  flags: WELL_KNOWN,
  damaged: 'treat-as-withdraw',
  decode(value, { as4, asSets }) {
    const path = decodeSegments(value, as4 ? 4 : 2)
    if (hasAsZero(path)) throw malformed('AS 0 is nobody (RFC 7607)')
    if (asSets === 'withdraw' && path.some(({ type }) => type === 'set')) throw malformed('an AS_SET (RFC 9774)')
    return path
  },
  encode: (path, { as4 }) => encodeSegments(path, as4 ? 4 : 2),
  show: formatAsPath,
}

/**
 * Throws BgpError 3/11 for what is no path. `skipped` are types of segments that are left out, others than set and sequence
 * being damage.
 */
export function decodeSegments(value: Uint8Array, width: 2 | 4, skipped: readonly number[] = []): AsPath {
  const path: AsSegment[] = []
  for (let at = 0; at < value.length; ) {
    const type = value[at]!
    const count = value[at + 1]
    if (count === undefined) throw malformed('an octet is left over')
    if (count === 0) throw malformed('a segment without AS numbers')
    const end = at + 2 + count * width
    if (end > value.length) throw malformed(`a segment of ${count} AS numbers in ${value.length - at - 2} octets`)
    if (type === SET || type === SEQUENCE) {
      const numbers: number[] = []
      for (at += 2; at < end; at += width) numbers.push(width === 4 ? u32(value, at) : u16(value, at))
      path.push({ type: type === SET ? 'set' : 'sequence', numbers })
    } else if (!skipped.includes(type)) throw malformed(`segment type ${type}`)
    at = end
  }
  return path
}

/** With two octets a number, AS_TRANS stands for those that do not fit. */
export function encodeSegments(path: AsPath, width: 2 | 4): Uint8Array {
  const parts = path.flatMap(({ type, numbers }) => {
    const list: { readonly type: number; readonly numbers: readonly number[] }[] = []
    for (let i = 0; i < numbers.length; i += MAX_SEGMENT) {
      list.push({ type: type === 'set' ? SET : SEQUENCE, numbers: numbers.slice(i, i + MAX_SEGMENT) })
    }
    return list
  })
  const value = new Uint8Array(parts.reduce((size, { numbers }) => size + 2 + numbers.length * width, 0))
  let at = 0
  for (const { type, numbers } of parts) {
    value[at++] = type
    value[at++] = numbers.length
    for (const as of numbers) {
      if (width === 4) setU32(value, at, as)
      else setU16(value, at, as > 0xffff ? AS_TRANS : as)
      at += width
    }
  }
  return value
}

/** Its length in the decision process: a set counts 1, however many are in it (§9.1.2.2 a). */
export function asPathLength(path: AsPath): number {
  let length = 0
  for (const { type, numbers } of path) length += type === 'set' ? 1 : numbers.length
  return length
}

/** How often an AS stands in the path. */
export function countAs(path: AsPath, as: number): number {
  let count = 0
  for (const { numbers } of path) for (const each of numbers) if (each === as) count++
  return count
}

/** The AS of the neighbour that the route came from; undefined for a path that is empty or starts with a set (§9.1.2.2 c). */
export function neighbourAs(path: AsPath): number | undefined {
  const first = path[0]
  return first?.type === 'sequence' ? first.numbers[0] : undefined
}

/** The AS in which the route began; undefined for a path that is empty or ends with a set. */
export function originAs(path: AsPath): number | undefined {
  const last = path.at(-1)
  return last?.type === 'sequence' ? last.numbers.at(-1) : undefined
}

/** The path with an AS in front of it, so many times: §5.1.2 b. */
export function prepend(path: AsPath, as: number, times = 1): AsPath {
  const numbers = new Array<number>(times).fill(as)
  const [first, ...rest] = path
  // "If the act of prepending will cause an overflow in the AS_PATH segment", a new one is put before it.
  if (first?.type !== 'sequence' || first.numbers.length + times > MAX_SEGMENT) {
    return [{ type: 'sequence', numbers }, ...path]
  }
  return [{ type: 'sequence', numbers: [...numbers, ...first.numbers] }, ...rest]
}

/** `65001 65002 {65003,65004}`. */
export function formatAsPath(path: AsPath): string {
  return path.map(({ type, numbers }) => (type === 'set' ? `{${numbers.join(',')}}` : numbers.join(' '))).join(' ')
}

export function hasAsZero(path: AsPath): boolean {
  return path.some(({ numbers }) => numbers.includes(0))
}

function malformed(reason: string): Error {
  return updateError(UpdateError.malformedAsPath, reason)
}
