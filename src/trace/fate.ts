/**
 * What became of a packet: the ending of its own journey, or, where it was split up or copied, the ending that matters of
 * those that went on in its place.
 */
import type { Cause, Ending, Journey } from '../model/observer.ts'

/** Journeys that carry the packet itself on. */
const CONTINUATIONS: readonly Cause[] = ['clone', 'fragment', 'reassembled']

/** Undefined while it is on its way, or waits. A packet that was delivered anywhere is delivered. */
export function fateOf(journey: Journey): Ending | undefined {
  const endings = [journey, ...journey.children.filter(({ cause }) => CONTINUATIONS.includes(cause))]
    .map((each) => (each === journey ? journey.ending : fateOf(each)))
    .filter((ending) => ending !== undefined)
  return endings.find(({ disposition }) => disposition === 'delivered') ?? endings.at(-1)
}

/** Every journey that this one led to, itself first. */
export function* family(journey: Journey): Generator<Journey> {
  yield journey
  for (const child of journey.children) yield* family(child)
}

/**
 * Where a conversation broke: a packet of it that was dropped, and of those the last word. The drop of an ICMP error that
 * would have told the sender decides more than the drop it tells of; a reply that is lost more than the question.
 */
export function breakOf(journey: Journey): Ending | undefined {
  const ending = fateOf(journey)
  const answers = journey.children.filter(({ cause }) => cause === 'icmp' || cause === 'reply')
  for (const answer of answers) {
    const broken = breakOf(answer)
    if (broken?.disposition === 'dropped') return broken
  }
  for (const part of journey.children.filter(({ cause }) => CONTINUATIONS.includes(cause))) {
    const broken = breakOf(part)
    if (broken && broken !== ending) return broken
  }
  return ending?.disposition === 'delivered' ? undefined : ending
}
