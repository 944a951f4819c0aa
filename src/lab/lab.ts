/**
 * The lab: a topology as network namespaces on one machine.
 *
 *        n1                                   n2                  nodes: namespaces that forward
 *   ┌───────────────────────┐           ┌───────────────────────┐
 *   │ cni0 10.244.1.1       │           │ cni0 10.244.2.1       │  made by the CNI plugins
 *   │  ├─ vethX ── web-0    │ eth0 eth0 │  ├─ vethX ── api-0    │  pods: namespaces that the plugins
 *   │  └─ vethX ── web-1    │───────────│  └─ vethX ── api-1    │  attach
 *   └───────────────────────┘   veth    └───────────────────────┘
 *        10.244.2.0/24 via n2                10.244.1.0/24 via n1
 *
 * The way in is a plan (plan.ts), written to disk (state.ts) before anything of it is made. Coming up is a list of steps,
 * so that whoever shows progress, or is interrupted, stands between two of them. Going down looks for everything that the
 * plan names and for every namespace of the lab's, made or not; it succeeds twice.
 *
 * The lab asks `Kernel` and `Host` for everything, and runs plugins as a container runtime does: cni/runtime.
 */
import { hostOf } from '../address/prefix.ts'
import { ignoring, isErrno } from '../kernel/errors.ts'
import { reconcile } from '../reconcile/apply.ts'
import { agentOf } from './agents.ts'
import type { OverlayPlan } from './cluster.ts'
import { commandsOf, describeNode, isDescribed, type NodeCommand } from './describe-node.ts'
import { addLink, addRoute, impairLink, LAB_GROUP } from './link.ts'
import type { Machine, ProcessIdentity } from './machine.ts'
import { addNode, forgetAddresses, namespacePath, withNamespace } from './node.ts'
import { isNamespaceOf, type LabPlan, nodeOf, planLab, type ServicePlan } from './plan.ts'
import { addPod, detachPod, getAttached } from './pod.ts'
import { rulesOf } from './service.ts'
import { claimState, listLabs, readState, removeState, replaceState } from './state.ts'
import type { Topology } from './topology.ts'

export interface Step {
  readonly title: string
  run(): void | Promise<void>
}

/** Runs the steps in order. Whatever it throws takes the lab down again. */
export type RunSteps = (steps: readonly Step[]) => Promise<void>

/** Milliseconds that a process at work on a lab gets to end by itself, and between looks whether it has. */
const PATIENCE = 10_000
const LOOK_AGAIN = 10

export interface Removal {
  readonly outcome: 'removed' | 'absent'
  /** What went wrong on the way, and is no obstacle any more. */
  readonly complaints: readonly string[]
}

/**
 * Builds the lab, or nothing. Undefined when there is one of this name. With `owned` it is this process's: when that
 * dies without taking it down, the next command that brings it up clears it away.
 */
export async function bringUp(
  topology: Topology,
  machine: Machine,
  { owned, run }: { readonly owned: boolean; readonly run: RunSteps },
): Promise<LabPlan | undefined> {
  const plan = planLab(topology)
  const owner = machine.processes.own
  clearRemains(plan.name, machine)
  if (!claimState({ plan, owner }, machine)) return undefined
  try {
    await run(stepsOf(plan, machine))
    if (!owned) replaceState({ plan }, machine)
  } catch (error) {
    tearDown(plan.name, plan, machine)
    throw error
  }
  return plan
}

/** Succeeds twice. A process that is at work on the lab is ended first. */
export function takeDown(lab: string, machine: Machine): Removal {
  const state = readState(lab, machine)
  if (state?.owner && state.owner.id !== machine.processes.own.id) endOwner(state.owner, machine)
  const { outcome, complaints } = tearDown(lab, state?.plan, machine)
  return { outcome: state ? 'removed' : outcome, complaints }
}

function endOwner(owner: ProcessIdentity, { processes, host }: Machine): void {
  if (!processes.isAlive(owner)) return
  processes.end(owner.id, 'SIGTERM')
  for (const start = host.monotonic(); host.monotonic() - start < PATIENCE; host.sleep(LOOK_AGAIN)) {
    if (!processes.isAlive(owner)) return
  }
  processes.end(owner.id, 'SIGKILL')
}

/** What runs in the namespace, also what nobody has written down. */
function endAll(path: string, { processes, host }: Machine): void {
  const start = host.monotonic()
  for (let ids = processes.inNamespace(path); ids.length > 0; ids = processes.inNamespace(path)) {
    for (const id of ids) processes.end(id, 'SIGKILL')
    if (host.monotonic() - start > PATIENCE) return
    host.sleep(LOOK_AGAIN)
  }
}

function stepsOf(plan: LabPlan, machine: Machine): Step[] {
  const { nodes, links, routes, pods, services } = plan
  return [
    ...nodes.map((node) => ({
      title: `node ${node.name}`,
      run: () => asDescribed(node.name, () => addNode(plan, node, machine)),
    })),
    ...links.map((link) => ({
      title: `link ${link.ends.map(({ node, ifName }) => `${node}:${ifName}`).join(' – ')}`,
      run: () => addLink(plan, link, machine),
    })),
    ...links
      .filter(({ impair }) => impair)
      .map((link) => ({
        title: `impairment of ${link.ends.map(({ node, ifName }) => `${node}:${ifName}`).join(' – ')}`,
        run: () => impairLink(plan, link, machine),
      })),
    ...nodes.filter(isDescribed).map((node) => ({
      title: `interfaces and routes of ${node.name}`,
      run: () =>
        asDescribed(node.name, () =>
          withNamespace(node.namespace, machine, (kernel) => describeNode(kernel, node.description)),
        ),
    })),
    ...nodes.flatMap((node) =>
      commandsOf(node).map((command) => ({
        title: `${node.name}: ${command.title}`,
        run: () => runCommand(node.namespace, command, machine),
      })),
    ),
    ...routes.map((route) => ({
      title: `route ${route.destination} via ${route.gateway} on ${route.node}`,
      run: () => addRoute(plan, route, machine),
    })),
    ...nodes.flatMap(({ name, namespace, overlay }) =>
      overlay ? [{ title: `overlay of ${name}`, run: () => addOverlay(namespace, overlay, machine) }] : [],
    ),
    ...agentSteps(plan, machine),
    ...pods.map((pod) => ({
      title: `pod ${pod.name} on ${pod.node}`,
      run: () => addPod(plan, pod, nodeOf(pod, plan), machine),
    })),
    ...pods
      .filter(({ listen }) => listen.length > 0)
      .map(({ name, namespace, listen }) => ({
        title: `${listen.join(', ')} of ${name}`,
        run: async () => {
          await machine.listen(namespacePath(namespace), listen)
        },
      })),
    ...services.map((service) => ({
      title: `service ${service.name}`,
      run: () => addService(plan, service, machine),
    })),
  ]
}

/** All of them begin before the first is waited for. */
function agentSteps(plan: LabPlan, machine: Machine): Step[] {
  const agents = plan.nodes.flatMap((node) => {
    const agent = agentOf(plan, node, machine)
    return agent ? [{ name: node.name, agent }] : []
  })
  if (agents.length === 0) return []
  const prepare = () => {
    for (const { agent } of agents) agent.prepare()
  }
  return [
    { title: 'configuration between nodes', run: prepare },
    ...agents.map(({ name, agent }) => ({
      title: `${agent.noun} of ${name}`,
      run: () => agent.start({ again: false }),
    })),
    ...agents.map(({ name, agent }) => ({ title: `${name} ${agent.whenReady}`, run: () => agent.untilReady() })),
  ]
}

/** What the kernel says of things that are not, or cannot be, is about the description. RangeError. */
function asDescribed(node: string, make: () => void): void {
  try {
    make()
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENODEV', 'EINVAL', 'EEXIST', 'ENETUNREACH', 'EHOSTUNREACH', 'ERANGE', 'EBUSY'))
      throw error
    throw new RangeError(`Cannot build node "${node}": ${(error as Error).message}`, { cause: error })
  }
}

function addOverlay(namespace: string, { state }: OverlayPlan, machine: Machine): void {
  withNamespace(namespace, machine, (kernel) => {
    reconcile(kernel, state)
    for (const { name } of state.links ?? []) kernel.links.set(name, { group: LAB_GROUP })
  })
}

/** On every node that carries pods, when the pods have their addresses. */
async function addService(plan: LabPlan, service: ServicePlan, machine: Machine): Promise<void> {
  const addresses = new Map(
    plan.pods.map((pod) => [pod.name, getAttached(plan.name, pod, nodeOf(pod, plan), machine)?.address]),
  )
  const rules = rulesOf(service, (pod) => {
    const address = addresses.get(pod)
    return address && hostOf(address)
  })
  for (const { namespace, podNetwork } of plan.nodes) {
    if (podNetwork) for (const rule of rules) await runCommand(namespace, { title: rule, line: rule }, machine)
  }
}

/** RangeError with the command's own words when it fails. */
async function runCommand(namespace: string, { title, line, stdin }: NodeCommand, { runLine }: Machine): Promise<void> {
  const { status, stdout, stderr } = await runLine(
    namespacePath(namespace),
    line,
    stdin === undefined ? undefined : () => stdin,
  )
  if (status !== 0) throw new RangeError(`Cannot run "${title}": ${(stderr || stdout).trim() || `status ${status}`}`)
}

/** What a process left that was killed at work. */
function clearRemains(lab: string, machine: Machine): void {
  const state = readState(lab, machine)
  if (state?.owner && !machine.processes.isAlive(state.owner)) tearDown(lab, state.plan, machine)
}

/**
 * Daemons and speakers first, which would make again what goes. Then links, all of a node's at once: then the DELs find none and need not
 * wait for the kernel one by one. Then what runs in the namespaces, then these.
 */
function tearDown(lab: string, plan: LabPlan | undefined, machine: Machine): Removal {
  const complaints: string[] = []
  const attempt = (step: () => void) => {
    try {
      step()
    } catch (error) {
      complaints.push((error as Error).message)
    }
  }

  const agents = plan?.nodes.flatMap((node) => agentOf(plan, node, machine) ?? []) ?? []
  for (const agent of agents) attempt(() => agent.kill())
  for (const { namespace } of plan?.nodes ?? []) {
    withNamespace(namespace, machine, ({ links }) => attempt(() => links.deleteGroup(LAB_GROUP)))
  }
  for (const pod of plan?.pods ?? []) {
    const node = nodeOf(pod, plan!)
    // Without the node's namespace there is nothing to run a plugin in, and nothing that it could take back.
    withNamespace(node.namespace, machine, () => attempt(() => detachPod(lab, pod, node, machine)))
  }
  const namespaces = machine.kernel.namespaces.list().filter((name) => isNamespaceOf(name, lab))
  for (const namespace of namespaces) endAll(namespacePath(namespace), machine)
  for (const agent of agents) attempt(() => agent.forget())
  for (const namespace of namespaces) {
    attempt(() => ignoring('ENOENT', () => machine.kernel.namespaces.delete(namespace)))
  }
  for (const node of plan?.nodes ?? []) attempt(() => forgetAddresses(lab, node, machine))
  const found = namespaces.length > 0 || listLabs(machine).includes(lab)
  removeState(lab, machine)
  return { outcome: found ? 'removed' : 'absent', complaints }
}
