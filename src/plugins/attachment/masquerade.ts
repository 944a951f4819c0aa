/**
 * Masquerade: packets of a container that leave its subnet get an address of the node, `ipMasq` of bridge and ptp.
 *
 * By default it is one element in a table of our own: masquerade-set.ts. It is the reference's iptables rules
 * (masquerade-iptables.ts) where the configuration says so, where the network has some already, or where the node has no
 * nftables. What the reference left is removed with the container: masquerade-reference.ts.
 */
import { CniCode, CniError, invalid } from '../../cni/errors.ts'
import type { Host } from '../../cni/host.ts'
import type { Attachment } from '../../cni/plugin.ts'
import type { Undo } from '../../cni/rollback.ts'
import { isErrno } from '../../kernel/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { markOf, markPrefix } from './mark.ts'
import { addIptablesMasquerade, checkIptablesMasquerade, findIptables, NO_NFTABLES } from './masquerade-iptables.ts'
import {
  hasReferenceSet,
  removeReferenceRules,
  removeReferenceSet,
  usesReferenceRules,
} from './masquerade-reference.ts'
import { addElements, missingElements, removeElements, removeStaleElements } from './masquerade-set.ts'
import type { Masqueraded } from './masqueraded.ts'

export type MasqueradeBackend = 'nftables' | 'iptables'

/** CniError for a name that is none. Only ADD asks: a wrong name must not keep DEL from cleaning up. */
export function parseBackend(name: string | undefined): MasqueradeBackend | undefined {
  if (name === undefined || name === 'nftables' || name === 'iptables') return name
  throw invalid(`Cannot use "ipMasqBackend" "${name}": use "nftables" or "iptables", or leave it out`)
}

export function addMasquerade(
  kernel: Kernel,
  host: Host,
  whose: Masqueraded,
  backend: MasqueradeBackend | undefined,
  undo: Undo,
): void {
  undo(() => removeMasquerade(kernel, host, whose))
  if (backend === 'iptables' || (backend === undefined && usesReferenceRules(kernel, host, whose))) {
    addIptablesMasquerade(kernel, host, whose)
    return
  }
  try {
    addElements(kernel, markOf(whose.network, whose), whose.addresses)
  } catch (cause) {
    if (!isErrno(cause, ...NO_NFTABLES)) throw cause
    if (backend === 'nftables' || !findIptables(host, 'ipv4')) {
      const reason = (cause as Error).message
      throw new CniError(CniCode.failed, `Cannot masquerade with nftables: ${reason}`, { cause })
    }
    addIptablesMasquerade(kernel, host, whose)
  }
}

/** What is missing, in words. */
export function checkMasquerade(
  kernel: Kernel,
  host: Host,
  whose: Masqueraded,
  backend: MasqueradeBackend | undefined,
): string[] {
  if (backend === 'iptables') return checkIptablesMasquerade(host, whose)
  if (hasReferenceSet(kernel, host, whose)) return []
  const missing = missingOnNode(kernel, whose)
  if (missing === undefined) return checkIptablesMasquerade(host, whose)
  const mayBeIptables = backend === undefined && missing.length > 0 && usesReferenceRules(kernel, host, whose)
  return mayBeIptables ? checkIptablesMasquerade(host, whose) : missing
}

/** Undefined where the node has no nftables. */
function missingOnNode(kernel: Kernel, whose: Masqueraded): string[] | undefined {
  try {
    return missingElements(kernel, markOf(whose.network, whose), whose.addresses)
  } catch (error) {
    if (isErrno(error, ...NO_NFTABLES)) return undefined
    throw error
  }
}

/** All that may be there for the attachment, of whatever kind; `addresses` may be empty when they are not known. */
export function removeMasquerade(kernel: Kernel, host: Host, whose: Masqueraded): void {
  whereNftables(() => {
    removeElements(kernel.nftables, markOf(whose.network, whose), whose.addresses)
    removeReferenceSet(kernel, host, whose)
  })
  removeReferenceRules(kernel, host, whose.network, (containerId) => containerId === whose.containerId)
}

/** What belongs to none of the valid attachments of the network. */
export function removeStaleMasquerade(kernel: Kernel, host: Host, network: string, valid: readonly Attachment[]): void {
  whereNftables(() => {
    const marks = new Set(valid.map((attachment) => markOf(network, attachment)))
    removeStaleElements(kernel.nftables, markPrefix(network), marks)
  })
  const containers = new Set(valid.map(({ containerId }) => containerId))
  removeReferenceRules(kernel, host, network, (containerId) => !containers.has(containerId))
}

/** Without nftables there is nothing in it to remove. */
function whereNftables(remove: () => void): void {
  try {
    remove()
  } catch (error) {
    if (!isErrno(error, ...NO_NFTABLES)) throw error
  }
}
