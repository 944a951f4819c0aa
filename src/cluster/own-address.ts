/**
 * By which addresses the other nodes know this one: those of the link that a configuration names, that leads to an address, or
 * that has the default route, as the overlay finds its uplink. Each family for itself: a node may have but one.
 */
import type { Family } from '../address/ip.ts'
import { parsePrefix } from '../address/prefix.ts'
import { findUplink, type Uplink, type UplinkKernel } from '../overlay/uplink.ts'

export type OwnAddresses = { readonly [family in Family]?: OwnAddress }

export interface OwnAddress {
  /** With its prefix length. */
  readonly address: string
  readonly link: string
  /** Bytes, of the link. */
  readonly mtu: number
}

export interface OwnAddressOptions {
  readonly families: readonly Family[]
  readonly interfaces: readonly string[]
  readonly canReach: string | undefined
}

/** RangeError when there is none of any family: it says what was looked at. */
export function findOwnAddresses(kernel: UplinkKernel, options: OwnAddressOptions): OwnAddresses {
  const found: { [family in Family]?: OwnAddress } = {}
  const problems: string[] = []
  for (const family of options.families) {
    try {
      const its = ofUplink(findUplink(kernel, { ...options, families: [family], patterns: [], publicIp: {} }), family)
      if (its) found[family] = its
      else problems.push(`Cannot use a link-local address: it says nothing to nodes behind routers`)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      problems.push(error.message)
    }
  }
  if (!found.ipv4 && !found.ipv6) throw new RangeError(problems.join('; '))
  return found
}

/** undefined: it has none but a link-local one. */
function ofUplink(uplink: Uplink, family: Family): OwnAddress | undefined {
  const address = uplink[family]?.address
  if (address === undefined || isLinkLocal(address)) return undefined
  return { address, link: uplink.link, mtu: uplink.mtu }
}

/** fe80::/10 */
function isLinkLocal(prefix: string): boolean {
  const { address } = parsePrefix(prefix)
  return address.length === 16 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80
}

/** `192.168.77.1/24 (eth0) and fd00::1/64 (eth0)`. */
export function describeOwnAddresses({ ipv4, ipv6 }: OwnAddresses): string {
  return [ipv4, ipv6].flatMap((each) => (each ? `${each.address} (${each.link})` : [])).join(' and ')
}
