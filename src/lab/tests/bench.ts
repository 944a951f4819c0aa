/** Where a file's tests are run: a lab in one of the engines, asked and changed alike. */
import type { Outcome } from '../../command/command.ts'
import { SECOND } from '../../model/clock.ts'
import type { TraceDocument } from '../../trace/document.ts'
import { tellLearned } from '../bgp/learned-routes.ts'
import { bringUp, type Step, takeDown } from '../lab.ts'
import type { Machine } from '../machine.ts'
import { buildModelLab, type Deed } from '../model-lab.ts'
import { enter, namespacePath } from '../node.ts'
import { findOrigin, originsOf } from '../origin.ts'
import { findPlace } from '../place.ts'
import type { LabPlan } from '../plan.ts'
import { readState } from '../state.ts'
import type { Topology } from '../topology.ts'
import { acquaint, type TraceRequest, traceInModel } from '../trace.ts'
import { acquaint as acquaintInKernel, traceInKernel } from '../trace-kernel.ts'

export interface Bench {
  readonly plan: LabPlan
  readonly machine: Machine
  /** A lab that was up before, and stays as it is made here. */
  readonly isStanding: boolean
  ask(request: TraceRequest): Promise<TraceDocument>
  /** One echo request there and back, so that those on the way know each other. */
  hello(from: string, address: string): Promise<void>
  /** RangeError when there is no such place. */
  run(place: string, line: string): Promise<Outcome>
  wait(seconds: number): Promise<void>
  /** What could not be taken down. */
  close(): readonly string[]
}

/** The topology, and where it was read from. */
export interface Described {
  readonly topology: Topology
  readonly source: { readonly file: string; lineOf(path: readonly (string | number)[]): number | undefined } | undefined
}

/** Milliseconds for an answer to a greeting. */
const GREETING = 1000

/** `standing`: how a lab came to be that is up already. RangeError when the topology cannot be built. */
export async function modelBench(
  { topology, source }: Described,
  options: {
    readonly seed?: number | undefined
    readonly standing?: { readonly topology: Topology; readonly deeds: readonly Deed[] } | undefined
  } = {},
): Promise<Bench> {
  const { seed, standing } = options
  const lab = await buildModelLab({
    topology: standing?.topology ?? topology,
    deeds: standing?.deeds ?? [],
    ...(source && { source }),
    ...(seed !== undefined && { seed }),
  })
  const { plan, machine } = lab
  const { model } = machine.kernel
  acquaint(lab)
  return {
    plan,
    machine,
    isStanding: false, // it is another of the same kind
    ask: async (request) => tellLearned(traceInModel(request, lab), plan, machine),
    async hello(from, address) {
      let answered = false
      lab.kernelOf(from).namespace.sockets.ping(address, { timeout: GREETING }, () => {
        answered = true
      })
      model.runUntil(() => answered, model.clock.now + SECOND)
    },
    run: (place, line) => lab.run({ place, line }),
    async wait(seconds) {
      await machine.until(() => false, seconds * 1000)
    },
    close: () => [],
  }
}

/** RangeError when the topology cannot be built; KernelError where the kernel lacks something. Undefined while another process builds it. */
export async function kernelBench(
  { topology, source }: Described,
  machine: Machine,
  run: (steps: readonly Step[]) => Promise<void>,
): Promise<Bench | undefined> {
  const standing = readState(topology.name, machine)?.plan
  const plan = standing ?? (await bringUp(topology, machine, { owned: true, run }))
  if (!plan) return undefined
  const origins = originsOf(plan, topology, machine, source)
  const lab = { plan, machine, originOf: (node: string, ref: string) => findOrigin(origins, node, ref) }
  const bench: Bench = {
    plan,
    machine,
    isStanding: standing !== undefined,
    ask: async (request) => tellLearned(await traceInKernel(request, lab), plan, machine),
    async hello(from, address) {
      const kernel = enter(requirePlace(from, plan).namespace, machine)
      try {
        await kernel?.ping(address, { timeout: GREETING })
      } finally {
        kernel?.close()
      }
    },
    run: (place, line) => machine.runLine(namespacePath(requirePlace(place, plan).namespace), line),
    async wait(seconds) {
      await machine.until(() => false, seconds * 1000)
    },
    close: () => (standing ? [] : takeDown(plan.name, machine).complaints),
  }
  if (standing) return bench
  try {
    await acquaintInKernel(lab)
    return bench
  } catch (error) {
    bench.close()
    throw error
  }
}

function requirePlace(name: string, plan: LabPlan) {
  const place = findPlace(name, plan)
  if (!place) throw new RangeError(`"${name}" is no node or pod of lab "${plan.name}"`)
  return place
}
