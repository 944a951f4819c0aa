/** A node and containers to attach, in the network namespace of the test file, with an IPAM plugin that hands out what it is told. */
import type { CniResult, Ipam, Plugin, Request, Surroundings } from '../../src/cni/plugin.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { host } from '../../src/linux/host.ts'
import { linux } from '../../src/linux/linux.ts'
import { networkConfig } from './configuration.ts'

export interface Container {
  readonly name: string
  readonly netns: string
}

export function addContainer(name: string): Container {
  return { name, netns: linux.namespaces.add(name) }
}

export const leased = (...addresses: string[]): CniResult => ({
  interfaces: [],
  ips: addresses.map((address) => ({ address })),
  routes: [],
  dns: {},
})

export interface RecordedIpam extends Ipam {
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

export interface Attached {
  readonly result: CniResult
  /** CHECK with what ADD answered. CniError when it finds a difference. */
  check(): void
  del(): void
}

/** What an invocation is made of. `ipam` without a result: a network without addresses. */
export interface AttachOptions {
  readonly ipam?: Ipam
  /** What ADD is given. */
  readonly kernel?: Kernel
  readonly ifName?: string
  readonly args?: string
}

export function attach<C>(
  plugin: Plugin<C>,
  members: object,
  container: Container,
  options: AttachOptions = {},
): Attached {
  const { ipam, kernel = linux, ifName = 'eth0', args = '' } = options
  const config = { name: 'lan', ...(ipam && { ipam: { type: 'told' } }), ...members }
  const surroundings: Surroundings = { kernel: linux, host, ipam: ipam ?? ipamOf(new Error('There is no IPAM plugin')) }
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
