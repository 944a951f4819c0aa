/** A trace with what BGP has to do with its routes: every node on the way is asked, in either engine. */
import { parseIp } from '../../address/ip.ts'
import { contains, parsePrefix } from '../../address/prefix.ts'
import type { Route } from '../../kernel/route.ts'
import type { TraceDocument, TraceStep } from '../../trace/document.ts'
import {
  type LearnedRoute,
  type RouteQuestion,
  routeQuestions,
  toldBy,
  withLearned,
  writerOf,
} from '../../trace/learned.ts'
import type { Machine } from '../machine.ts'
import { withNamespace } from '../node.ts'
import type { LabPlan, NodePlan } from '../plan.ts'
import { speakerPlace } from '../speakers.ts'

export async function tellLearned(document: TraceDocument, plan: LabPlan, machine: Machine): Promise<TraceDocument> {
  const learned = new Map<TraceStep, LearnedRoute>()
  for (const question of routeQuestions(document)) {
    const route = await learnedRoute(question, plan, machine)
    if (route) learned.set(question.step, route)
  }
  const told = withLearned(document, learned)
  const { traces } = told
  if (!traces) return told
  return { ...told, traces: await Promise.all(traces.map((each) => tellLearned(each, plan, machine))) }
}

async function learnedRoute(
  { node: name, destination }: RouteQuestion,
  plan: LabPlan,
  machine: Machine,
): Promise<LearnedRoute | undefined> {
  const node = plan.nodes.find((each) => each.name === name)
  const route = node && routeTo(destination, node, machine)
  const writer = writerOf(route?.protocol)
  if (!route || writer === undefined) return undefined
  const text = formatRoute(route)
  const place = node.speaker && speakerPlace(plan, node, machine)
  const rows = place && (await machine.speakers.why(place, destination))
  const told = rows && toldBy(rows, (address) => nameOf(address, node))
  if (told) return { route: text, ...told }
  const maker = writer === 'overlab' ? 'BGP, and its speaker has ended' : `BGP by ${writer}`
  return { route: text, maker, details: {} }
}

/** The longest; of these the one with the lowest metric. */
function routeTo(destination: string, { namespace }: NodePlan, machine: Machine): Route | undefined {
  const ip = parseIp(destination)
  const family = destination.includes(':') ? 'ipv6' : 'ipv4'
  const routes = withNamespace(namespace, machine, (kernel) => kernel.routes.list({ family })) ?? []
  const lengthOf = ({ destination: prefix }: Route) => parsePrefix(prefix).length
  return routes
    .filter(({ destination: prefix }) => contains(parsePrefix(prefix), ip))
    .sort((a, b) => lengthOf(b) - lengthOf(a) || (a.metric ?? 0) - (b.metric ?? 0))[0]
}

/** As the model tells of one. */
function formatRoute({ type = 'unicast', destination, gateway, link, nextHops, metric }: Route): string {
  const hops = nextHops ?? [{ gateway, link }]
  const words = hops.flatMap((hop) => [hop.gateway && `via ${hop.gateway}`, hop.link && `dev ${hop.link}`])
  const kind = type === 'unicast' ? undefined : type
  return [kind, destination, ...words, metric ? `metric ${metric}` : undefined].filter(Boolean).join(' ')
}

function nameOf(address: string, { speaker }: NodePlan): string | undefined {
  return speaker?.config.neighbors.find((each) => each.address === address)?.name
}
