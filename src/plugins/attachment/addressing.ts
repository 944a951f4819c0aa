/**
 * What an IPAM plugin's result means inside the container: settings, addresses and routes of its interface, as a desired
 * state that ADD applies and CHECK compares.
 */
import { type Family, familyOf, formatIp, parseIp } from '../../address/ip.ts'
import { formatPrefix, networkOf, parsePrefix, samePrefix } from '../../address/prefix.ts'
import { CniCode, CniError, invalid } from '../../cni/errors.ts'
import type { Host } from '../../cni/host.ts'
import type { CniIp, CniResult, CniRoute } from '../../cni/plugin.ts'
import type { Scope } from '../../kernel/address.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import { type NextHop, type Route, RouteTable } from '../../kernel/route.ts'
import type { Setting, State } from '../../reconcile/state.ts'

export type Addressing = Pick<CniResult, 'ips' | 'routes'>

/** Milliseconds that duplicate address detection may take: RFC 4862 §5.4 and the kernel's defaults make it 1 to 2 s. */
const DAD_TIMEOUT = 5000

/** What must be before the interface goes up, and that it is up. `detectDuplicates` is RFC 4862's detection, 1 to 2 s. */
export function addressState(ifName: string, { ips }: Addressing, detectDuplicates: boolean): State {
  return {
    sysctls: settingsOf(ifName, ips, detectDuplicates),
    addresses: ips.map(({ address }) => ({ link: ifName, prefix: address })),
    linkStates: [{ link: ifName, up: true }],
  }
}

/** Routes need an interface that is up, and IPv6 routes a source address that is no longer tentative. */
export function routeState(ifName: string, { ips, routes }: Addressing): State {
  const merged = new Map<string, Route>()
  for (const route of routes.map((route) => routeOf(ifName, route, ips))) {
    const key = `${route.destination} ${route.table} ${route.metric ?? 0}`
    const before = merged.get(key)
    if (!before) merged.set(key, route)
    // IPv6 makes one route of several; of IPv4 routes with one metric only the first is ever used.
    else if (familyOfRoute(route) === 'ipv6') merged.set(key, joinHops(before, route))
  }
  return { routes: [...merged.values()] }
}

/**
 * Adds the routes before those that other interfaces of the container have, as the reference does: the interface that came
 * last is where the default goes. KernelError of the first that is refused.
 */
export function addRoutes(container: Kernel, { routes = [] }: State): void {
  const [refusal] = container.routes.batch(routes.map((route) => ({ operation: 'prepend', route })))
  if (!refusal) return
  const { destination, gateway } = routes[refusal.index]!
  throw new KernelError(refusal.errno, `add route ${destination}${gateway ? ` via ${gateway}` : ''}`)
}

/** Waits until every address may be used. CniError when another host has one of them. */
export function awaitAddresses(container: Kernel, ifName: string, { ips }: Addressing, host: Host): void {
  if (!ips.some(({ gateway }) => gateway?.includes(':'))) return
  const end = host.monotonic() + DAD_TIMEOUT
  for (let pause = 1; ; pause = Math.min(2 * pause, 50)) {
    const addresses = container.addresses.list(ifName)
    const failed = addresses.find(({ dadFailed }) => dadFailed)
    if (failed) {
      throw new CniError(
        CniCode.conflict,
        `Cannot use ${failed.prefix} on "${ifName}": another host has it, as duplicate address detection found`,
      )
    }
    if (!addresses.some(({ tentative }) => tentative)) return
    if (host.monotonic() > end) {
      throw new CniError(
        CniCode.failed,
        `Cannot use the IPv6 addresses of "${ifName}": they are still tentative after 5 s`,
      )
    }
    host.sleep(pause)
  }
}

/** The gateway that the result names for the family. */
export function gatewayOf(ips: readonly CniIp[], family: Family): string | undefined {
  return ips.find(({ gateway }) => gateway !== undefined && familyOf(parseIp(gateway)) === family)?.gateway
}

/** IPv6 may be switched off in the kernel: then there are no such settings, and without IPv6 addresses none is needed. */
function settingsOf(ifName: string, ips: readonly CniIp[], detectDuplicates: boolean): Setting[] {
  const ipv6 = `net/ipv6/conf/${ifName}`
  const dad = detectDuplicates
    ? [
        { key: `${ipv6}/enhanced_dad`, value: '1', optional: true },
        { key: `${ipv6}/accept_dad`, value: '1', optional: true },
      ]
    : [{ key: `${ipv6}/accept_dad`, value: '0', optional: true }]
  const hasIpv6 = ips.some(({ address }) => address.includes(':'))
  return [
    ...dad,
    // Neighbours learn at once that the address has another MAC now.
    { key: `net/ipv4/conf/${ifName}/arp_notify`, value: '1', optional: true },
    ...(hasIpv6
      ? [
          { key: 'net/ipv6/conf/lo/disable_ipv6', value: '0' },
          { key: `${ipv6}/disable_ipv6`, value: '0' },
          { key: `${ipv6}/keep_addr_on_down`, value: '1' },
        ]
      : []),
  ]
}

/** RT_SCOPE_*, linux/rtnetlink.h. */
const SCOPES: Readonly<Record<number, Scope>> = { 0: 'global', 200: 'site', 253: 'link', 254: 'host', 255: 'nowhere' }

/** What a netlink attribute of a route can hold: 32 bits. */
const MAX_ATTRIBUTE = 0xffff_ffff

function routeOf(ifName: string, route: CniRoute, ips: readonly CniIp[]): Route {
  requireUsable(route)
  const prefix = networkOf(parsePrefix(route.dst))
  const gateway = gatewayIn(route, ips)
  const { mtu, advmss, scope = 0 } = route
  return {
    destination: formatPrefix(prefix),
    link: ifName,
    table: route.table || RouteTable.main,
    scope: SCOPES[scope] ?? scope,
    ...(gateway !== undefined && { gateway: formatIp(parseIp(gateway)) }),
    ...(route.priority !== undefined && { metric: route.priority }),
    ...((mtu !== undefined || advmss !== undefined) && {
      metrics: { ...(mtu !== undefined && { mtu }), ...(advmss !== undefined && { advmss }) },
    }),
  }
}

/** What the kernel would refuse without a word of why, or take for something else. */
function requireUsable(route: CniRoute): void {
  const { dst, gw } = route
  const prefix = parsePrefix(dst)
  const network = networkOf(prefix)
  if (familyOf(prefix.address) === 'ipv4' && !samePrefix(prefix, network)) {
    throw invalid(`Cannot add route "${dst}": it has host bits set, the network is ${formatPrefix(network)}`)
  }
  if (gw !== undefined && familyOf(parseIp(gw)) !== familyOf(prefix.address)) {
    throw invalid(`Cannot add route "${dst}" via ${gw}: they are of two address families`)
  }
  for (const key of ['mtu', 'advmss', 'priority', 'table'] as const) {
    const value = route[key] ?? 0
    if (value < 0 || value > MAX_ATTRIBUTE) {
      throw invalid(`Cannot add route "${dst}": its "${key}" is ${value}, give a number from 0 to ${MAX_ATTRIBUTE}`)
    }
  }
}

/** The route's own, else that of its family; 0.0.0.0 and :: mean that there is none. */
function gatewayIn({ dst, gw }: CniRoute, ips: readonly CniIp[]): string | undefined {
  if (gw === undefined) return gatewayOf(ips, familyOf(parsePrefix(dst).address))
  return parseIp(gw).some((byte) => byte !== 0) ? gw : undefined
}

const familyOfRoute = ({ destination }: Route) => familyOf(parsePrefix(destination).address)

function joinHops(route: Route, further: Route): Route {
  const { gateway, link, onlink, nextHops = [hopOf(route)], ...rest } = route
  return { ...rest, nextHops: [...nextHops, hopOf(further)] }
}

function hopOf({ gateway, link }: Route): NextHop {
  return { ...(gateway !== undefined && { gateway }), ...(link !== undefined && { link }) }
}
