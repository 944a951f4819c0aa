/**
 * A scenario: what stands, what is done, and where to look. The same for the model and for the real kernel, and for a golden
 * question, a fixed scenario and a case that chance has made.
 */
import type { Topology } from '../lab/topology.ts'

export interface Scenario {
  readonly id: string
  /** The topology file's content (lab/topology.ts): nodes, links, cluster, commands. */
  readonly topology: Topology
  /** Who pings whom before anything else: a namespace and an address. */
  readonly warm: readonly (readonly [namespace: string, address: string])[]
  /** In this order. Captures begin before the first frame or wait: commands ahead of it make the situation. */
  readonly steps: readonly ScenarioStep[]
  /** `namespace:device`. */
  readonly watch: readonly string[]
  /** ARP and ND are shown whose target or sender begins so. */
  readonly show: readonly string[]
  /** Nodes and pods that answer nothing: what comes is seen, and goes no further. Their frames are given. */
  readonly silent?: readonly string[]
}

export type ScenarioStep =
  /** A command line: ip, bridge, nft, iptables, sysctl, conntrack. */
  | { readonly ns: string; readonly run: string }
  | Injection
  /** Milliseconds, virtual or real. */
  | { readonly wait: number }

/** A frame, sent out of that device. */
export interface Injection {
  readonly ns: string
  readonly dev: string
  readonly hex: string
  /** Milliseconds behind the first frame; at once where left out. */
  readonly at?: number
}
