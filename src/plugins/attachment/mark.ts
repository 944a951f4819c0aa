/**
 * Marks: the comment of what nftables holds for an attachment, `blue 4f2a… eth0`, by which DEL and GC find it again
 * without a file that says so.
 */
import { fnv1a } from '../../cni/hash.ts'
import type { Attachment } from '../../cni/plugin.ts'

/** nft takes comments of 128 bytes: 46 + 64 + 15 and two spaces. A container id is most often 64 hex digits. */
const NETWORK_LENGTH = 46
const CONTAINER_LENGTH = 64

/** The characters of network names and container ids are ASCII: cni/config.ts. */
export function markOf(network: string, { containerId, ifName }: Attachment): string {
  return `${markPrefix(network)}${shortened(containerId, CONTAINER_LENGTH)} ${ifName}`
}

/** How the marks of the network start. */
export function markPrefix(network: string): string {
  return `${shortened(network, NETWORK_LENGTH)} `
}

/** A name that is too long ends in its hash instead. "~" is in no name. */
function shortened(name: string, length: number): string {
  return name.length <= length ? name : `${name.slice(0, length - 17)}~${fnv1a(name)}`
}
