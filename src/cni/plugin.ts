/** What a CNI plugin is, and what it is given to work with. Terms and shapes: CNI specification 1.1. */

import type { JsonObject } from '../json/json.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Host } from './host.ts'

export interface CniInterface {
  readonly name: string
  readonly mac?: string
  readonly mtu?: number
  /** Path of the container's namespace; absent for interfaces on the node. */
  readonly sandbox?: string
  readonly socketPath?: string
  readonly pciID?: string
}

export interface CniIp {
  /** With its prefix length: `10.1.2.3/24`. */
  readonly address: string
  readonly gateway?: string
  /** Index into the result's interfaces. */
  readonly interface?: number
}

export interface CniRoute {
  readonly dst: string
  readonly gw?: string
  readonly mtu?: number
  readonly advmss?: number
  readonly priority?: number
  readonly table?: number
  readonly scope?: number
}

export interface CniDns {
  readonly nameservers?: readonly string[]
  readonly domain?: string
  readonly search?: readonly string[]
  readonly options?: readonly string[]
}

/** The success result in the newest version's shape; version.ts converts from and to the others. */
export interface CniResult {
  readonly interfaces: readonly CniInterface[]
  readonly ips: readonly CniIp[]
  readonly routes: readonly CniRoute[]
  readonly dns: CniDns
  /** Version whose shape it is printed in, where that is not the configuration's. */
  readonly shape?: string
}

/** What every configuration says. `json` is all of it, as it came. */
export interface NetworkConfig {
  readonly name: string
  readonly cniVersion: string
  readonly type: string
  /** Type of the IPAM plugin; undefined where the network has none. */
  readonly ipamType: string | undefined
  readonly dns: CniDns | undefined
  readonly prevResult: CniResult | undefined
  readonly json: JsonObject
}

/** Names one attachment: a container's interface. */
export interface Attachment {
  readonly containerId: string
  readonly ifName: string
}

/** An invocation for one attachment: ADD, CHECK, DEL. skel.ts has checked it against the specification. */
export interface Request<C> extends Attachment {
  /** Path of the container's namespace; empty when DEL was called without one. */
  readonly netns: string
  /** CNI_ARGS: see args.ts. */
  readonly args: string
  readonly config: C
}

/** An invocation for the whole network: STATUS, GC. */
export interface NetworkRequest<C> {
  readonly config: C
}

export interface GcRequest<C> extends NetworkRequest<C> {
  /** Attachments that live on; what belongs to others of this network goes. */
  readonly validAttachments: readonly Attachment[]
}

/** All a plugin may touch. */
export interface Surroundings {
  readonly kernel: Kernel
  readonly host: Host
  /** The configuration's IPAM plugin, with the same configuration. */
  readonly ipam: Delegate
  /**
   * The plugin that `configuration`, JSON text with a name and a type, is for. It is asked for this attachment, or for
   * another one, whose namespace nobody knows. CniError when there is no such plugin.
   */
  delegateTo(configuration: string, attachment?: Attachment): Delegate
}

/**
 * Another plugin that does a part of the work: it runs with the verb that is called here, and our environment. CniError with
 * its code when it fails.
 */
export interface Delegate {
  add(): CniResult
  check(): void
  del(): void
  status(): void
  gc(): void
}

export interface Plugin<C = unknown> {
  /** Also the name of its executable. */
  readonly name: string
  /** CNI versions it takes; all of them where left out. */
  readonly versions?: readonly string[]
  /** From the common part and all the JSON to this plugin's complete options. CniError when it cannot be used. */
  parseConfig(config: NetworkConfig): C
  add(request: Request<C>, surroundings: Surroundings): CniResult
  check(request: Request<C>, surroundings: Surroundings): void
  del(request: Request<C>, surroundings: Surroundings): void
  gc?(request: GcRequest<C>, surroundings: Surroundings): void
  status?(request: NetworkRequest<C>, surroundings: Surroundings): void
}
