/**
 * The MAC of a node's VXLAN device. Peers know it from the node's lease, so it stays as long as it can: the device's that is
 * there; else the one that the lease told last; else a new one.
 */
import { formatMac } from '../../address/mac.ts'
import type { Kernel } from '../../kernel/kernel.ts'

export function chooseVtepMac(
  { links }: Kernel,
  device: string,
  told: string | undefined,
  random: (length: number) => Uint8Array,
): string {
  const there = links.get(device)
  if (there?.kind === 'vxlan') return there.mac
  return told ?? newMac(random)
}

/** Unicast, locally administered. */
function newMac(random: (length: number) => Uint8Array): string {
  const bytes = random(6)
  return formatMac(bytes.map((byte, i) => (i === 0 ? (byte & 0xfe) | 0x02 : byte)))
}
