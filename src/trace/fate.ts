/**
 * What became of a packet: the ending of its own journey, or, where it was split up or copied, the ending that matters of
 * those that went on in its place.
 */
import type { Cause, Ending, Journey } from '../model/observer.ts'

/** Journeys that carry the packet itself on. */
const CONTINUATIONS: readonly Cause[] = ['clone', 'fragment', 'reassembled']

/** What takes a packet apart or puts it together: others go on in its place. */
const HANDS_ON: readonly string[] = ['ip_do_fragment', 'ip6_fragment', 'ip_frag_reasm', 'ip6_frag_reasm']

/** Undefined while it is on its way, or waits. A packet that was delivered anywhere is delivered; of losses the last counts. */
export function fateOf(journey: Journey): Ending | undefined {
  const endings = [...continuationsOf(journey)]
    .toSorted((one, other) => one.endedAfter - other.endedAfter)
    .flatMap(({ ending }) => ending ?? [])
    .filter((ending) => ending.disposition !== 'delivered' || !HANDS_ON.includes(ending.by))
  return endings.find(({ disposition }) => disposition === 'delivered') ?? endings.at(-1)
}

/** The journey, and those that carried its packet on. */
function* continuationsOf(journey: Journey): Generator<Journey> {
  yield journey
  for (const child of journey.children) if (CONTINUATIONS.includes(child.cause)) yield* continuationsOf(child)
}

/** Every journey that this one led to, itself first. */
export function* family(journey: Journey): Generator<Journey> {
  yield journey
  for (const child of journey.children) yield* family(child)
}

/**
 * Where a conversation broke: the packet of it that was lost, and of several the last word. That an ICMP error is lost which
 * would have told the sender decides more than the loss it tells of; the loss of a reply more than the question's way.
 * Undefined when nothing of it was lost.
 */
export function lostOf(journey: Journey): Journey | undefined {
  const delivered = fateOf(journey)?.disposition === 'delivered'
  // What answers a lost packet, such as a reset, is no part of the conversation; an error that tells of the loss is.
  for (const answer of journey.children.filter(({ cause }) => cause === (delivered ? 'reply' : 'icmp'))) {
    const lost = lostOf(answer)
    if (lost) return lost
  }
  if (delivered) return undefined
  for (const part of journey.children.filter(({ cause }) => CONTINUATIONS.includes(cause))) {
    const lost = lostOf(part)
    if (lost) return lost
  }
  return journey.ending === undefined ? undefined : journey
}
