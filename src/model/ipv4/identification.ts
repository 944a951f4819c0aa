/**
 * Identifications of packets that no socket counts for: ip_idents_reserve, net/ipv4/route.c. A counter for each of many
 * buckets of (source, destination, protocol), each of which begins anywhere.
 */
import type { Namespace } from '../namespace.ts'

const BUCKETS = 2048

const counters = new WeakMap<Namespace, Int32Array>()

/** __ip_select_ident */
export function nextIdentification(
  namespace: Namespace,
  source: number,
  destination: number,
  protocol: number,
): number {
  let buckets = counters.get(namespace)
  if (!buckets) {
    buckets = new Int32Array(BUCKETS).fill(-1)
    counters.set(namespace, buckets)
  }
  const hash =
    Math.imul(source ^ Math.imul(destination, 0x9e3779b1) ^ Math.imul(protocol, 0x85ebca6b), 0xc2b2ae35) >>> 21
  if (buckets[hash]! < 0) buckets[hash] = namespace.model.random.bits('ipId') >>> 16
  const identification = buckets[hash]!
  buckets[hash] = (identification + 1) & 0xffff
  return identification
}
