/** The model's journeys as traces. */
import type { Ending, Journey, Step } from '../model/observer.ts'
import type { Disposition, TraceDocument, TraceResult, TraceStep, Where } from './document.ts'
import { fateOf } from './fate.ts'
import { toHex } from './hex.ts'
import { summarise } from './summary.ts'

/** What a journey does not say of itself. */
export interface Telling {
  readonly engine: TraceDocument['engine']
  /** Name of the lab. */
  readonly lab: string
  /** Microseconds of the model's clock at which the trace began. */
  readonly start: number
  /** A namespace's path as the lab's name for it: `n1`. */
  nameOf(namespacePath: string): string
  /** Who made the object that a step refers to: `CNI ADD of web-0`, `flannel lease n2`. Undefined where nobody knows. */
  originOf(node: string, ref: string): string | undefined
}

export function documentOf(journey: Journey, telling: Telling): TraceDocument {
  const steps = journey.steps.map((step, n) => stepOf(step, n, telling))
  const first = journey.steps.find(({ frame }) => frame !== undefined)
  const { node, dev = '' } = first ? whereOf(first, telling) : { node: '' }
  return {
    v: 1,
    id: idOf(journey),
    engine: telling.engine,
    input: {
      node,
      dev,
      dir: first?.direction ?? 'out',
      hex: toHex(first?.frame ?? new Uint8Array()),
      summary: first?.frame ? summarise(first.frame, first.device.hasLinkLayer ? 14 : 0) : '',
    },
    steps,
    result: resultOf(journey, telling),
  }
}

export function idOf({ id }: Journey): string {
  return `t${id}`
}

/** The words of an ending, without why and fix. */
export function resultOf(journey: Journey, telling: Telling): TraceResult {
  const ending = fateOf(journey)
  const reply = journey.children.find(({ cause }) => cause === 'reply')
  const spawned = journey.children.filter((child) => child !== reply).map(idOf)
  return {
    ...(ending ? endingOf(ending, telling) : { disposition: 'queued' as Disposition }),
    hops: journey.steps.filter(({ stage }) => stage === 'forward').length,
    ...(reply && { reply: idOf(reply) }),
    ...(spawned.length > 0 && { spawned }),
  }
}

function endingOf(ending: Ending, telling: Telling): TraceResult {
  const at = { node: telling.nameOf(ending.device.namespace.path), dev: ending.device.name }
  if (ending.disposition === 'delivered') return { disposition: 'delivered', at, socket: ending.by }
  if (ending.disposition === 'unsupported') return { disposition: 'unsupported', reason: ending.thing, at }
  return { disposition: 'dropped', reason: ending.ownReason ?? ending.reason, kernel: ending.kernel, at }
}

function stepOf(step: Step, n: number, telling: Telling): TraceStep {
  const { stage, what, kernel, ref, verdict, reason, set, meta, frame } = step
  const at = whereOf(step, telling)
  const origin = ref === undefined ? undefined : telling.originOf(at.node, ref)
  return {
    n,
    t: (step.time - telling.start) / 1000,
    at,
    stage,
    what,
    ...(kernel !== undefined && { kernel }),
    ...(ref !== undefined && { ref: origin ? `${ref} (${origin})` : ref }),
    ...(verdict !== undefined && { verdict }),
    ...(reason !== undefined && { reason }),
    ...(set !== undefined && { set }),
    ...(meta !== undefined && { meta }),
    ...(frame !== undefined && { len: frame.length, hex: toHex(frame) }),
  }
}

function whereOf({ device }: Step, { nameOf }: Telling): Where & { readonly dev: string } {
  return { node: nameOf(device.namespace.path), dev: device.name }
}
