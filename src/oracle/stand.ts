/** What a scenario stands on: its topology, built on a machine under a name of its own, and taken away again. */
import type { LiveKernel } from '../kernel/live.ts'
import { bringUp, takeDown } from '../lab/lab.ts'
import type { Machine } from '../lab/machine.ts'
import { enter, namespacePath } from '../lab/node.ts'
import { namespaceOf } from '../lab/plan.ts'
import type { Topology } from '../lab/topology.ts'

export interface Stand {
  readonly machine: Machine
  /** RangeError when there is no such node or pod. */
  kernelOf(namespace: string): LiveKernel
  /** RangeError with the command's own words when it fails. */
  run(namespace: string, line: string): Promise<void>
  /** Nothing of it is left. */
  close(): void
}

/** How many stands this process has made: their names differ, so that several can stand at once. */
let stands = 0

/** RangeError when the topology cannot be built, or a command of it fails. */
export async function buildStand(topology: Topology, machine: Machine): Promise<Stand> {
  const lab = `oracle-${machine.processes.own.id}-${stands++}`
  const options = { owned: true, run: runAll }
  if (!(await bringUp({ ...topology, name: lab }, machine, options))) {
    throw new RangeError(`Cannot build "${topology.name}": there is a lab "${lab}" already`)
  }
  const kernels = new Map<string, LiveKernel>()
  const kernelOf = (name: string) => {
    const kernel = kernels.get(name) ?? enter(namespaceOf(name, lab), machine)
    if (!kernel) throw new RangeError(`Cannot find "${name}" in "${topology.name}"`)
    kernels.set(name, kernel)
    return kernel
  }
  return {
    machine,
    kernelOf,
    async run(name, line) {
      const { status, stderr, stdout } = await machine.runLine(namespacePath(namespaceOf(name, lab)), line)
      if (status !== 0) throw new RangeError(`Cannot run "${line}" in ${name}: ${(stderr || stdout).trim()}`)
    },
    close() {
      for (const kernel of kernels.values()) kernel.close()
      takeDown(lab, machine)
    },
  }
}

async function runAll(steps: readonly { run(): void | Promise<void> }[]): Promise<void> {
  for (const { run } of steps) await run()
}
