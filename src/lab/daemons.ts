/**
 * `overlab daemon` on the nodes of a lab: one each, in its node's namespace, over a store that all of them share. They begin
 * before the first pod is attached; the lab is up when every one of them is ready and knows the others. Their files: state.ts.
 */
import { parseSubnetFile } from '../overlay/subnet-file.ts'
import { DaemonError } from './daemon-error.ts'
import type { Machine } from './machine.ts'
import { namespacePath } from './node.ts'
import type { LabPlan, NodePlan } from './plan.ts'
import { nodeDirectory, overlayDirectory, subnetFile } from './state.ts'

/** Everything that a daemon on a node is told. Paths are the host's. */
export interface DaemonPlace {
  readonly node: string
  readonly namespacePath: string
  /** The link by which other nodes know it. */
  readonly link: string
  /** net-conf.json. */
  readonly networkConfig: string
  readonly store: string
  readonly subnetFile: string
  /** The node's own, for whatever a machine keeps of a daemon. */
  readonly directory: string
}

export interface DaemonCondition {
  readonly isRunning: boolean
  readonly isReady: boolean
  /** Why it is not ready. */
  readonly problems: readonly string[]
  /** What works all the same, but not as it should. */
  readonly warnings: readonly string[]
  /** Other nodes that it has told the kernel of. */
  readonly peers: number
  /** Things that the kernel refuses just now. */
  readonly refused: number
}

/** What a machine can do about daemons. */
export interface Daemons {
  /** KernelError when no daemon can use the backend here. */
  requireBackend(backend: string): void
  /** Comes back when it has begun, not when it is ready. */
  start(place: DaemonPlace): void
  /** As kill -9 does: when it comes back, there is none. Succeeds twice. */
  kill(place: DaemonPlace): void
  /** Removes what one that was killed has left outside of its lab's directory, before its namespace goes. */
  forget(place: DaemonPlace): void
  condition(place: DaemonPlace): Promise<DaemonCondition>
  /** What it said last, a line each. */
  lastWords(place: DaemonPlace): readonly string[]
}

export interface DaemonStatus extends DaemonCondition {
  readonly backend: string
  /** Undefined until it has taken one. */
  readonly subnet: string | undefined
}

/** Milliseconds that daemons have to become ready, and between looks whether they are. */
const PATIENCE = 60_000
const LOOK_AGAIN = 50

export function hasDaemon(node: NodePlan): boolean {
  return node.daemon !== undefined
}

export function daemonPlace({ name: lab }: LabPlan, { name, namespace, daemon }: NodePlan, machine: Machine) {
  const shared = overlayDirectory(lab, machine)
  return {
    node: name,
    namespacePath: namespacePath(namespace),
    link: daemon!.link,
    networkConfig: `${shared}/net-conf.json`,
    store: `${shared}/store`,
    subnetFile: subnetFile(lab, name, machine),
    directory: nodeDirectory(lab, name, machine),
  } satisfies DaemonPlace
}

/** KernelError when the machine cannot run the backend. */
export function prepareDaemons(plan: LabPlan, machine: Machine): void {
  const { files } = machine.host
  const [first] = plan.nodes.filter(hasDaemon)
  if (!first) return
  machine.daemons.requireBackend(first.daemon!.backend)
  const { networkConfig } = daemonPlace(plan, first, machine)
  files.makeDirectory(networkConfig.slice(0, networkConfig.lastIndexOf('/')), 0o755)
  files.replace(networkConfig, plan.networkConfig!, 0o644)
}

export function startDaemon(plan: LabPlan, node: NodePlan, machine: Machine): void {
  machine.daemons.start(daemonPlace(plan, node, machine))
}

export function killDaemon(plan: LabPlan, node: NodePlan, machine: Machine): void {
  machine.daemons.kill(daemonPlace(plan, node, machine))
}

export function forgetDaemon(plan: LabPlan, node: NodePlan, machine: Machine): void {
  machine.daemons.forget(daemonPlace(plan, node, machine))
}

export async function inspectDaemon(plan: LabPlan, node: NodePlan, machine: Machine): Promise<DaemonStatus> {
  const place = daemonPlace(plan, node, machine)
  const subnet = takenSubnet(plan.name, node, machine)
  return { ...(await machine.daemons.condition(place)), backend: node.daemon!.backend, subnet }
}

/** What the node's subnet.env says; undefined before there is one. */
export function takenSubnet(lab: string, { name }: NodePlan, machine: Machine): string | undefined {
  const text = machine.host.files.read(subnetFile(lab, name, machine))
  return parseSubnetFile(text ?? '').subnets.ipv4
}

/** Lets time pass until the node's daemon is ready, and the kernel has taken what leads to `peers` others. DaemonError that says why not. */
export async function untilReady(plan: LabPlan, node: NodePlan, peers: number, machine: Machine): Promise<void> {
  const place = daemonPlace(plan, node, machine)
  const { host, daemons } = machine
  for (const start = host.monotonic(); ; ) {
    const condition = await daemons.condition(place)
    if (condition.isReady && condition.peers >= peers && condition.refused === 0) return
    if (!condition.isRunning || host.monotonic() - start > PATIENCE) throw notReady(place, condition, peers, machine)
    await machine.until(() => false, LOOK_AGAIN)
  }
}

function notReady(
  place: DaemonPlace,
  { isRunning, isReady, problems, warnings, peers, refused }: DaemonCondition,
  wanted: number,
  { daemons }: Machine,
): DaemonError {
  const lacks = refused > 0 ? warnings : [`it knows ${peers} of ${wanted} other nodes`]
  const reasons = isReady ? lacks : problems
  const reason = [...(isRunning ? [] : ['it has ended']), ...reasons].join(': ')
  const words = daemons.lastWords(place).map((line) => `\n  ${line}`)
  return new DaemonError(`Cannot bring up the daemon of node "${place.node}": ${reason}${words.join('')}`)
}
