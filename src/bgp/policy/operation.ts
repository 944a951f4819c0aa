/**
 * What a rule that accepts a route does to it: `operations` of Calico's BGPFilter, and three that routers have besides.
 *
 * Each is an object with one member, and they are carried out one after the other.
 */
import { parseIp } from '../../address/ip.ts'
import { type AsPath, prepend } from '../attribute/as-path.ts'
import type { PathAttributes } from '../attribute/attributes.ts'
import { parseCommunity } from '../attribute/communities.ts'
import { parseLargeCommunity } from '../attribute/large-communities.ts'

export type Operation =
  /** `65000:100`, or a large community `65000:1:2`. */
  | { readonly addCommunity: { readonly value: string } }
  /** The path starts with these numbers, in this order. */
  | { readonly prependASPath: { readonly prefix: readonly number[] } }
  /** Metric of the route in the kernel. */
  | { readonly setPriority: { readonly value: number } }
  | { readonly setLocalPref: { readonly value: number } }
  | { readonly setMed: { readonly value: number } }
  | { readonly setNextHop: { readonly value: string } }

/** A route as operations change it. */
export interface Changed {
  readonly attributes: PathAttributes
  /** Metric of its route in the kernel; undefined: as all routes. */
  readonly priority: number | undefined
  /** The next hop was set, and is to stay. */
  readonly nextHopSet: boolean
}

export type Change = (route: Changed) => Changed

/** Throws RangeError for values that are none. */
export function compileOperation(operation: Operation): Change {
  if ('addCommunity' in operation) return addCommunity(operation.addCommunity.value)
  if ('prependASPath' in operation) return prependAsPath(operation.prependASPath.prefix)
  if ('setPriority' in operation) {
    const { value } = operation.setPriority
    // Calico's bounds: LOCAL_PREF = 2147483647 − priority must be a number above 0.
    if (!Number.isInteger(value) || value < 1 || value > 2_147_483_646) {
      throw new RangeError(`Cannot set the priority ${value}: it is from 1 to 2147483646`)
    }
    return (route) => ({ ...route, priority: value })
  }
  if ('setLocalPref' in operation) {
    const value = requireU32('LOCAL_PREF', operation.setLocalPref.value)
    return changed(() => ({ localPref: value }))
  }
  if ('setMed' in operation) {
    const value = requireU32('MED', operation.setMed.value)
    return changed(() => ({ med: value }))
  }
  const { value } = operation.setNextHop
  parseIp(value)
  return (route) => ({
    ...route,
    attributes: { ...route.attributes, nextHop: value, linkLocal: undefined },
    nextHopSet: true,
  })
}

function addCommunity(value: string): Change {
  if (value.split(':').length === 3) {
    const large = parseLargeCommunity(value)
    const same = large.join(':')
    return changed(({ largeCommunities }) =>
      largeCommunities.some((each) => each.join(':') === same)
        ? undefined
        : { largeCommunities: [...largeCommunities, large] },
    )
  }
  const community = parseCommunity(value)
  return changed(({ communities }) =>
    communities.includes(community) ? undefined : { communities: [...communities, community] },
  )
}

function prependAsPath(numbers: readonly number[]): Change {
  for (const as of numbers) {
    if (requireU32('AS', as) === 0) throw new RangeError('Cannot prepend AS 0: it is nobody (RFC 7607)')
  }
  return changed(({ asPath }) => ({ asPath: numbers.reduceRight<AsPath>((path, as) => prepend(path, as), asPath) }))
}

function changed(members: (attributes: PathAttributes) => Partial<PathAttributes> | undefined): Change {
  return (route) => {
    const change = members(route.attributes)
    return change ? { ...route, attributes: { ...route.attributes, ...change } } : route
  }
}

function requireU32(what: string, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return value
  throw new RangeError(`Cannot set ${what} ${value}: it is a number up to 4294967295`)
}
