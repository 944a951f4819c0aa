/**
 * What interface plugins do in the same way: the container's namespace, the names of a veth pair's ends, its removal, and the
 * MAC that a runtime wishes for.
 *
 *   container  CNI_IFNAME ──veth──> veth0q5d1c7aa0f  node
 */
import { formatMac, parseMac } from '../address/mac.ts'
import type { JsonObject } from '../json/json.ts'
import { isErrno } from '../kernel/errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Link } from '../kernel/link.ts'
import { type CniArgs, unusable } from './args.ts'
import { CniCode, CniError, invalid } from './errors.ts'
import { fnv1a } from './hash.ts'
import type { Attachment, CniInterface, NetworkConfig, Request } from './plugin.ts'

/** The kernel as the container sees it. CniError when there is no namespace at CNI_NETNS. */
export function openContainer(request: Request<unknown>, kernel: Kernel): Kernel {
  const container = getContainer(request, kernel)
  if (container) return container
  throw new CniError(
    CniCode.unknownContainer,
    `Cannot open CNI_NETNS "${request.netns}": nothing is there, so the container is gone or was never made`,
  )
}

/** As openContainer, but undefined when the namespace is gone or was not named: DEL goes on without. */
export function getContainer({ netns }: Request<unknown>, kernel: Kernel): Kernel | undefined {
  if (netns === '') return undefined
  try {
    return kernel.enter(netns)
  } catch (cause) {
    if (!isErrno(cause, 'EINVAL')) throw cause
    const message = `Cannot use CNI_NETNS "${netns}": it is no network namespace`
    throw new CniError(CniCode.invalidEnvironment, message, { cause })
  }
}

/** How the names of the node's ends begin: of ports of a bridge, or, as Calico's, of workloads that have a route each. */
export type VethKind = 'veth' | 'cali'

/**
 * Name of the node's end of an attachment's veth pair: `veth`, the network, the attachment, in base 32. The same attachment
 * always gets the same, so that DEL finds it when the container's namespace is gone, and GC those of its network. It has all
 * of the 15 bytes that linux/if.h's IFNAMSIZ allows: Go's plugins, whose names have 12, never choose the same.
 */
export function hostVethName(network: string, { containerId, ifName }: Attachment, kind: VethKind = 'veth'): string {
  return hostVethPrefix(network, kind) + base32(`${containerId} ${ifName}`, 7)
}

/** Whether it is the name of the node's end of some attachment to the network. */
export function isHostVethName(name: string, network: string, kind: VethKind = 'veth'): boolean {
  return name.length === 15 && name.startsWith(hostVethPrefix(network, kind))
}

/** Removes the attachment's veth pair by the container's end, or by the node's where the namespace is gone. */
export function removeVeth(
  request: Request<NetworkConfig>,
  kernel: Kernel,
  container: Kernel | undefined,
  kind: VethKind = 'veth',
): void {
  if (container && deleteLink(container, request.ifName)) return
  deleteLink(kernel, hostVethName(request.config.name, request, kind))
}

/** False when there was none. */
export function deleteLink(kernel: Kernel, name: string): boolean {
  try {
    kernel.links.delete(name)
    return true
  } catch (error) {
    if (isErrno(error, 'ENODEV')) return false
    throw error
  }
}

/** The link as a result tells of it; without `sandbox` it is on the node. */
export function interfaceOf({ name, mac, mtu }: Link, sandbox?: string): CniInterface {
  return { name, mac, mtu, ...(sandbox !== undefined && { sandbox }) }
}

/**
 * The MAC that the runtime wishes for: CNI_ARGS, overruled by the configuration's `args.cni`, overruled by `runtimeConfig`.
 * Undefined when it has no wish.
 */
export function requestedMac(args: CniArgs, json: JsonObject): string | undefined {
  return macAt(json.object('runtimeConfig')) ?? macAt(json.object('args')?.object('cni')) ?? macIn(args)
}

function macAt(json: JsonObject | undefined): string | undefined {
  const text = json?.string('mac')
  return json && text
    ? canonicalMac(text, (reason) => invalid(`Cannot use "${json.pathOf('mac')}": ${reason}`))
    : undefined
}

function macIn({ MAC: text }: CniArgs): string | undefined {
  return text ? canonicalMac(text, (reason) => unusable(`MAC: ${reason}`)) : undefined
}

function canonicalMac(text: string, refusal: (reason: string) => CniError): string {
  try {
    return formatMac(parseMac(text))
  } catch {
    throw refusal(`"${text}" is no MAC address, such as 02:42:0a:01:02:03`)
  }
}

const hostVethPrefix = (network: string, kind: VethKind) => `${kind}${base32(network, 4)}`

/** The hash's last digits, five bits each; at most seven of them. */
function base32(text: string, digits: number): string {
  const lowest36Bits = Number.parseInt(fnv1a(text).slice(-9), 16)
  return lowest36Bits.toString(32).padStart(digits, '0').slice(-digits)
}
