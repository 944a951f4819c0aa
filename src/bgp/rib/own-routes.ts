/** Routes that begin at this speaker: RFC 4271 §9.4. They are paths like all others, from a peer that is ourselves. */
import type { PathAttributes } from '../attribute/attributes.ts'
import type { BgpId } from '../bgp-id.ts'
import type { PrefixKey } from '../nlri.ts'
import type { LocRib } from './loc.ts'
import { OWN_NEXT_HOP } from './next-hops.ts'
import { createPath, type Path, type RibPeer } from './path.ts'

export interface OwnRoute {
  readonly attributes: PathAttributes
  readonly interface: string | undefined
  readonly priority: number | undefined
}

/** What a network of ours begins with. Its next hop is whichever address a peer knows us by. */
export const OWN_ATTRIBUTES: PathAttributes = Object.freeze({
  origin: 'IGP',
  asPath: [],
  nextHop: '0.0.0.0',
  linkLocal: undefined,
  med: undefined,
  localPref: undefined,
  atomicAggregate: undefined,
  aggregator: undefined,
  communities: [],
  originatorId: undefined,
  clusterList: [],
  extendedCommunities: [],
  largeCommunities: [],
  unknown: [],
  partial: [],
})

const NETWORK: OwnRoute = { attributes: OWN_ATTRIBUTES, interface: undefined, priority: undefined }

export class OwnRoutes {
  readonly #table: LocRib
  readonly #peer: RibPeer
  readonly #paths = new WeakMap<OwnRoute, Path>()

  constructor(table: LocRib, speaker: { readonly routerId: BgpId; readonly as: number }) {
    this.#table = table
    this.#peer = { address: '', routerId: speaker.routerId, as: speaker.as, kind: 'local', clusterId: undefined }
  }

  /** Prefixes that are announced with the same object share one path. */
  announce(prefixes: readonly PrefixKey[], route: OwnRoute = NETWORK): void {
    const path = this.#paths.get(route) ?? this.#create(route)
    for (const key of prefixes) this.#table.put(key, path)
  }

  withdraw(prefixes: readonly PrefixKey[]): void {
    for (const key of prefixes) this.#table.remove(key, this.#peer, 0)
  }

  #create(route: OwnRoute): Path {
    const { attributes } = route
    const source = { peer: this.#peer, stale: false }
    const path = createPath({
      ...route,
      source,
      pathId: 0,
      received: attributes,
      hop: OWN_NEXT_HOP,
      excluded: undefined,
    })
    this.#paths.set(route, path)
    return path
  }
}
