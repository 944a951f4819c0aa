/**
 * What BGP has to do with a route on the way: from whom the node has it, by what AS path, and why it and no other. The node's
 * speaker says so; where nobody can, the number of the route's protocol says at least who wrote it.
 */
import type { WhyRow } from '../bgp/views.ts'
import type { TraceDocument, TraceStep } from './document.ts'
import { fromHex } from './hex.ts'
import { readHeaders } from './summary.ts'

/** Where routes of BGP come from: linux/rtnetlink.h, and ours. */
const WRITERS: ReadonlyMap<number, string> = new Map([
  [0xb6, 'overlab'],
  [11, 'FRR'],
  [12, 'BIRD'],
  [186, 'FRR'],
])

/** Name of who writes routes of this protocol, if it speaks BGP. */
export function writerOf(protocol: number | undefined): string | undefined {
  return WRITERS.get(protocol ?? 0)
}

/** By what route does it go on from here? */
export interface RouteQuestion {
  readonly node: string
  /** The step that tells of the route; of a kernel's captures, which tell of none, that before which it is to be told. */
  readonly step: TraceStep
  readonly destination: string
}

/** What is to be told at a step. */
export interface LearnedRoute {
  /** `10.244.2.0/26 via 192.168.56.12 dev eth0`. */
  readonly route: string
  /** `BGP from n2, AS_PATH 65001`. Without parentheses. */
  readonly maker: string
  /** Neighbour, next hop, AS_PATH, why. */
  readonly details: Readonly<Record<string, string>>
}

/** A question for each node that routes the packet: where the model says that it does; where captures see it leave first. */
export function routeQuestions({ steps, engine }: TraceDocument): RouteQuestion[] {
  const questions = steps.flatMap((step, i): RouteQuestion[] => {
    const isAsked = engine.kind === 'model' ? step.stage === 'route' : step.stage === 'tap' && step.what === 'out'
    const { node } = step.at
    if (!isAsked) return []
    const taps = steps.filter(({ hex, at }) => hex !== undefined && at.node === node)
    const tap = taps.find(({ n }) => n >= step.n) ?? taps.findLast(({ n }) => n < step.n) ?? steps[i]!
    const destination = tap.hex === undefined ? undefined : readHeaders(fromHex(tap.hex))?.destination
    return destination === undefined ? [] : [{ node, step, destination }]
  })
  return engine.kind === 'model'
    ? questions
    : questions.filter(({ node }, i) => questions.findIndex((each) => each.node === node) === i)
}

/** The document with what is known of routes at its steps; of a kernel's, with a step for each. */
export function withLearned(document: TraceDocument, learned: ReadonlyMap<TraceStep, LearnedRoute>): TraceDocument {
  if (learned.size === 0) return document
  const steps = document.steps.flatMap((step): Omit<TraceStep, 'n'>[] => {
    const found = learned.get(step)
    if (!found) return [step]
    const { route, maker, details } = found
    const told = { ref: `route ${route} (${maker})`, meta: { ...step.meta, ...details } }
    if (step.stage === 'route') return [{ ...step, ...told }]
    return [{ t: step.t, at: step.at, stage: 'route', what: route, ...told }, step]
  })
  return { ...document, steps: steps.map((step, n) => ({ ...step, n })) }
}

/** What a speaker's answer comes to. `nameOf` is of a neighbour's address; undefined: it has none. */
export function toldBy(rows: readonly WhyRow[], nameOf: (address: string) => string | undefined) {
  const [best, ...others] = rows.filter(({ unusable }) => unusable === undefined)
  if (best?.from === undefined) return undefined
  const neighbour = nameOf(best.from) ?? best.from
  const asPath =
    best.asPath.map((each) => (typeof each === 'number' ? each : `{${each.join(' ')}}`)).join(' ') || 'empty'
  const chosen = whyChosen(others, (address) => nameOf(address) ?? address)
  const facts = [best.stale && 'which is away', `AS_PATH ${asPath}`, others.length > 0 && chosen].filter(Boolean)
  return {
    maker: `BGP from ${neighbour}, ${facts.join(', ')}`,
    details: {
      neighbour: `${neighbour}${neighbour === best.from ? '' : ` ${best.from}`}`,
      nextHop: best.nextHop ?? 'self',
      asPath,
      chosen,
    },
  }
}

/** `the only path`, `before tor2 by "shortest AS_PATH", beside tor3`. */
function whyChosen(others: readonly WhyRow[], nameOf: (address: string) => string): string {
  const told = others.map(({ from, lostAt, multipath }) => {
    const name = from === undefined ? 'its own' : nameOf(from)
    return multipath ? `beside ${name}` : `before ${name} by "${lostAt}"`
  })
  return told.join(', ') || 'the only path'
}
