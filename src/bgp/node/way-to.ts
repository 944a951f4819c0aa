/**
 * How packets get to a next hop: RFC 4271 §5.1.3 and §9.1.2.1, by the routes that the kernel has from others.
 *
 *   own address                         no next hop
 *   in a subnet of a link of ours       on that link, or not at all: never by a default route while the link is down
 *   elsewhere                           by the best route that is not ours, the default route too: nodes of other racks are behind it
 *
 * Our own routes lead to no next hop, so none can lead to itself. A next hop that only BGP tells the way to is not reachable:
 * whoever has iBGP over several hops has an IGP, static routes or `next hop self`.
 *
 * A resolver that takes the default route for a neighbour whose link is down for a moment still has a way to it, if a wrong one,
 * and learns of no change when the link returns and its routes are gone from the kernel.
 */
import { type Ip, parseIp } from '../../address/ip.ts'
import { parsePrefix } from '../../address/prefix.ts'
import type { NextHop as KernelHop, Route } from '../../kernel/route.ts'
import { isLinkLocal, type Surroundings } from './surroundings.ts'

export interface WayTo {
  /** None: there is no way. */
  readonly hops: readonly KernelHop[]
  /** Of the route there; 0 on the link. */
  readonly metric: number
  /** Why there is none. */
  readonly why: string | undefined
}

/** `linkLocal`: the next hop's address on the link, where it is on one of ours: RFC 2545 §3. */
export function wayTo(surroundings: Surroundings, address: string, linkLocal: string | undefined): WayTo {
  const ip = parseIp(address)
  const owner = surroundings.owner(ip)
  if (owner) return noWay(`${address} is an address of our own`)
  if (isLinkLocal(ip)) return wayOnOnlyLink(surroundings, address)
  const routes = surroundings.match(ip)
  const trouble = troubleAround(surroundings, ip, routes)
  if (trouble) return noWay(trouble)
  for (const route of routes) {
    const hops = hopsBy(surroundings, route, address, linkLocal)
    if (hops.length > 0) return { hops, metric: isOnLink(route) ? 0 : (route.metric ?? 0), why: undefined }
  }
  return noWay(whyNot(surroundings, routes) ?? `no route leads to ${address}`)
}

/** The links that the address would be on have trouble, and all other ways to it are detours. */
function troubleAround(surroundings: Surroundings, ip: Ip, routes: readonly Route[]): string | undefined {
  const [nearest] = surroundings.around(ip)
  const length = routes[0] ? parsePrefix(routes[0].destination).length : -1
  return nearest && nearest.length > length ? nearest.link.trouble : undefined
}

function hopsBy(surroundings: Surroundings, route: Route, address: string, linkLocal: string | undefined): KernelHop[] {
  if ((route.type ?? 'unicast') !== 'unicast') return []
  return (route.nextHops ?? [route]).flatMap(({ gateway, link, onlink }) => {
    if (link === undefined || surroundings.link(link)?.trouble !== undefined) return []
    return { gateway: gateway ?? linkLocal ?? address, link, ...(onlink && { onlink }) }
  })
}

function whyNot(surroundings: Surroundings, routes: readonly Route[]): string | undefined {
  const [route] = routes
  if (!route) return undefined
  if ((route.type ?? 'unicast') !== 'unicast') return `route ${route.destination} is ${route.type}`
  const links = (route.nextHops ?? [route]).map(({ link }) => link ?? '')
  return links.map((link) => surroundings.link(link)?.trouble).find((trouble) => trouble !== undefined)
}

const isOnLink = (route: Route) => route.gateway === undefined && route.nextHops === undefined

/** A link-local address says nothing of its link: there must be but one. */
function wayOnOnlyLink(surroundings: Surroundings, address: string): WayTo {
  const links = [...surroundings.links].filter(
    (link) => !link.isLoopback && link.addresses.some((one) => one.isLinkLocal),
  )
  const [only, ...others] = links.filter(({ trouble }) => trouble === undefined)
  if (!only) return noWay(links[0]?.trouble ?? `no link has IPv6`)
  if (others.length > 0) return noWay(`${address} may be on ${only.name} or ${others[0]!.name}`)
  return { hops: [{ gateway: address, link: only.name }], metric: 0, why: undefined }
}

const noWay = (why: string): WayTo => ({ hops: [], metric: 0, why })
