/**
 * Routes asked for again, by us and by the peer: RFC 2918; between markers, where both know them: RFC 7313.
 */
import type { Negotiated } from './capability/negotiation.ts'
import { type Family, familyOf, unicastOf } from './family.ts'
import { encodeRouteRefresh, type RefreshSubtype, type RouteRefresh } from './message/route-refresh.ts'

export interface RefreshEvents {
  /** The peer asks for our routes again. */
  refresh(family: Family): void
  /** The peer sends its routes again, until sweep(). */
  refreshing(family: Family): void
  sweep(family: Family): void
}

/** Of one session. */
export class RouteRefreshes {
  readonly #events: RefreshEvents
  readonly #negotiated: Negotiated
  /** Families that the peer is sending again. */
  readonly #coming = new Set<Family>()

  constructor(negotiated: Negotiated, events: RefreshEvents) {
    this.#negotiated = negotiated
    this.#events = events
  }

  /** The message that asks for the peer's routes; undefined: it takes no such request. */
  request(family: Family): Uint8Array | undefined {
    return this.#message(family, 'request')
  }

  /** The message that says that all routes of a family come again, or have come; undefined: the peer does not know it. */
  marker(family: Family, what: 'beginning' | 'end'): Uint8Array | undefined {
    return this.#negotiated.enhancedRouteRefresh ? this.#message(family, what) : undefined
  }

  /**
   * A message of the peer's. Of a family that was not agreed upon it is ignored (RFC 2918 §4), and so is a beginning before the
   * End-of-RIB that graceful restart has promised (`isAwaited`, RFC 7313 §4).
   */
  take({ afi, safi, subtype }: RouteRefresh, isAwaited: (family: Family) => boolean): void {
    const family = familyOf(afi, safi)
    const { families, enhancedRouteRefresh } = this.#negotiated
    if (!family || !families.includes(family)) return
    // Without RFC 7313 the octet is reserved.
    const kind = enhancedRouteRefresh ? subtype : 'request'
    if (kind === 'request') this.#events.refresh(family)
    if (kind === 'beginning' && !isAwaited(family)) {
      this.#coming.add(family)
      this.#events.refreshing(family)
    }
    if (kind === 'end' && this.#coming.delete(family)) this.#events.sweep(family)
  }

  #message(family: Family, subtype: RefreshSubtype): Uint8Array | undefined {
    const { routeRefresh, families } = this.#negotiated
    if (!routeRefresh || !families.includes(family)) return undefined
    return encodeRouteRefresh({ ...unicastOf[family], subtype }, routeRefresh)
  }
}
