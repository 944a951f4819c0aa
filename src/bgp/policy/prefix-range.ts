/**
 * Which prefixes a rule means: those inside one prefix, of certain lengths; and lists of such, as routers have them.
 *
 * A test is made once and asked for every route, so it works on keys (nlri.ts), without making addresses of them.
 */
import { networkOf, type Prefix, parsePrefix } from '../../address/prefix.ts'
import type { PrefixKey } from '../nlri.ts'
import { u32 } from '../octets.ts'

export type PrefixTest = (key: PrefixKey) => boolean

/** Lengths, both included; undefined: from that of the prefix, or to that of an address. */
export interface Lengths {
  readonly min?: number | undefined
  readonly max?: number | undefined
}

/** The prefix itself and all inside it that are so long. Throws RangeError for what is no prefix, or no range of lengths. */
export function insidePrefix(cidr: string, { min, max }: Lengths): PrefixTest {
  const prefix = networkOf(parsePrefix(cidr))
  const bits = prefix.address.length * 8
  const shortest = min ?? prefix.length
  const longest = max ?? bits
  for (const length of [shortest, longest]) {
    if (!Number.isInteger(length) || length < prefix.length || length > bits) {
      throw new RangeError(
        `Cannot match lengths up to ${length} inside "${cidr}": they are from ${prefix.length} to ${bits}`,
      )
    }
  }
  if (shortest > longest) throw new RangeError(`Cannot match lengths from ${shortest} to ${longest} inside "${cidr}"`)
  return bits === 32 ? insideIpv4(prefix, shortest, longest) : insideIpv6(prefix, shortest, longest)
}

/** Throws RangeError for what is no prefix. */
export function samePrefixAs(cidr: string): PrefixTest {
  const { length } = parsePrefix(cidr)
  return insidePrefix(cidr, { min: length, max: length })
}

function insideIpv4({ address, length }: Prefix, shortest: number, longest: number): PrefixTest {
  const first = u32(address, 0) * 64
  const end = first + 2 ** (32 - length) * 64
  return (key) => {
    if (typeof key !== 'number' || key < first || key >= end) return false
    const its = key & 63
    return its >= shortest && its <= longest
  }
}

function insideIpv6({ address, length }: Prefix, shortest: number, longest: number): PrefixTest {
  const octets = length >> 3
  const mask = (0xff00 >> (length & 7)) & 0xff
  return (key) => {
    if (typeof key === 'number') return false
    const its = key.charCodeAt(0)
    if (its < shortest || its > longest) return false
    for (let i = 0; i < octets; i++) if (key.charCodeAt(i + 1) !== address[i]) return false
    return mask === 0 || (key.charCodeAt(octets + 1) & mask) === address[octets]
  }
}

/** One line of a prefix list. `ge` and `le` as routers have them: without both only the prefix itself is meant. */
export interface PrefixListEntry {
  readonly action: 'permit' | 'deny'
  readonly prefix: string
  /** At least so long; without `le` up to an address. */
  readonly ge?: number
  /** At most so long. */
  readonly le?: number
}

/** The first line that means a prefix decides; what no line means is denied. Throws RangeError as insidePrefix. */
export function inPrefixList(entries: readonly PrefixListEntry[]): PrefixTest {
  const lines = entries.map(({ action, prefix, ge, le }) => ({
    permits: action === 'permit',
    test: ge === undefined && le === undefined ? samePrefixAs(prefix) : insidePrefix(prefix, { min: ge, max: le }),
  }))
  return (key) => lines.find(({ test }) => test(key))?.permits ?? false
}
