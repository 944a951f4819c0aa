/**
 * Checksums of a frame when bytes below them change. A wrong sum stays as wrong as it was: what the change makes of it
 * is computed (RFC 1624), not what would be right.
 */

import { sum } from '../wire/checksum.ts'
import { icmpHeader } from '../wire/icmp.ts'
import { icmpv6Header } from '../wire/icmpv6.ts'
import { ipv4Header } from '../wire/ipv4.ts'
import { tcpHeader } from '../wire/tcp.ts'
import { udpHeader } from '../wire/udp.ts'
import { type Layer, wordAt } from './layers.ts'

interface Sum {
  readonly at: number
  readonly isUdp: boolean
  /** What it covers: first byte, and the one behind. */
  readonly parts: readonly (readonly [number, number])[]
}

/** Makes the checksums of `changed` follow `original`, whose layers these are; where a sum can be 0 and 0xffff, as `found` has it. */
export function carrySums(
  original: Uint8Array,
  changed: Uint8Array,
  found: Uint8Array,
  layers: readonly Layer[],
): void {
  // Inner ones first: a packet in a tunnel is part of what the outer sum covers.
  for (const layer of layers.toReversed()) {
    const covered = sumOf(layer)
    if (!covered || covered.at + 2 > covered.parts.at(-1)![1]) continue
    const { at, isUdp } = covered
    const old = wordAt(original, at)
    if (isUdp && old === 0) continue
    const before = total(original, covered)
    const after = total(changed, covered)
    if (before === after) continue
    let updated = ~fold((~old & 0xffff) + after + (0xffff - before)) & 0xffff
    if (isUdp && updated === 0) updated = 0xffff
    const theirs = wordAt(found, at)
    if (!isUdp && isZero(updated) && isZero(theirs)) updated = theirs
    changed[at] = updated >> 8
    changed[at + 1] = updated & 0xff
  }
}

/** In one's complement there are two. */
const isZero = (word: number) => word === 0 || word === 0xffff

function sumOf({ protocol, at, behind, end, addresses = [0, 0] }: Layer): Sum | undefined {
  switch (protocol) {
    case 'ipv4':
      return { at: at + ipv4Header.offsets.checksum, isUdp: false, parts: [[at, behind]] }
    case 'udp':
      return { at: at + udpHeader.offsets.checksum, isUdp: true, parts: [addresses, [at, end]] }
    case 'tcp':
      return { at: at + tcpHeader.offsets.checksum, isUdp: false, parts: [addresses, [at, end]] }
    case 'icmp':
      return { at: at + icmpHeader.offsets.checksum, isUdp: false, parts: [[at, end]] }
    case 'icmpv6':
      return { at: at + icmpv6Header.offsets.checksum, isUdp: false, parts: [addresses, [at, end]] }
    default:
      return undefined
  }
}

function total(bytes: Uint8Array, { at, parts }: Sum): number {
  let words = 0
  for (const [start, end] of parts) words = sum(bytes.subarray(start, end), words)
  return fold(words + (0xffff - wordAt(bytes, at)))
}

function fold(words: number): number {
  let folded = words
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16)
  return folded
}
