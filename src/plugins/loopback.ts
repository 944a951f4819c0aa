/**
 * loopback: sets the container's own `lo` up. Behaves as the plugin of the same name in
 * https://github.com/containernetworking/plugins
 *
 *   container  lo  127.0.0.1/8  ::1/128
 *
 * The kernel gives `lo` its addresses when it comes up. CNI_IFNAME is not asked: there is one loopback interface. The
 * reference prints a result of its own in the newest shape whatever version the configuration names, and so do we:
 * runtimes of old configurations have never seen another. Only where none is named it is the oldest.
 */
import { getContainer, interfaceOf, openContainer } from '../cni/container.ts'
import { CniCode, CniError } from '../cni/errors.ts'
import type { NetworkConfig, Plugin } from '../cni/plugin.ts'
import { emptyResult } from '../cni/result.ts'
import { withRollback } from '../cni/rollback.ts'
import { newestVersion } from '../cni/version.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Link } from '../kernel/link.ts'

const NAME = 'lo'

export const loopback: Plugin<NetworkConfig> = {
  name: 'loopback',

  parseConfig: (config) => config,

  add(request, { kernel }) {
    const container = openContainer(request, kernel)
    return withRollback((undo) => {
      const link = requireLoopback(container)
      if (!link.up) {
        undo(() => container.links.set(NAME, { up: false }))
        container.links.set(NAME, { up: true })
      }
      const addresses = listAddresses(container)
      const foreign = addresses.find((address) => !isLoopback(address))
      if (foreign !== undefined) {
        throw new CniError(
          CniCode.conflict,
          `Cannot use "${NAME}": it has the address ${foreign}, remove what is not of 127.0.0.0/8 or ::1`,
        )
      }
      if (request.config.prevResult) return request.config.prevResult
      const firsts = [addresses.find((address) => !isIpv6(address)), addresses.find(isIpv6)]
      return {
        interfaces: [interfaceOf(link, request.netns)],
        ips: firsts.filter((address) => address !== undefined).map((address) => ({ address, interface: 0 })),
        routes: [],
        dns: {},
        ...(request.config.json.string('cniVersion') && { shape: newestVersion }),
      }
    })
  },

  check(request, { kernel }) {
    const container = openContainer(request, kernel)
    if (!requireLoopback(container).up) throw broken('it is down')
    const addresses = listAddresses(container)
    const { interfaces, ips } = request.config.prevResult ?? emptyResult
    for (const { address, interface: index } of ips) {
      const promised = index === undefined ? undefined : interfaces[index]
      if (promised?.name !== NAME || promised.sandbox !== request.netns) continue
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
  throw new CniError(
    CniCode.failed,
    `Cannot find "${NAME}" in "${container.namespacePath}": is it a network namespace of Linux?`,
  )
}

/** In the kernel's order, IPv4 first. */
function listAddresses(container: Kernel): string[] {
  return container.addresses.list(NAME).map(({ prefix }) => prefix)
}

/** 127.0.0.0/8, RFC 1122 §3.2.1.3, and ::1, RFC 4291 §2.5.3. */
function isLoopback(address: string): boolean {
  return isIpv6(address) ? address.startsWith('::1/') : address.startsWith('127.')
}

function isIpv6(address: string): boolean {
  return address.includes(':')
}

function broken(reason: string): CniError {
  return new CniError(CniCode.notAsPromised, `Cannot confirm what ADD promised: "${NAME}" is not as it was, ${reason}`)
}
