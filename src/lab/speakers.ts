/**
 * BGP on the nodes of a lab: a speaker each, in its node's namespace, ours or a router's of another make. They begin before the
 * first pod is attached; the lab is up when all sessions are there, and every speaker has written routes to the blocks of all nodes.
 * Their files: state.ts.
 */
import type { WhyRow } from '../bgp/views.ts'
import type { WorldSpeaker } from '../trace/explain/loss.ts'
import { birdFiles } from './bgp/bird.ts'
import { frrFiles } from './bgp/frr.ts'
import type { SpeakerPlan } from './bgp/speaker-plan.ts'
import { DaemonError } from './daemon-error.ts'
import type { Machine } from './machine.ts'
import { namespacePath, withNamespace } from './node.ts'
import type { LabPlan, NodePlan } from './plan.ts'
import { nodeDirectory } from './state.ts'
import type { RouterKind } from './topology.ts'

/** Everything that a speaker on a node is told. Paths are the host's. */
export interface SpeakerPlace {
  readonly node: string
  readonly namespacePath: string
  readonly kind: RouterKind
  /** Directory of its programs, where they are another's. */
  readonly programs: string | undefined
  /** The node's own, with the speaker's configuration. */
  readonly directory: string
}

export interface SpeakerCondition {
  /** Who runs there: in the model all are ours. */
  readonly kind: RouterKind
  readonly isRunning: boolean
  /** What only ours say of themselves; undefined where it is another's, or does not answer. */
  readonly sessions: SpeakerSessions | undefined
}

export interface SpeakerSessions {
  readonly established: number
  readonly wanted: number
  /** `Not established with n2 (192.168.56.12) from 192.168.56.11 (Active): connection refused`. */
  readonly problems: readonly string[]
  /** What it knows a way to, or has itself; without what it has of neighbours that are away. */
  readonly prefixes: readonly string[]
  /** They are in the kernel. */
  readonly isSettled: boolean
}

/** What a machine can do about speakers. */
export interface Speakers {
  /** Throws when it has no program for one. */
  requirePrograms(place: SpeakerPlace): void
  /** Comes back when it has begun. `restarted`: it was there before, and packets have gone on by its routes. */
  start(place: SpeakerPlace, options: { readonly restarted: boolean }): void
  /** As kill -9 does: when it comes back, there is none, and the kernel's routes are as they were. Succeeds twice. */
  kill(place: SpeakerPlace): void
  condition(place: SpeakerPlace): Promise<SpeakerCondition>
  /** What decided between the routes to an address: views.ts. Undefined where nobody can say: it has ended, or is another's. */
  why(place: SpeakerPlace, address: string): Promise<readonly WhyRow[] | undefined>
  /** What it said last, a line each. */
  lastWords(place: SpeakerPlace): readonly string[]
}

export interface SpeakerStatus extends SpeakerCondition {
  /** As far as it says anything of itself. */
  readonly isReady: boolean
  /** Why it is not. */
  readonly problems: readonly string[]
}

/** Milliseconds that speakers have to become ready, and between looks whether they are. */
const PATIENCE = 60_000
const LOOK_AGAIN = 50

/** What our own speaker reads. */
export const CONFIG = 'bgp.json'

export function speakerPlace({ name: lab }: LabPlan, { name, namespace, speaker }: NodePlan, machine: Machine) {
  return {
    node: name,
    namespacePath: namespacePath(namespace),
    kind: speaker!.kind,
    programs: speaker!.programs,
    directory: nodeDirectory(lab, name, machine),
  } satisfies SpeakerPlace
}

/** Throws when the machine lacks a program. */
export function prepareSpeaker(plan: LabPlan, node: NodePlan, machine: Machine): void {
  const place = speakerPlace(plan, node, machine)
  machine.speakers.requirePrograms(place)
  const { files } = machine.host
  files.makeDirectory(place.directory, 0o755)
  for (const [name, text] of Object.entries(filesOf(node.speaker!))) {
    files.replace(`${place.directory}/${name}`, text, 0o644)
  }
}

/** Ours as well for routers of others: in the model that is what they are. */
function filesOf({ kind, config }: SpeakerPlan): Readonly<Record<string, string>> {
  const own = { [CONFIG]: `${JSON.stringify(config, undefined, 2)}\n` }
  switch (kind) {
    case 'overlab':
      return own
    case 'bird':
      return { ...own, ...birdFiles(config) }
    case 'frr':
      return { ...own, ...frrFiles(config) }
  }
}

export async function inspectSpeaker(plan: LabPlan, node: NodePlan, machine: Machine): Promise<SpeakerStatus> {
  const condition = await machine.speakers.condition(speakerPlace(plan, node, machine))
  const problems = whyNotReady(condition, plan, () => prefixesInKernel(node, machine))
  return { ...condition, isReady: problems.length === 0, problems }
}

/** What explanations of losses are told of the lab's speakers. */
export function worldSpeaker({ name, speaker }: NodePlan, { isRunning, sessions }: SpeakerCondition): WorldSpeaker {
  const networks = speaker!.config.networks.map(({ prefix }) => prefix)
  return { node: name, isRunning, networks, problems: sessions?.problems ?? [] }
}

/** Of all nodes that have one. */
export function worldSpeakers(plan: LabPlan, machine: Machine): Promise<WorldSpeaker[]> {
  return Promise.all(
    plan.nodes
      .filter(({ speaker }) => speaker)
      .map(async (node) => worldSpeaker(node, await machine.speakers.condition(speakerPlace(plan, node, machine)))),
  )
}

/** Lets time pass until the node's speaker is ready. DaemonError that says why it is not. */
export async function untilSpeaking(plan: LabPlan, node: NodePlan, machine: Machine): Promise<void> {
  const { host } = machine
  const witnesses = witnessesOf(plan, node)
  for (const start = host.monotonic(); ; ) {
    const statuses = await Promise.all(witnesses.map((each) => inspectSpeaker(plan, each, machine)))
    const i = statuses.findIndex(({ isReady }) => !isReady)
    if (i < 0) return
    const { isRunning, problems } = statuses[i]!
    if (!isRunning || host.monotonic() - start > PATIENCE) throw await notReady(plan, witnesses[i]!, problems, machine)
    await machine.until(() => false, LOOK_AGAIN)
  }
}

/** Who says that the node's speaker is ready: it; where it is not ours, all that are, and hear of each other by way of it. */
function witnessesOf({ nodes }: LabPlan, node: NodePlan): NodePlan[] {
  if (node.speaker!.kind === 'overlab') return [node]
  return [node, ...nodes.filter(({ speaker }) => speaker?.kind === 'overlab')]
}

/** Where a router of others has died, that comes first. */
async function notReady(plan: LabPlan, node: NodePlan, problems: readonly string[], machine: Machine) {
  const all = plan.nodes.filter(({ speaker }) => speaker)
  const statuses = await Promise.all(all.map((each) => inspectSpeaker(plan, each, machine)))
  const dead = all.find((_, i) => !statuses[i]!.isRunning)
  const place = speakerPlace(plan, dead ?? node, machine)
  const reason = dead ? 'it has ended' : problems.join(', ')
  const words = machine.speakers.lastWords(place).map((line) => `\n  ${line}`)
  return new DaemonError(`Cannot bring up BGP on node "${place.node}": ${reason}${words.join('')}`)
}

/** Of a router of another make only its kernel tells what it knows. */
function whyNotReady(
  { kind, isRunning, sessions }: SpeakerCondition,
  { nodes }: LabPlan,
  inKernel: () => readonly string[],
): readonly string[] {
  if (!isRunning) return ['it has ended']
  if (kind !== 'overlab') return withoutRoutes(nodes, inKernel())
  if (!sessions) return ['it does not answer']
  if (sessions.problems.length > 0) return sessions.problems
  const missing = withoutRoutes(nodes, sessions.prefixes)
  return missing.length > 0 || sessions.isSettled ? missing : ['not all of its routes are in the kernel']
}

function withoutRoutes(nodes: readonly NodePlan[], prefixes: readonly string[]): string[] {
  const known = new Set(prefixes)
  return nodes.flatMap(({ name, podNetwork }) => {
    const subnet = podNetwork?.subnet
    return subnet === undefined || known.has(subnet) ? [] : `no route to ${subnet} of ${name}`
  })
}

function prefixesInKernel({ namespace }: NodePlan, machine: Machine): string[] {
  const routes = withNamespace(namespace, machine, (kernel) => kernel.routes.list({ family: 'ipv4' })) ?? []
  return routes.map(({ destination }) => destination)
}
