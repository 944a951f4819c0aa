/** What is set for a neighbour, as far as it concerns the session, and the OPEN that follows from it. */

import type { BgpId } from './bgp-id.ts'
import type { AddPathMode } from './capability/add-path.ts'
import type { Capability, CapabilityName } from './capability/capabilities.ts'
import { Afi, type Family, unicastOf } from './family.ts'
import type { Open } from './message/open.ts'
import type { Target } from './transport.ts'

export interface PeerSettings {
  /** For people. */
  readonly name: string | undefined
  readonly address: string
  /** undefined: any; for neighbours by prefix alone. */
  readonly remoteAs: number | undefined
  readonly localAs: number
  /** undefined: as the routing table says. */
  readonly localAddress: string | undefined
  readonly port: number
  /** Never dialled. */
  readonly passive: boolean
  /** TTL for eBGP over routers; undefined: directly connected. */
  readonly multihop: number | undefined
  /** RFC 5082: routers on the way, and one. */
  readonly ttlSecurity: number | undefined
  readonly password: string | undefined
  /** Seconds; 0, or 3 and more. */
  readonly holdTime: number
  /** Seconds; undefined: a third of the negotiated hold time. */
  readonly keepalive: number | undefined
  /** Seconds. */
  readonly connectRetry: number
  readonly families: readonly Family[]
  readonly addPath: AddPathMode | undefined
  /** `time` in seconds. Who does not restart gracefully helps others to. undefined: neither. */
  readonly gracefulRestart: { readonly time: number; readonly restarting: boolean } | undefined
  /** RFC 9494. `time` in seconds. */
  readonly longLivedGracefulRestart: { readonly time: number } | undefined
  readonly required: readonly CapabilityName[]
  readonly extendedNextHop: boolean
  readonly extendedMessages: boolean
  readonly enhancedRouteRefresh: boolean
}

/** The defaults of a neighbour of which no more is known than this. */
export function peerSettings(
  given: Partial<PeerSettings> & Pick<PeerSettings, 'address' | 'remoteAs' | 'localAs'>,
): PeerSettings {
  return {
    name: undefined,
    localAddress: undefined,
    port: 179,
    passive: false,
    multihop: undefined,
    ttlSecurity: undefined,
    password: undefined,
    holdTime: 90,
    keepalive: undefined,
    connectRetry: 5,
    families: ['ipv4'],
    addPath: undefined,
    gracefulRestart: undefined,
    longLivedGracefulRestart: undefined,
    required: [],
    extendedNextHop: false,
    extendedMessages: false,
    enhancedRouteRefresh: true,
    ...given,
  }
}

/** What matters before there is a session, and not to one that is there. */
const BEFORE_SESSIONS: ReadonlySet<keyof PeerSettings> = new Set(['name', 'connectRetry', 'passive'])

/** Whether a session that began with the one would be another with the other. Settings are plain values. */
export function concernsSession(before: PeerSettings, after: PeerSettings): boolean {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof PeerSettings>
  return [...names].some(
    (name) => !BEFORE_SESSIONS.has(name) && JSON.stringify(before[name]) !== JSON.stringify(after[name]),
  )
}

/** What this speaker says of its own restart: RFC 4724 §3. */
export interface RestartState {
  /** The speaker has restarted, and waits for the routes of its peers. */
  readonly restarting: boolean
  /** Routes of this family were forwarded all through the restart, as a peer that has kept them may rely on. */
  forwarding(family: Family): boolean
}

export function openOf(settings: PeerSettings, id: BgpId, restart: RestartState): Open {
  const { localAs, holdTime } = settings
  return { as: localAs, holdTime, id, capabilities: capabilitiesOf(settings, restart) }
}

function capabilitiesOf(settings: PeerSettings, restart: RestartState): Capability[] {
  const { families, addPath, gracefulRestart, longLivedGracefulRestart, localAs } = settings
  const unicast = families.map((family) => unicastOf[family])
  const capabilities: Capability[] = [
    ...unicast.map((value) => ({ name: 'multiprotocol', value }) as const),
    { name: 'route-refresh', value: true },
  ]
  if (settings.extendedNextHop && families.includes('ipv4')) {
    capabilities.push({ name: 'extended-next-hop', value: [{ ...unicastOf.ipv4, nextHopAfi: Afi.ipv6 }] })
  }
  if (settings.extendedMessages) capabilities.push({ name: 'extended-message', value: true })
  const keeping = families.map((family) => ({ ...unicastOf[family], forwarding: restart.forwarding(family) }))
  if (gracefulRestart) {
    const { time, restarting } = gracefulRestart
    const value = restarting
      ? { restarting: restart.restarting, notification: true, time, families: keeping }
      : { restarting: false, notification: true, time, families: [] }
    capabilities.push({ name: 'graceful-restart', value })
  }
  capabilities.push({ name: 'four-octet-as', value: localAs })
  if (addPath) capabilities.push({ name: 'add-path', value: unicast.map((each) => ({ ...each, mode: addPath })) })
  if (settings.enhancedRouteRefresh) capabilities.push({ name: 'enhanced-route-refresh', value: true })
  if (gracefulRestart && longLivedGracefulRestart) {
    const value = gracefulRestart.restarting
      ? keeping.map((each) => ({ ...each, time: longLivedGracefulRestart.time }))
      : []
    capabilities.push({ name: 'long-lived-graceful-restart', value })
  }
  return capabilities
}

const MAX_TTL = 255
/** eBGP peers are directly connected, unless something else is said. */
const DIRECT = 1

/** Where the neighbour is dialled, and what is set on its sockets: on that which listens, too. */
export function targetOf(settings: PeerSettings): Target {
  const { address, port, localAddress, multihop, ttlSecurity, password, remoteAs, localAs } = settings
  const isExternal = remoteAs !== undefined && remoteAs !== localAs
  const hops = { ttl: multihop ?? (isExternal ? DIRECT : undefined), minTtl: undefined }
  const secured = ttlSecurity === undefined ? hops : { ttl: MAX_TTL, minTtl: MAX_TTL + 1 - ttlSecurity }
  return { remote: { address, port }, localAddress, md5: password, ...secured }
}
