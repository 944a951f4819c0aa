/** IPv6 routes as text, and as IPv6's tables keep them. */
import type { Route, RouteFilter } from '../../kernel/route.ts'
import type { Refusal, RouteOperation } from '../ipv4/fib-change.ts'
import type { Namespace } from '../namespace.ts'
import type { LookupKey } from './route-lookup.ts'

export function change6(
  _namespace: Namespace,
  _operation: RouteOperation | 'delete',
  _route: Route,
  _call: string,
): Refusal | undefined {
  return { errno: 'EOPNOTSUPP', explanation: 'not modelled: IPv6 routes' }
}

export function list6(_namespace: Namespace, _filter: RouteFilter): Route[] {
  return []
}

export function lookup6(_namespace: Namespace, _key: LookupKey): Route | string {
  return 'ENETUNREACH'
}
