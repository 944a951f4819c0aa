/**
 * What a scenario stands on: its topology, built on a machine under a name of its own, made comparable, and taken away again.
 *
 * Namespaces of the real kernel say things on their own, and leave work to devices that they have not: what a golden walk
 * was recorded with is switched off (test/golden/README.md, "The rig"). A scenario's own sysctls come behind these.
 */
import { ignoring } from '../kernel/errors.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { bringUp, takeDown } from '../lab/lab.ts'
import type { Machine } from '../lab/machine.ts'
import { enter, namespacePath } from '../lab/node.ts'
import { type LabPlan, namespaceOf } from '../lab/plan.ts'
import { removeState } from '../lab/state.ts'
import type { Sysctls, Topology } from '../lab/topology.ts'
import { LinuxKernel } from '../linux/linux.ts'
import { disableOffloads } from '../linux/netlink/ethtool.ts'
import { keepTimestamps } from '../linux/timestamps.ts'

export interface Stand {
  readonly machine: Machine
  /** RangeError when there is no such node or pod. */
  kernelOf(namespace: string): LiveKernel
  /** Where the node's or pod's namespace is. */
  pathOf(namespace: string): string
  /** RangeError with the command's own words when it fails. */
  run(namespace: string, line: string): Promise<void>
  /** As run, and what the command printed. */
  output(namespace: string, line: string): Promise<string>
  /** Links that were made since the last call compute their own checksums, and send what goes over the wire. */
  withoutOffloads(): void
  /** Nothing of it is left. */
  close(): void
}

const QUIET: Sysctls = {
  'net.ipv4.igmp_link_local_mcast_reports': 0,
  'net.ipv4.tcp_congestion_control': 'reno',
  'net.ipv6.conf.default.accept_dad': 0,
  'net.ipv6.conf.default.accept_ra': 0,
  'net.ipv6.conf.default.addr_gen_mode': 1,
  'net.ipv6.conf.default.dad_transmits': 0,
  'net.ipv6.conf.default.router_solicitations': 0,
}

/** Milliseconds in which an IPv6 address becomes usable that nobody is asked for. */
const PATIENCE = 2000

/** Milliseconds until the kernel gives packets their times. */
const TIMESTAMPS = 100

/** How many stands this process has made: their names differ, so that several can stand at once. */
let stands = 0

/** RangeError when the topology cannot be built, or a command of it fails. */
export async function buildStand(topology: Topology, machine: Machine): Promise<Stand> {
  if (machine.kernel instanceof LinuxKernel && keepTimestamps()) await machine.until(() => false, TIMESTAMPS)
  const lab = `oracle-${machine.processes.own.id}-${stands++}`
  const plan = await bringUp(quiet({ ...topology, name: lab }), machine, { owned: true, run: runAll })
  if (!plan) throw new RangeError(`Cannot build "${topology.name}": there is a lab "${lab}" already`)
  const kernels = new Map<string, LiveKernel>()
  const kernelOf = (name: string) => {
    const kernel = kernels.get(name) ?? enter(namespaceOf(name, lab), machine)
    if (!kernel) throw new RangeError(`Cannot find "${name}" in "${topology.name}"`)
    kernels.set(name, kernel)
    return kernel
  }
  const places = [...plan.nodes, ...plan.pods].map(({ name }) => name)
  const plain = new Map<string, Set<string>>(places.map((name) => [name, new Set(['lo'])]))
  const stand: Stand = {
    machine,
    kernelOf,
    pathOf: (name) => namespacePath(namespaceOf(name, lab)),
    async run(name, line) {
      await stand.output(name, line)
    },
    async output(name, line) {
      const { status, stderr, stdout } = await machine.runLine(stand.pathOf(name), line)
      if (status !== 0) throw new RangeError(`Cannot run "${line}" in ${name}: ${(stderr || stdout).trim()}`)
      return stdout
    },
    withoutOffloads() {
      for (const [name, known] of plain) {
        const kernel = kernelOf(name)
        if (!(kernel instanceof LinuxKernel)) return
        const links = kernel.links.list().map((link) => link.name)
        disableOffloads(
          kernel.namespace,
          links.filter((link) => !known.has(link)),
        )
        for (const link of links) known.add(link)
      }
    },
    close() {
      for (const kernel of kernels.values()) kernel.close()
      if (isBare(plan))
        clear(
          lab,
          places.map((name) => namespaceOf(name, lab)),
          machine,
        )
      else takeDown(lab, machine)
    },
  }
  try {
    stand.withoutOffloads()
    await machine.until(() => places.every((name) => !isTentative(kernelOf(name))), PATIENCE)
  } catch (error) {
    stand.close()
    throw error
  }
  return stand
}

function quiet(topology: Topology): Topology {
  const { defaults } = topology.topology
  const sysctls = { ...QUIET, ...defaults?.sysctls }
  return { ...topology, topology: { ...topology.topology, defaults: { ...defaults, sysctls } } }
}

const isTentative = ({ addresses }: LiveKernel) => addresses.list().some(({ tentative }) => tentative)

/** Nothing of it lives outside of its namespaces. */
const isBare = ({ pods, nodes }: LabPlan) =>
  pods.length === 0 &&
  nodes.every(({ podNetwork, overlay, daemon, speaker }) => !(podNetwork ?? overlay ?? daemon ?? speaker))

/** Links go with their namespaces, and the kernel takes its time for that while the next case runs. */
function clear(lab: string, namespaces: readonly string[], machine: Machine): void {
  for (const namespace of namespaces) ignoring('ENOENT', () => machine.kernel.namespaces.delete(namespace))
  removeState(lab, machine)
}

async function runAll(steps: readonly { run(): void | Promise<void> }[]): Promise<void> {
  for (const { run } of steps) await run()
}
