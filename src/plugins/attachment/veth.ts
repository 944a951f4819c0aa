/** A container's veth pair: made by ADD, taken back when it fails, and found again by GC. */
import { formatMac } from '../../address/mac.ts'
import { deleteLink } from '../../cni/container.ts'
import { CniCode, CniError } from '../../cni/errors.ts'
import type { Host } from '../../cni/host.ts'
import type { Request } from '../../cni/plugin.ts'
import { type Undo, withRollback } from '../../cni/rollback.ts'
import { isErrno } from '../../kernel/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Link } from '../../kernel/link.ts'

/** Where GC gathers stale links, to delete all of them at the cost of one. */
const STALE_GROUP = 0x6f_76_6c_67

export interface Pair {
  /** The name of the host's end. */
  readonly name: string
  /** The container's. */
  readonly mac: string
  /** The host's; the kernel's choice where left out. */
  readonly hostMac?: string
  /** 0: the kernel's. */
  readonly mtu: number
}

/** Takes back what a failed ADD did, and gives the container's handle back however it ends. */
export function closing<T>(container: Kernel, body: (undo: Undo) => T): T {
  try {
    return withRollback(body)
  } finally {
    container.close()
  }
}

/** Makes the veth pair, the container's end in its namespace; answers the host's end. */
export function addPair(
  { ifName, netns }: Request<unknown>,
  kernel: Kernel,
  container: Kernel,
  { name, mac, hostMac, mtu: bytes }: Pair,
): Link {
  const mtu = bytes === 0 ? {} : { mtu: bytes }
  const peer = { name: ifName, namespace: container, mac, ...mtu }
  const own = { name, up: true, txQueueLength: 0, ...(hostMac !== undefined && { mac: hostMac }), ...mtu }
  const add = () => kernel.links.add({ kind: 'veth', ...own, peer })
  try {
    return add()
  } catch (cause) {
    if (!isErrno(cause, 'EEXIST')) throw cause
    if (container.links.get(ifName)) {
      const message = `Cannot add "${ifName}" in ${netns}: there is a link of that name. Call DEL first`
      throw new CniError(CniCode.conflict, message, { cause })
    }
    // The pair of the same attachment in a namespace that is gone, or that the kernel has not got round to removing.
    deleteLink(kernel, name)
    return add()
  }
}

/** Removes the veth links of the node that `isStale` says. */
export function removeStaleLinks(kernel: Kernel, isStale: (link: Link) => boolean): void {
  const stale = kernel.links.list().filter((link) => link.kind === 'veth' && isStale(link))
  if (stale.length === 0) return
  for (const { name } of stale) {
    try {
      kernel.links.set(name, { group: STALE_GROUP })
    } catch (error) {
      if (!isErrno(error, 'ENODEV')) throw error // its container's DEL came first
    }
  }
  kernel.links.deleteGroup(STALE_GROUP)
}

/** Locally administered and of one host: IEEE 802, the two lowest bits of the first byte. */
export function randomMac(host: Host): string {
  const bytes = host.random(6)
  bytes[0] = (bytes[0]! & 0xfc) | 2
  return formatMac(bytes)
}
