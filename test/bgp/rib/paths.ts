/** Paths as a peer's routes become them, for tests that have no peer. */
import type { PathAttributes } from '../../../src/bgp/attribute/attributes.ts'
import { parseBgpId } from '../../../src/bgp/bgp-id.ts'
import type { NextHop } from '../../../src/bgp/rib/next-hops.ts'
import { createPath, type Exclusion, type Path, type RibPeer } from '../../../src/bgp/rib/path.ts'
import { attributes } from './speaker.ts'

export interface PathOptions {
  readonly kind?: RibPeer['kind']
  readonly as?: number
  readonly address?: string
  readonly routerId?: string
  readonly pathId?: number
  readonly attributes?: Partial<PathAttributes> & { readonly path?: readonly number[] }
  /** Metric of the next hop; undefined: there is no way. */
  readonly metric?: number | undefined
  readonly excluded?: Exclusion
}

/** From an eBGP peer, with nothing that is better or worse than others have. */
export function path(options: PathOptions): Path {
  const address = options.address ?? '10.0.0.101'
  const as = options.as ?? 65101
  const kind = options.kind ?? 'external'
  const given = attributes({ path: kind === 'external' ? [as] : [], ...options.attributes })
  const hop: NextHop = {
    address: '10.0.0.99',
    linkLocal: undefined,
    reason: undefined,
    metric: 'metric' in options ? options.metric : 10,
  }
  return createPath({
    source: {
      peer: { address, routerId: parseBgpId(options.routerId ?? '1.1.1.1'), as, kind, clusterId: undefined },
      stale: false,
    },
    pathId: options.pathId ?? 0,
    received: given,
    attributes: given,
    priority: undefined,
    interface: undefined,
    hop,
    excluded: options.excluded,
  })
}
