/** A node and containers to attach, with an IPAM plugin that hands out what it is told. */
import type { Host } from '../../src/cni/host.ts'
import type { CniResult, Delegate, Plugin, Request, Surroundings } from '../../src/cni/plugin.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { networkConfig } from './configuration.ts'

export interface Container {
  readonly name: string
  readonly netns: string
}

/** Containers of a node, and plugins that are called for them there. */
export interface Attachments {
  addContainer(name: string): Container
  attach<C>(plugin: Plugin<C>, members: object, container: Container, options?: AttachOptions): Attached
}

/** Where plugins are called. */
interface Place {
  readonly kernel: Kernel
  readonly host: Host
}

export function attachments(node: Place): Attachments {
  return {
    addContainer: (name) => ({ name, netns: node.kernel.namespaces.add(name) }),
    attach: (plugin, members, container, options = {}) => attachOn(node, plugin, members, container, options),
  }
}

export const leased = (...addresses: string[]): CniResult => ({
  interfaces: [],
  ips: addresses.map((address) => ({ address })),
  routes: [],
  dns: {},
})

export interface RecordedIpam extends Delegate {
  /** Verbs it was called with. */
  readonly calls: string[]
}

export function ipamOf(result: CniResult | Error): RecordedIpam {
  const calls: string[] = []
  const record = (verb: string) => () => void calls.push(verb)
  return {
    calls,
    add() {
      calls.push('ADD')
      if (result instanceof Error) throw result
      return result
    },
    check: record('CHECK'),
    del: record('DEL'),
    status: record('STATUS'),
    gc: record('GC'),
  }
}

/** What a plugin is given there that delegates to nobody but its IPAM plugin. */
export function surroundingsOn({ kernel, host }: Place, ipam: Delegate): Surroundings {
  return { kernel, host, ipam, delegateTo: () => ipamOf(new Error('There is no other plugin')) }
}

export interface Attached {
  readonly result: CniResult
  /** CHECK with what ADD answered. CniError when it finds a difference. */
  check(): void
  del(): void
}

/** What an invocation is made of. `ipam` without a result: a network without addresses. */
export interface AttachOptions {
  readonly ipam?: Delegate
  /** What ADD is given. */
  readonly kernel?: Kernel
  readonly ifName?: string
  readonly args?: string
}

function attachOn<C>(
  node: Place,
  plugin: Plugin<C>,
  members: object,
  container: Container,
  options: AttachOptions,
): Attached {
  const { ipam, kernel = node.kernel, ifName = 'eth0', args = '' } = options
  const config = { name: 'lan', ...(ipam && { ipam: { type: 'told' } }), ...members }
  const surroundings = surroundingsOn(node, ipam ?? ipamOf(new Error('There is no IPAM plugin')))
  const request = (prevResult?: CniResult): Request<C> => ({
    containerId: container.name,
    ifName,
    netns: container.netns,
    args,
    config: plugin.parseConfig({ ...networkConfig(config), prevResult }),
  })
  const result = plugin.add(request(), { ...surroundings, kernel })
  return {
    result,
    check: () => plugin.check(request(result), surroundings),
    del: () => plugin.del(request(result), surroundings),
  }
}
