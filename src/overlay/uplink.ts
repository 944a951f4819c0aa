/**
 * The link by which the other nodes know this one, flannel's external interface: which it is, and which of its addresses.
 * Behaves as flannel's pkg/ipmatch and main.go:
 *
 *   --iface            an address that a link has, or a link's name; the first that will do
 *   --iface-regex      then the first pattern that matches addresses of a link, or else its name
 *   --iface-can-reach  then the link that packets to this address leave by, and the address they have
 *   nothing of these   the link that has --public-ip, or else the default route's
 *
 * A link will do when it has an address of every family that is asked for. flannel looks once; here the daemon looks again
 * whenever links, addresses or routes change, and so it is a function of the kernel.
 */
import { familyOf, formatIp, type Ip, isOfHost, readIp } from '../address/ip.ts'
import { hostOf, type Prefix, parsePrefix } from '../address/prefix.ts'
import type { Address } from '../kernel/address.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { type Route, RouteTable } from '../kernel/route.ts'
import type { Family } from './lease.ts'
import { parsePattern } from './uplink-pattern.ts'

export interface UplinkAddress {
  /** The link's own address with its prefix length: `192.168.77.1/24`. */
  readonly address: string
  /** By which others reach the node: the same, unless it is behind address translation. */
  readonly publicIp: string
}

/** At least one of the families is there. */
export interface Uplink {
  readonly link: string
  /** Bytes. */
  readonly mtu: number
  readonly ipv4?: UplinkAddress
  readonly ipv6?: UplinkAddress
}

export interface UplinkOptions {
  /** That the network's configuration enables. */
  readonly families: readonly Family[]
  /** --iface, in order. */
  readonly interfaces: readonly string[]
  /** --iface-regex, in order. */
  readonly patterns: readonly string[]
  /** --iface-can-reach. */
  readonly canReach: string | undefined
  /** --public-ip and --public-ipv6. */
  readonly publicIp: { readonly [family in Family]?: string }
}

/** What it asks of a kernel. */
export interface UplinkKernel {
  readonly links: Pick<Kernel['links'], 'get' | 'list'>
  readonly addresses: Pick<Kernel['addresses'], 'list'>
  readonly routes: Pick<Kernel['routes'], 'list' | 'lookup'>
}

/** A link, and for some families which address is meant. */
interface Candidate {
  readonly link: string
  readonly addresses: readonly Address[]
}

/** RangeError when an option cannot be used, or no link will do: it says what was looked at. */
export function findUplink(kernel: UplinkKernel, options: UplinkOptions): Uplink {
  const { interfaces, patterns, canReach } = options
  for (const family of options.families) publicIpOf(family, options)
  const ways = [
    ...interfaces.map((text) => () => byInterface(kernel, text)),
    ...patterns.map((text) => () => byPattern(kernel, text, options.families)),
    ...(canReach === undefined ? [] : [() => byDestination(kernel, canReach)]),
  ]
  if (ways.length === 0) return uplinkOf(kernel, byDefault(kernel, options), options)
  const problems: string[] = []
  for (const way of ways) {
    try {
      return uplinkOf(kernel, way(), options)
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      problems.push(error.message)
    }
  }
  throw new RangeError(problems.join('; '))
}

/** The link that it was before will do where nothing says which: a default route goes with each fall of its link. */
export function findUplinkAgain(kernel: UplinkKernel, options: UplinkOptions, before: string | undefined): Uplink {
  try {
    return findUplink(kernel, options)
  } catch (error) {
    if (!(error instanceof RangeError) || before === undefined || !kernel.links.get(before)) throw error
    return findUplink(kernel, { ...options, interfaces: [before], patterns: [], canReach: undefined })
  }
}

function byInterface(kernel: UplinkKernel, text: string): Candidate {
  const ip = readIp(text)
  if (ip) return byAddress(kernel, ip)
  if (kernel.links.get(text)) return { link: text, addresses: [] }
  throw new RangeError(`Cannot use link "${text}": there is none; there are ${describeLinks(kernel)}`)
}

function byAddress(kernel: UplinkKernel, ip: Ip): Candidate {
  const text = formatIp(ip)
  const address = kernel.addresses.list().find(({ prefix }) => hostOf(prefix) === text)
  if (address) return { link: address.link, addresses: [address] }
  throw new RangeError(`Cannot use address ${text}: no link has it; there are ${describeLinks(kernel)}`)
}

/** Links whose addresses of all families match come first, then those with one that does, then names. */
function byPattern(kernel: UplinkKernel, text: string, families: readonly Family[]): Candidate {
  const pattern = parsePattern(text)
  const links = kernel.links.list().map(({ name }) => {
    const matching = families.map((family) =>
      usableAddresses(kernel, name, family).find(({ prefix }) => pattern.test(hostOf(prefix))),
    )
    return { link: name, addresses: matching.filter((address) => address !== undefined) }
  })
  const found =
    links.find(({ addresses }) => addresses.length === families.length) ??
    links.find(({ addresses }) => addresses.length > 0) ??
    links.find(({ link }) => pattern.test(link))
  if (found) return found
  throw new RangeError(`Cannot find a link that matches "${text}": there are ${describeLinks(kernel)}`)
}

function byDestination(kernel: UplinkKernel, text: string): Candidate {
  if (!readIp(text)) throw new RangeError(`Cannot use "${text}" as an address to reach: it is none`)
  const route = kernel.routes.lookup(text)
  const link = route && linkOf(route)
  if (link === undefined) throw new RangeError(`Cannot find a link that reaches ${text}: there is no route`)
  const source = kernel.addresses.list(link).find(({ prefix }) => hostOf(prefix) === route?.source)
  return { link, addresses: source ? [source] : [] }
}

function byDefault(kernel: UplinkKernel, options: UplinkOptions): Candidate {
  const [first, ...others] = options.families
  const publicIp = options.families.map((family) => options.publicIp[family]).find((text) => text !== undefined)
  if (publicIp !== undefined) return byAddress(kernel, readIp(publicIp)!)
  const link = defaultLink(kernel, first!)
  for (const family of others) {
    const other = defaultLink(kernel, family)
    if (other === link) continue
    throw new RangeError(
      `Cannot choose a link: the default route of ${NAMES[first!]} is by ${link}, that of ${NAMES[family]} by ${other}; choose one with --iface`,
    )
  }
  return { link, addresses: [] }
}

/** Of the default route with the lowest metric. */
function defaultLink(kernel: UplinkKernel, family: Family): string {
  const [route] = kernel.routes
    .list({ family, table: RouteTable.main })
    .filter(({ destination, type = 'unicast' }) => destination.endsWith('/0') && type === 'unicast')
    .sort((a, b) => (a.metric ?? 0) - (b.metric ?? 0))
  const link = route && linkOf(route)
  if (link !== undefined) return link
  throw new RangeError(
    `Cannot choose a link: there is no default route of ${NAMES[family]}; choose one with --iface, there are ${describeLinks(kernel)}`,
  )
}

const linkOf = ({ link, nextHops }: Route) => link ?? nextHops?.find((hop) => hop.link !== undefined)?.link

function uplinkOf(kernel: UplinkKernel, { link: name, addresses }: Candidate, options: UplinkOptions): Uplink {
  const link = kernel.links.get(name)
  if (!link) throw new RangeError(`Cannot use link "${name}": it is gone`)
  const found: { [family in Family]?: UplinkAddress } = {}
  for (const family of options.families) {
    const address =
      addresses.find(({ prefix }) => familyOf(parsePrefix(prefix).address) === family) ??
      usableAddresses(kernel, name, family)[0]
    if (!address)
      throw new RangeError(`Cannot use link "${name}": it has no address of ${NAMES[family]} that others reach`)
    found[family] = { address: address.prefix, publicIp: publicIpOf(family, options) ?? hostOf(address.prefix) }
  }
  return { link: name, mtu: link.mtu, ...found }
}

/** IFA_F_*, linux/if_addr.h. */
const TEMPORARY = 0x01
const DEPRECATED = 0x20

/** Global before link-local, permanent before those with a lifetime, lasting before temporary; else in the kernel's order. */
function usableAddresses(kernel: UplinkKernel, link: string, family: Family): Address[] {
  const rank = ({ prefix, permanent, flags }: Address) =>
    (isLinkLocal(parsePrefix(prefix)) ? 4 : 0) + (permanent ? 0 : 2) + (flags & TEMPORARY ? 1 : 0)
  return kernel.addresses
    .list(link)
    .filter(({ prefix, flags, dadFailed }) => {
      const { address } = parsePrefix(prefix)
      return familyOf(address) === family && isOfHost(address) && !(flags & DEPRECATED) && !dadFailed
    })
    .sort((a, b) => rank(a) - rank(b))
}

function isLinkLocal({ address }: Prefix): boolean {
  return address.length === 4
    ? address[0] === 169 && address[1] === 254
    : address[0] === 0xfe && (address[1]! & 0xc0) === 0x80
}

function publicIpOf(family: Family, { publicIp }: UplinkOptions): string | undefined {
  const text = publicIp[family]
  if (text === undefined) return undefined
  const ip = readIp(text)
  if (ip && familyOf(ip) === family) return formatIp(ip)
  throw new RangeError(`Cannot use "${text}" as public address: it is no ${NAMES[family]} address`)
}

const NAMES = { ipv4: 'IPv4', ipv6: 'IPv6' } as const

/** `eth0 (192.168.77.1/24), lo (no address)`. */
function describeLinks(kernel: UplinkKernel): string {
  const addresses = kernel.addresses.list()
  return kernel.links
    .list()
    .map(({ name }) => {
      const own = addresses.filter(({ link }) => link === name).map(({ prefix }) => prefix)
      return `${name} (${own.join(', ') || 'no address'})`
    })
    .join(', ')
}

/** `eth0, 192.168.77.1, MTU 1500` */
export function describeUplink({ link, mtu, ipv4, ipv6 }: Uplink): string {
  const addresses = [ipv4, ipv6].flatMap((each) => (each ? describeAddress(each) : []))
  return `${link}, ${addresses.join(' and ')}, MTU ${mtu}`
}

function describeAddress({ address, publicIp }: { readonly address: string; readonly publicIp: string }): string {
  const own = hostOf(address)
  return own === publicIp ? own : `${publicIp} (its own address is ${own})`
}
