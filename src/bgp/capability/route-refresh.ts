/** Route refresh, RFC 2918 §2, also under the code that Cisco used before it was assigned; enhanced: RFC 7313 §3.1. */
import { flag } from './capability.ts'

export const routeRefresh = flag(2)
export const ciscoRouteRefresh = flag(128)
export const enhancedRouteRefresh = flag(70)
