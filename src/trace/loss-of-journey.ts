/** Losses in the model, as explanations start from them. */
import type { Journey } from '../model/observer.ts'
import type { TraceResult } from './document.ts'
import type { Loss, Place, World } from './explain/loss.ts'
import { type Asked, unseenLoss } from './not-sent.ts'

/** A namespace's path as the lab's name for it: `n1`. */
type NameOf = (namespacePath: string) => string

/** What no capture saw, of somebody else than the sender: the kernel's words must do. */
export function unexplained({ ending }: Journey): Pick<TraceResult, 'why'> {
  if (ending?.disposition !== 'dropped') return {}
  const { kernel, reason, ownReason, what, ref } = ending
  return { why: `${kernel} dropped it: ${what || (ownReason ?? reason)}${ref === undefined ? '' : ` (${ref})`}.` }
}

/** What the sender's own kernel dropped before a capture could see it. */
export function unseenBy(asked: Asked, { ending, parent }: Journey, nameOf: NameOf): Loss | undefined {
  if (ending?.disposition !== 'dropped' || parent !== undefined) return undefined
  const { kernel, ref, device } = ending
  if (nameOf(device.namespace.path) !== asked.client.name) return undefined
  return unseenLoss(asked, { reason: ending.ownReason ?? ending.reason, kernel, ref, device: device.name })
}

/** The loss as captures saw it; undefined where none did, and for anything that was not dropped. */
export function lossOfJourney(journey: Journey, client: Place, world: World, nameOf: NameOf): Loss | undefined {
  const ending = journey.ending
  const seen = journey.steps.findLast(({ frame }) => frame !== undefined)
  if (ending?.disposition !== 'dropped' || !seen?.frame) return undefined
  const place = world.places.find(({ name }) => name === nameOf(ending.device.namespace.path))
  if (!place) return undefined
  const before =
    journey.cause === 'icmp' && journey.parent ? lossOfJourney(journey.parent, client, world, nameOf) : undefined
  return {
    place,
    device: ending.device.name,
    reason: ending.ownReason ?? ending.reason,
    kernel: ending.kernel,
    ref: ending.ref,
    frame: seen.frame,
    network: seen.device.hasLinkLayer ? 14 : 0,
    client,
    before,
    path: pathOf(journey, nameOf),
  }
}

/** Places that it came to, in their order. */
function pathOf(journey: Journey, nameOf: NameOf): string[] {
  const before = journey.parent && CARRIED_ON.includes(journey.cause) ? pathOf(journey.parent, nameOf) : []
  const names = journey.steps.map(({ device }) => nameOf(device.namespace.path))
  return [...before, ...names].filter((name, i, all) => name !== all[i - 1])
}

const CARRIED_ON: readonly Journey['cause'][] = ['clone', 'fragment', 'reassembled']
