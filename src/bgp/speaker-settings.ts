/** What is set for a speaker. config.ts reads it; a lab makes it; speaker.ts goes by it. All of it are plain values. */
import type { Community } from './attribute/communities.ts'
import type { BgpId } from './bgp-id.ts'
import type { BmpSettings } from './bmp/exporter.ts'
import type { Family } from './family.ts'
import type { PeerSettings } from './peer-settings.ts'
import type { FilterRule } from './policy/filter.ts'

export interface SpeakerSettings {
  /** Of the node, for people. */
  readonly name: string | undefined
  readonly routerId: BgpId
  readonly as: number
  /** `addresses` undefined: all. */
  readonly listen: { readonly addresses: readonly string[] | undefined; readonly port: number }
  readonly families: readonly Family[]
  /** Prefixes that are announced to everybody. */
  readonly networks: readonly Network[]
  /** undefined: nothing is written. */
  readonly kernel: KernelSettings | undefined
  /** RFC 5004. */
  readonly preferOlder: boolean
  readonly neighbours: readonly NeighbourSettings[]
  /** The speaker itself has no use for it. Left out: nobody watches. */
  readonly monitoring?: MonitoringSettings
}

export interface MonitoringSettings {
  readonly bmp: readonly BmpSettings[]
  /** A file that messages and states are appended to; undefined: none. */
  readonly mrtLog: string | undefined
}

export interface Network {
  /** As address/prefix.ts formats it. */
  readonly prefix: string
  readonly communities: readonly Community[]
  /** What has no longer route goes nowhere, instead of round in circles: a route of this type is written for it. */
  readonly blackhole: boolean
}

export interface KernelSettings {
  /** Route protocol number. */
  readonly protocol: number
  readonly table: number
  readonly metric: number
  /** Next hops of one route at most; 1: no ECMP. */
  readonly ecmp: number
  /** The routes stay when the speaker ends in order, as they do when it is killed: packets go on, the next one takes them over. */
  readonly persist: boolean
}

export interface NeighbourSettings {
  /** Of a range: those of each of its neighbours, whose address is another. */
  readonly session: PeerSettings
  /** Who dials from this prefix is a neighbour; so many at once. undefined: it is one address. */
  readonly range: { readonly prefix: string; readonly limit: number } | undefined
  /** A client of ours: RFC 4456. */
  readonly isClient: boolean
  /** Of clients; undefined: the router id. */
  readonly clusterId: BgpId | undefined
  /** As ExportRules' (rib/export.ts). */
  readonly nextHop: 'auto' | 'self' | 'keep'
  /** Of each family; one more ends the session with Cease 6/1. */
  readonly maxPrefixes: number | undefined
  /** false: nothing is taken. */
  readonly importAll: boolean
  /** false: only what begins here is sent. */
  readonly exportAll: boolean
  /** How often our own AS may stand in an AS_PATH. */
  readonly allowAsIn: number
  readonly communities: readonly Community[]
  readonly filters: NeighbourFilters
  /** Calico's: towards iBGP LOCAL_PREF is 2147483647 − the route's metric in the kernel. */
  readonly priorityAsLocalPref: boolean
  /** RFC 5880, 5881; undefined: none. */
  readonly bfd: BfdSettings | undefined
}

/** By Calico's names; empty lists let everything through. */
export interface NeighbourFilters {
  readonly importV4: readonly FilterRule[]
  readonly exportV4: readonly FilterRule[]
  readonly importV6: readonly FilterRule[]
  readonly exportV6: readonly FilterRule[]
}

export interface BfdSettings {
  /** Milliseconds between packets that we want to send, and that we can take. */
  readonly minTx: number
  readonly minRx: number
  readonly multiplier: number
}

/** A neighbour of which no more is known than its session. */
export function neighbourSettings(
  session: PeerSettings,
  given: Partial<Omit<NeighbourSettings, 'session'>> = {},
): NeighbourSettings {
  return {
    session,
    range: undefined,
    isClient: false,
    clusterId: undefined,
    nextHop: 'auto',
    maxPrefixes: undefined,
    importAll: true,
    exportAll: true,
    allowAsIn: 0,
    communities: [],
    filters: { importV4: [], exportV4: [], importV6: [], exportV6: [] },
    priorityAsLocalPref: false,
    bfd: undefined,
    ...given,
  }
}

/** What Linux knows no other meaning of: not in rt_protos of iproute2. */
export const ROUTE_PROTOCOL = 0xb6
/** As BIRD's: behind what people and plugins write, which have 0, and before what the kernel learns. */
export const ROUTE_METRIC = 32
