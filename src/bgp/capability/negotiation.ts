/**
 * What two OPENs make of a session: RFC 5492 §3, and the RFC of each capability.
 *
 * A capability holds when both have offered it, but for those that only say what their sender is able to receive.
 */
import type { BgpId } from '../bgp-id.ts'
import { BgpError, ErrorCode, OpenError } from '../errors.ts'
import { Afi, type AfiSafi, type Family, familyOf, unicastOf } from '../family.ts'
import { MAX_EXTENDED_MESSAGE, MAX_MESSAGE, MessageType } from '../message/header.ts'
import type { Open } from '../message/open.ts'
import { joined } from '../octets.ts'
import type { AddPathMode } from './add-path.ts'
import { allOf, type Capability, type CapabilityName, capability, encodeCapability } from './capabilities.ts'
import type { GracefulRestart } from './graceful-restart.ts'
import type { LongLivedFamily } from './long-lived-graceful-restart.ts'

export interface Negotiated {
  readonly peerAs: number
  readonly peerId: BgpId
  readonly internal: boolean
  /** Seconds; 0: neither HoldTimer nor KEEPALIVEs. */
  readonly holdTime: number
  readonly as4: boolean
  readonly families: readonly Family[]
  /** Families whose prefixes come with path identifiers, and those that go out with them. */
  readonly addPathReceived: Readonly<Record<Family, boolean>>
  readonly addPathSent: Readonly<Record<Family, boolean>>
  /** Octets of the longest message that may come, and that may be sent. */
  readonly longestReceived: number
  readonly longestSent: number
  /** IPv4 routes may have an IPv6 next hop: RFC 8950. */
  readonly extendedNextHop: boolean
  /** The type of message that the peer takes as a request for its routes; undefined: it takes none. */
  readonly routeRefresh: typeof MessageType.routeRefresh | typeof MessageType.ciscoRouteRefresh | undefined
  readonly enhancedRouteRefresh: boolean
  /** What the peer says of itself, when both have the capability. */
  readonly gracefulRestart: GracefulRestart | undefined
  /** Empty unless both have both capabilities: RFC 9494 §4.1. */
  readonly longLived: readonly LongLivedFamily[]
}

export interface Expected {
  /** undefined: any, for neighbours by prefix. */
  readonly as: number | undefined
  /** Without one of them there is no session. */
  readonly required: readonly CapabilityName[]
}

/**
 * Throws BgpError 2/2 for another AS, 2/3 for our own identifier within our AS (RFC 6286 §2.3), and 2/7 for a capability that
 * is required and not there, or no family in common, with what was wanted as data.
 */
export function negotiate(own: Open, peer: Open, expected: Expected): Negotiated {
  if (expected.as !== undefined && peer.as !== expected.as) {
    throw openError(OpenError.badPeerAs, `AS ${peer.as}, where ${expected.as} is expected`)
  }
  const internal = peer.as === own.as
  if (internal && peer.id === own.id) throw openError(OpenError.badBgpIdentifier, 'the identifier is ours')
  const absent = expected.required.filter((name) => !has(peer, name))
  if (absent.length > 0) {
    const wanted = own.capabilities.filter(({ name }) => name !== 'other' && absent.includes(name))
    throw unsupported(`${absent.join(', ')} required and not offered`, wanted)
  }
  const families = commonFamilies(own, peer)
  if (families.length === 0) {
    const wanted = own.capabilities.filter(({ name }) => name === 'multiprotocol')
    throw unsupported('no address family in common', wanted)
  }

  const both = (name: CapabilityName) => has(own, name) && has(peer, name)
  const restarts = both('graceful-restart')
  return {
    peerAs: peer.as,
    peerId: peer.id,
    internal,
    holdTime: Math.min(own.holdTime, peer.holdTime),
    as4: both('four-octet-as'),
    families,
    addPathReceived: addPathFrom(peer, own, families),
    addPathSent: addPathFrom(own, peer, families),
    // RFC 8654 §4: the capability is of the receiver.
    longestReceived: has(own, 'extended-message') ? MAX_EXTENDED_MESSAGE : MAX_MESSAGE,
    longestSent: has(peer, 'extended-message') ? MAX_EXTENDED_MESSAGE : MAX_MESSAGE,
    extendedNextHop: hasIpv4OverIpv6(own) && hasIpv4OverIpv6(peer),
    routeRefresh: has(peer, 'route-refresh')
      ? MessageType.routeRefresh
      : has(peer, 'cisco-route-refresh')
        ? MessageType.ciscoRouteRefresh
        : undefined,
    enhancedRouteRefresh: both('enhanced-route-refresh'),
    gracefulRestart: restarts ? capability(peer.capabilities, 'graceful-restart') : undefined,
    longLived:
      restarts && has(own, 'long-lived-graceful-restart')
        ? (capability(peer.capabilities, 'long-lived-graceful-restart') ?? [])
        : [],
  }
}

function has({ capabilities }: Open, name: CapabilityName): boolean {
  return capabilities.some((each) => each.name === name)
}

/** In our order. Who says nothing of families speaks IPv4 unicast, as RFC 4271 does. */
function commonFamilies(own: Open, peer: Open): Family[] {
  const theirs = familiesOf(peer)
  return familiesOf(own).filter((family) => theirs.includes(family))
}

function familiesOf({ capabilities }: Open): Family[] {
  const offered = allOf(capabilities, 'multiprotocol')
  if (offered.length === 0) return ['ipv4']
  return (['ipv4', 'ipv6'] as const).filter((family) => offered.some((each) => isUnicast(each, family)))
}

function isUnicast({ afi, safi }: AfiSafi, family: Family): boolean {
  return familyOf(afi, safi) === family
}

/** Whether prefixes of `sender` carry path identifiers: it has said that it sends them, and the other that it receives them. */
function addPathFrom(sender: Open, receiver: Open, families: readonly Family[]): Readonly<Record<Family, boolean>> {
  const is = (family: Family) =>
    families.includes(family) &&
    modeOf(sender, family).some((mode) => mode !== 'receive') &&
    modeOf(receiver, family).some((mode) => mode !== 'send')
  return { ipv4: is('ipv4'), ipv6: is('ipv6') }
}

/** RFC 7911 §4: of several entries for a family the first counts. None: no mode. */
function modeOf({ capabilities }: Open, family: Family): AddPathMode[] {
  const entry = allOf(capabilities, 'add-path')
    .flat()
    .find((each) => isUnicast(each, family))
  return entry ? [entry.mode] : []
}

function hasIpv4OverIpv6({ capabilities }: Open): boolean {
  const { afi, safi } = unicastOf.ipv4
  return allOf(capabilities, 'extended-next-hop')
    .flat()
    .some((each) => each.afi === afi && each.safi === safi && each.nextHopAfi === Afi.ipv6)
}

/** RFC 5492 §5: "The Data field in the NOTIFICATION message MUST list the set of capabilities that cause" it. */
function unsupported(reason: string, wanted: readonly Capability[]): BgpError {
  return openError(OpenError.unsupportedCapability, reason, joined(wanted.map(encodeCapability)))
}

function openError(subcode: number, reason: string, data?: Uint8Array): BgpError {
  return new BgpError(ErrorCode.openMessage, subcode, reason, data)
}
