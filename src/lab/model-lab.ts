/**
 * A lab in the model. It lives in the process that asks; one that shall be there for the next command is built again from
 * its topology and from what was done to it since: the model repeats exactly.
 */
import type { Outcome } from '../command/command.ts'
import type { ModelKernel } from '../model/create.ts'
import { bringUp } from './lab.ts'
import { type ModelMachine, modelMachine } from './model-machine.ts'
import { namespacePath } from './node.ts'
import { actOnNode, type NodeAction } from './node-action.ts'
import { findOrigin, originsOf } from './origin.ts'
import { findPlace } from './place.ts'
import type { LabPlan } from './plan.ts'
import type { Topology } from './topology.ts'
import type { TraceLab } from './trace.ts'

/** A command that was run in a node or pod, or what happened to a node. */
export type Deed = CommandDeed | { readonly node: string; readonly action: NodeAction }

export interface CommandDeed {
  readonly place: string
  readonly line: string
  /** What it read. */
  readonly stdin?: string
}

export interface ModelLabOptions {
  readonly topology: Topology
  /** Where the topology was read from, and the line of a thing in it. */
  readonly source?: { readonly file: string; lineOf(path: readonly (string | number)[]): number | undefined }
  readonly seed?: number
  /** Done after it has come up, in this order. */
  readonly deeds?: readonly Deed[]
}

export interface ModelLab extends TraceLab {
  readonly plan: LabPlan
  readonly machine: ModelMachine
  /** `readStdin` where what it reads is not known before. RangeError when there is no such place. */
  run(deed: CommandDeed, readStdin?: () => string): Promise<Outcome>
  /** What happened, in a sentence. RangeError when it cannot. */
  act(node: string, action: NodeAction): Promise<string>
}

/** RangeError when the topology cannot be built, or a command of it fails. */
export async function buildModelLab({ topology, source, seed, deeds = [] }: ModelLabOptions): Promise<ModelLab> {
  const machine = modelMachine(seed === undefined ? {} : { seed })
  const plan = await bringUp(topology, machine, {
    owned: false,
    run: async (steps) => {
      for (const { run } of steps) await run()
    },
  })
  if (!plan) throw new Error(`A lab "${topology.name}" is in a machine that was made for it`)
  const origins = originsOf(plan, topology, machine, source)
  const pathOf = (name: string) => {
    const place = findPlace(name, plan)
    if (!place) throw new RangeError(`"${name}" is no node or pod of lab "${plan.name}"`)
    return namespacePath(place.namespace)
  }
  const kernels = new Map<string, ModelKernel>()
  const kernelOf = (name: string) => {
    const kernel = kernels.get(name) ?? machine.kernel.enter(pathOf(name))!
    kernels.set(name, kernel)
    return kernel
  }
  const run = async ({ place, line, stdin }: CommandDeed, readStdin = emptied(stdin)): Promise<Outcome> =>
    machine.runLine(pathOf(place), line, readStdin)
  const act = (node: string, action: NodeAction) => actOnNode(plan, node, action, machine)
  for (const deed of deeds) await ('action' in deed ? act(deed.node, deed.action) : run(deed))
  return { plan, machine, originOf: (node, ref) => findOrigin(origins, node, ref), kernelOf, run, act }
}

/** The first that reads gets all of it, as from a file. */
function emptied(text = ''): () => string {
  return () => {
    const all = text
    text = ''
    return all
  }
}
