/**
 * Which of our addresses is taken: ipv6_dev_get_saddr, net/ipv6/addrconf.c, RFC 6724 §5; which addresses are ours:
 * ipv6_chk_addr, ipv6_get_ifaddr.
 */
import { parsePrefix } from '../../address/prefix.ts'
import { sameBytes } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import { AddressScope, commonBits, hasPrefix, isLinkLocal, isMulticast, scopeNumberOf } from './address.ts'
import type { Ipv6Address } from './device.ts'

/** ip6addrlbl_init_table, in the order of a lookup: the longest prefix first. */
const LABELS = (
  [
    ['::1/128', 0],
    ['::ffff:0:0/96', 4],
    ['::/96', 3],
    ['2001::/32', 6],
    ['2001:10::/28', 7],
    ['2002::/16', 2],
    ['3ffe::/16', 12],
    ['fec0::/10', 11],
    ['fc00::/7', 5],
    ['::/0', 1],
  ] as const
).map(([prefix, label]) => ({ ...parsePrefix(prefix), label }))

function labelOf(address: Uint8Array): number {
  return LABELS.find((row) => hasPrefix(address, 0, row.address, row.length))!.label
}

/** ipv6_get_ifaddr: our address at `at`, tentative or not. With a device: of that device. */
export function findAddress(
  namespace: Namespace,
  bytes: Uint8Array,
  at: number,
  device?: Device,
): Ipv6Address | undefined {
  const devices = device ? [device] : namespace.devices.list()
  for (const { ipv6 } of devices) {
    const found = ipv6.addresses.find((each) => sameBytes(bytes, at, each.address, 0, 16))
    if (found) return found
  }
  return undefined
}

/** ipv6_chk_addr: whether it is ours and may be used; a link-local one must be the device's own. */
export function isOurs(namespace: Namespace, bytes: Uint8Array, at: number, device?: Device): boolean {
  const found = findAddress(namespace, bytes, at, isLinkLocal(bytes, at) ? device : undefined)
  return found !== undefined && !found.tentative
}

/** ipv6_get_lladdr: a link-local address that is no longer tentative. */
export function linkLocalOf({ ipv6 }: Device): Uint8Array | undefined {
  return ipv6.addresses.findLast(({ address, tentative }) => !tentative && isLinkLocal(address))?.address
}

/** The rules of RFC 6724 that can tell our addresses apart, each as a number of which the greater is better. */
function scoreOf(address: Ipv6Address, device: Device, output: Device | undefined, destination: Uint8Array): number[] {
  const scope = scopeNumberOf(address.address)
  const wanted = scopeNumberOf(destination)
  const common = commonBits(address.address, destination)
  return [
    common === 128 ? 1 : 0,
    scope >= wanted ? -scope : scope - 128,
    address.deprecated === true ? 0 : 1,
    output === undefined || output === device ? 1 : 0,
    labelOf(address.address) === labelOf(destination) ? 1 : 0,
    Math.min(common, address.length),
  ]
}

/** Undefined: there is none. `output`: the device that the packet leaves by. */
export function selectAddress6(
  namespace: Namespace,
  output: Device | undefined,
  destination: Uint8Array,
): Uint8Array | undefined {
  const near = isMulticast(destination) || scopeNumberOf(destination) <= AddressScope.link
  const devices = output && near ? [output] : namespace.devices.list()
  let best: Uint8Array | undefined
  let bestScore: number[] = []
  for (const device of devices) {
    if (device.ipv6.conf.disable_ipv6 !== 0) continue
    for (const each of device.ipv6.addresses) {
      if (each.tentative) continue
      const score = scoreOf(each, device, output, destination)
      if (best && !isBetter(score, bestScore)) continue
      best = each.address
      bestScore = score
    }
  }
  return best
}

function isBetter(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, i) => value !== b[i])
  return at >= 0 && a[at]! > b[at]!
}
