/** What this host learned of the way to single destinations: __ip6_rt_update_pmtu, net/ipv6/route.c; RFC 8201. */
import { SECOND } from '../clock.ts'
import type { Namespace } from '../namespace.ts'
import { keyOf } from './address.ts'
import { MIN_MTU } from './header.ts'
import { routeOutput6 } from './route-output.ts'

/** Destinations for which one route remembers something. */
const LIMIT = 1024 * 5

/** A router says that no more than `mtu` bytes get to `destination`. */
export function learnPathMtu6(namespace: Namespace, destination: Uint8Array, source: Uint8Array, mtu: number): void {
  const route = routeOutput6(namespace, { destination, source })
  if (typeof route === 'string' || !route.fib || mtu < MIN_MTU || mtu >= route.mtu) return
  const { fib } = route
  const { settings } = namespace.ipv6
  fib.exceptions ??= new Map()
  if (fib.exceptions.size >= LIMIT) fib.exceptions.delete(fib.exceptions.keys().next().value!)
  const expires = namespace.model.clock.now + settings['route/mtu_expires'] * SECOND
  fib.exceptions.set(keyOf(destination), { mtu, expires })
  namespace.ipv6.fib.flush()
}
