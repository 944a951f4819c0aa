/** What becomes of a frame, as a golden's `expect` says it: test/golden/README.md. */
import type { Ending, Journey } from '../model/observer.ts'
import { family, fateOf } from '../trace/fate.ts'
import type { Expectation } from './walk.ts'

export interface FrameEnding {
  /** Undefined while it is on its way, or waits. */
  readonly ending: Expectation | undefined
  readonly outcome: 'delivered' | 'answered by ICMP' | 'dropped' | 'unsupported' | 'under way'
}

export function endingOf(journey: Journey): FrameEnding {
  const fate = fateOf(journey)
  return { ending: expectation(fate), outcome: outcomeOf(journey, fate) }
}

function outcomeOf(journey: Journey, fate: Ending | undefined): FrameEnding['outcome'] {
  if (fate?.disposition === 'delivered' || fate?.disposition === 'unsupported') return fate.disposition
  const answered = [...family(journey)].some(({ cause }) => cause === 'icmp')
  if (answered) return 'answered by ICMP'
  return fate ? 'dropped' : 'under way'
}

export function expectation(ending: Ending | undefined): Expectation | undefined {
  if (!ending) return undefined
  const at = `${nameOf(ending.device.namespace.path)}:${ending.device.name}`
  if (ending.disposition === 'delivered') return { disposition: 'delivered', at }
  if (ending.disposition === 'unsupported') return { disposition: 'unsupported', thing: ending.thing, at }
  return { reason: ending.reason, function: ending.kernel, at }
}

/** `/run/netns/ovl-n1@T2` is n1. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/^ovl-(.*)@.*$/, '$1')
}
