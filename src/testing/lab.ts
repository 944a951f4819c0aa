/**
 * Labs for other people's tests: a network in the model, built from a topology, asked questions by real packets.
 *
 *      const net = await lab('two-node.ovl.yml')
 *      const trace = net.pod('web-0').tcp('api-0', 8080)
 *
 * No root, no Linux, no time passes. An answer is a whole trace (schema/trace.schema.json); vitest.ts has matchers for it.
 */
import type { Outcome } from '../command/command.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { buildModelLab, type ModelLab } from '../lab/model-lab.ts'
import { findDestination, findPlace } from '../lab/place.ts'
import type { ProbeSpec } from '../lab/probe.ts'
import type { Topology } from '../lab/topology.ts'
import { readTopologyFile } from '../lab/topology-file.ts'
import { traceInModel } from '../lab/trace.ts'
import type { TraceDocument } from '../trace/document.ts'

export type { Topology, TraceDocument }

export interface Lab {
  readonly name: string
  /** RangeError when there is none of this name. */
  node(name: string): LabNode
  /** The same: pods and nodes are asked alike. */
  pod(name: string): LabNode
  /** Breaks what the topology file calls so. RangeError when it has no such fault, or the fault's command fails. */
  fault(name: string): Promise<void>
}

/** What a packet is sent to: another place, the name of a place or service, or an address. */
export type Target = LabNode | string

export interface LabNode {
  readonly name: string
  /** The kernel of this namespace: links, routes, rules … as src/kernel states them. */
  readonly kernel: LiveKernel
  /** Sends an echo request. */
  icmp(to: Target): TraceDocument
  /** Opens a connection, and sends more than one segment there and back. */
  tcp(to: Target, port: number): TraceDocument
  /** Sends a datagram. */
  udp(to: Target, port: number): TraceDocument
  /** Runs a command: `ip route add blackhole 10.9.0.0/16`. `stdin` is what it reads: of `nft -f -` the ruleset. */
  exec(line: string, stdin?: string): Promise<Outcome>
}

export interface LabOptions {
  /** Of chance in the model; 1 where left out. */
  readonly seed?: number
}

/** `topology` is the path of a topology file, or what such a file says. TopologyError, RangeError. */
export async function lab(topology: string | Topology, { seed }: LabOptions = {}): Promise<Lab> {
  const file = typeof topology === 'string' ? readTopologyFile(topology) : undefined
  const described = file?.topology ?? (topology as Topology)
  const built = await buildModelLab({
    topology: described,
    ...(file && { source: { file: file.path, lineOf: file.lineOf } }),
    ...(seed !== undefined && { seed }),
  })
  const place = (name: string) => nodeOf(name, built)
  return {
    name: described.name,
    node: place,
    pod: place,
    async fault(name) {
      const { faults = {} } = described
      const fault = Object.hasOwn(faults, name) ? faults[name] : undefined
      if (!fault) throw new RangeError(`"${name}" is no fault of lab "${described.name}"`)
      const { status, stderr } = await place(fault.node).exec(fault.run)
      if (status !== 0) throw new RangeError(`Cannot make fault "${name}": ${stderr.trim()}`)
      if (fault.wait !== undefined) await built.machine.until(() => false, fault.wait * 1000)
    },
  }
}

function nodeOf(name: string, built: ModelLab): LabNode {
  const place = findPlace(name, built.plan)
  if (!place) throw new RangeError(`"${name}" is no node or pod of lab "${built.plan.name}"`)
  const ask = (to: Target, spec: ProbeSpec) => {
    const { address } = findDestination(typeof to === 'string' ? to : to.name, built.plan, built.machine)
    return traceInModel({ from: place.name, address, spec }, built)
  }
  return {
    name: place.name,
    kernel: built.kernelOf(place.name),
    icmp: (to) => ask(to, { protocol: 'icmp', port: 0 }),
    tcp: (to, port) => ask(to, { protocol: 'tcp', port }),
    udp: (to, port) => ask(to, { protocol: 'udp', port }),
    exec: (line, stdin = '') => built.run({ place: place.name, line, stdin }),
  }
}
