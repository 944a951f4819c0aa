/** Neighbours as rows for people and programs. Passwords are not in them. */
import { formatBgpId } from '../bgp-id.ts'
import type { Negotiated } from '../capability/negotiation.ts'
import { FAMILIES, type Family } from '../family.ts'
import type { State } from '../fsm.ts'
import type { NeighbourStatus } from '../neighbour.ts'
import type { PeerSettings } from '../peer-settings.ts'
import type { SessionCounts } from '../session-owner.ts'
import type { NeighbourSettings } from '../speaker-settings.ts'

export interface NeighbourRow {
  readonly address: string
  readonly name: string | undefined
  readonly state: State
  /** Stopped by an operator. */
  readonly disabled: boolean
  /** RFC 8326: its routes are used where there are no others. */
  readonly drained: boolean
  /** Of a range the AS that the peer has said. */
  readonly remoteAs: number | undefined
  readonly localAs: number
  readonly localAddress: string | undefined
  /** Milliseconds since the epoch. */
  readonly establishedAt: number | undefined
  readonly lastError: string | undefined
  /** In one line: `Not established with rack-1 (10.0.0.2) from 10.0.0.1 (Active): connection refused`. */
  readonly description: string
  /** Prefixes that it has announced, and those of them that are not excluded. */
  readonly families: Readonly<Partial<Record<Family, { readonly received: number; readonly accepted: number }>>>
  /** Families whose routes are kept though the session is down. */
  readonly staleFamilies: readonly Family[]
  readonly bfd: string | undefined
  readonly counts: SessionCounts
}

export interface NeighbourDetails extends NeighbourRow {
  readonly range: string | undefined
  readonly settings: Omit<NeighbourSettings, 'session' | 'range'> & { readonly session: Omit<PeerSettings, 'password'> }
  readonly hasPassword: boolean
  readonly negotiated: (Omit<Negotiated, 'peerId'> & { readonly peerId: string }) | undefined
  /** Prefixes that it has been sent, or is about to be. */
  readonly sent: Readonly<Partial<Record<Family, number>>>
}

export function neighbourRow(status: NeighbourStatus): NeighbourRow {
  const { settings, negotiated, state, disabled, localAddress, establishedAt, lastError, counts } = status
  const { session } = settings
  return {
    address: session.address,
    name: session.name,
    state,
    disabled,
    drained: status.drained,
    remoteAs: session.remoteAs ?? negotiated?.peerAs,
    localAs: session.localAs,
    localAddress: localAddress ?? session.localAddress,
    establishedAt,
    lastError,
    description: status.description,
    families: Object.fromEntries(session.families.map((family) => [family, status.routes[family]])),
    staleFamilies: status.staleFamilies,
    bfd: status.bfd,
    counts,
  }
}

export function neighbourDetails(status: NeighbourStatus, countSent: (family: Family) => number): NeighbourDetails {
  const { settings, negotiated } = status
  const { session, range, ...rest } = settings
  const { password, ...shown } = session
  return {
    ...neighbourRow(status),
    range: range?.prefix,
    settings: { ...rest, session: shown },
    hasPassword: password !== undefined,
    negotiated: negotiated && { ...negotiated, peerId: formatBgpId(negotiated.peerId) },
    sent: Object.fromEntries(
      FAMILIES.filter((family) => negotiated?.families.includes(family)).map((family) => [family, countSent(family)]),
    ),
  }
}
