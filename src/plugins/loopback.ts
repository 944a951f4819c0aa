/**
 * loopback: sets the container's own `lo` up. Behaves as the plugin of the same name in
 * https://github.com/containernetworking/plugins
 *
 *   container  lo  127.0.0.1/8  ::1/128
 *
 * The kernel gives `lo` its addresses when it comes up. CNI_IFNAME is not asked: there is one loopback interface.
 */
import { getContainer, interfaceOf, openContainer } from '../cni/container.ts'
import { CniCode, CniError } from '../cni/errors.ts'
import type { CniIp, NetworkConfig, Plugin } from '../cni/plugin.ts'
import { withRollback } from '../cni/rollback.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Link } from '../kernel/link.ts'

const NAME = 'lo'

export const loopback: Plugin<NetworkConfig> = {
  name: 'loopback',

  parseConfig: (config) => config,

  add(request, { kernel }) {
    const container = openContainer(request, kernel)
    return withRollback((undo) => {
      if (!requireLoopback(container).up) undo(() => container.links.set(NAME, { up: false }))
      container.links.set(NAME, { up: true })
      const addresses = listAddresses(container)
      refuseForeign(addresses)
      if (request.config.prevResult) return request.config.prevResult
      const firsts = [addresses.find((address) => !isIpv6(address)), addresses.find(isIpv6)]
      const ips: CniIp[] = firsts
        .filter((address) => address !== undefined)
        .map((address) => ({ address, interface: 0 }))
      return { interfaces: [interfaceOf(requireLoopback(container), request.netns)], ips, routes: [], dns: {} }
    })
  },

  check(request, { kernel }) {
    const container = openContainer(request, kernel)
    const link = requireLoopback(container)
    if (!link.up) throw broken('it is down; set it up')
    const addresses = listAddresses(container)
    refuseForeign(addresses)
    for (const { address, interface: index } of request.config.prevResult?.ips ?? []) {
      const promised = index !== undefined && request.config.prevResult?.interfaces[index]
      if (!promised || promised.name !== NAME || promised.sandbox !== request.netns) continue
      if (!addresses.includes(address)) throw broken(`it has lost its address ${address}`)
    }
  },

  del(request, { kernel }) {
    getContainer(request, kernel)?.links.set(NAME, { up: false })
  },
}

function requireLoopback(container: Kernel): Link {
  const link = container.links.get(NAME)
  if (link) return link
  throw new CniError(CniCode.failed, `Cannot find interface "${NAME}" in "${container.namespacePath}"`)
}

/** In the kernel's order, IPv4 first. */
function listAddresses(container: Kernel): string[] {
  return container.addresses.list(NAME).map(({ prefix }) => prefix)
}

/** An address of the outside world on `lo` would make the container answer for it. */
function refuseForeign(addresses: readonly string[]): void {
  const foreign = addresses.find((address) => !isLoopback(address))
  if (foreign === undefined) return
  throw new CniError(
    CniCode.conflict,
    `Cannot use interface "${NAME}": it has address ${foreign}, which is none of 127.0.0.0/8 and ::1; remove it`,
  )
}

/** 127.0.0.0/8, RFC 1122 §3.2.1.3, and ::1, RFC 4291 §2.5.3. */
function isLoopback(address: string): boolean {
  return isIpv6(address) ? address.startsWith('::1/') : address.startsWith('127.')
}

function isIpv6(address: string): boolean {
  return address.includes(':')
}

function broken(reason: string): CniError {
  return new CniError(CniCode.notAsPromised, `Interface "${NAME}" is not as ADD left it: ${reason}`)
}
