/**
 * Identifications of packets that no socket counts for: ip_idents_reserve, net/ipv4/route.c. A counter for each of many
 * buckets of (source, destination, protocol), each of which begins anywhere.
 */
import type { Random } from '../random.ts'

const BUCKETS = 2048
const UNUSED = -1

export class Identifications {
  readonly #counters = new Int32Array(BUCKETS).fill(UNUSED)

  /** __ip_select_ident */
  next(random: Random, source: number, destination: number, protocol: number): number {
    const mixed = source ^ Math.imul(destination, 0x9e3779b1) ^ Math.imul(protocol, 0x85ebca6b)
    const bucket = Math.imul(mixed, 0xc2b2ae35) >>> 21
    const counter = this.#counters[bucket]!
    const identification = counter === UNUSED ? random.bits('ipId') >>> 16 : counter
    this.#counters[bucket] = (identification + 1) & 0xffff
    return identification
  }
}
