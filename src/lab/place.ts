/** Nodes, pods, services and addresses, as they are named in tests and on the command line. */

import { readIp } from '../address/ip.ts'
import { hostOf } from '../address/prefix.ts'
import type { LiveKernel } from '../kernel/live.ts'
import type { Machine } from './machine.ts'
import { enter } from './node.ts'
import type { LabPlan, ServicePlan } from './plan.ts'

/** A node or a pod. */
export interface LabPlace {
  readonly name: string
  readonly namespace: string
}

/** Where packets are sent. */
export interface Destination {
  readonly name: string
  readonly address: string
  readonly service?: ServicePlan
}

/** `web-0`, `pod/web-0`, `node/n1`. Undefined when there is none. */
export function findPlace(text: string, { nodes, pods }: LabPlan): LabPlace | undefined {
  const [kind, name] = text.includes('/') ? text.split('/') : [undefined, text]
  if (kind !== undefined && kind !== 'pod' && kind !== 'node') return undefined
  const places: readonly LabPlace[] = kind === 'pod' ? pods : kind === 'node' ? nodes : [...nodes, ...pods]
  // Where a file describes pods as nodes of their own, they are meant as well.
  return places.find((each) => each.name === name) ?? [...nodes, ...pods].find((each) => each.name === name)
}

/** `pod/api-0`, `svc/api`, `ip/10.96.0.10`, or the bare name or address. RangeError when there is no such thing. */
export function findDestination(text: string, plan: LabPlan, machine: Machine): Destination {
  const name = text.replace(/^(?:ip|svc)\//, '')
  if (readIp(name)) return { name, address: name }
  const service = plan.services.find((each) => each.name === name)
  if (service && (text.startsWith('svc/') || !findPlace(text, plan))) {
    return { name: text, address: service.clusterIp, service }
  }
  const place = findPlace(text, plan)
  if (!place) throw new RangeError(`"${text}" is no node, pod, service or address of lab "${plan.name}"`)
  const kernel = enter(place.namespace, machine)
  const address = kernel && addressOf(kernel)
  if (!address) throw new RangeError(`"${text}" has no address`)
  return { name: place.name, address }
}

/** The first address by which others know it; IPv4 before IPv6. */
export function addressOf(kernel: LiveKernel): string | undefined {
  const addresses = kernel.addresses.list().filter(({ scope, link }) => scope === 'global' && link !== 'lo')
  const first = addresses.find(({ prefix }) => !prefix.includes(':')) ?? addresses[0]
  return first && hostOf(first.prefix)
}
