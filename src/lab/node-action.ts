/**
 * What can happen to a node of a lab that is up:
 *
 *   kill       its daemon or BGP speaker dies, as by kill -9; what it has made stays
 *   restart    that begins again, and is killed before where it runs
 *   cut        its links to the others go down, and what the kernel drops with them is gone
 *   heal       they come up again
 */
import { ignoring } from '../kernel/errors.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { reconcile } from '../reconcile/apply.ts'
import { type Agent, agentOf } from './agents.ts'
import { restoreRoutes } from './describe-node.ts'
import type { Machine } from './machine.ts'
import { withNamespace } from './node.ts'
import type { LabPlan, LinkEnd, NodePlan } from './plan.ts'

/** Milliseconds in which a daemon has heard of its links and put right what they took with them: overlay/daemon.ts, MOMENT. */
const AFTERWARDS = 200

export const NODE_ACTIONS = ['kill', 'restart', 'cut', 'heal'] as const
export type NodeAction = (typeof NODE_ACTIONS)[number]

/** Comes back when it has happened, and daemons are ready where they should be. RangeError when it cannot; DaemonError. */
export async function actOnNode(plan: LabPlan, name: string, action: NodeAction, machine: Machine): Promise<string> {
  const node = plan.nodes.find((each) => each.name === name)
  if (!node) throw new RangeError(`"${name}" is no node of lab "${plan.name}"`)
  const agent = agentOf(plan, node, machine)
  switch (action) {
    case 'kill': {
      const { noun, remains, kill } = requireAgent(agent, node, action, plan)
      kill()
      return `The ${noun} of ${name} is dead; ${remains}`
    }
    case 'restart': {
      const { noun, kill, start, untilReady } = requireAgent(agent, node, action, plan)
      kill()
      start({ again: true })
      await untilReady()
      return `The ${noun} of ${name} is ready`
    }
    case 'cut':
      setLinks(plan, node, false, machine)
      return `${name} is cut off: ${namesOf(plan, node)} down`
    case 'heal':
      setLinks(plan, node, true, machine)
      restore(plan, node, machine)
      if (await agent?.isRunning()) {
        await machine.until(() => false, AFTERWARDS)
        await agent?.untilReady()
      }
      return `${name} is back: ${namesOf(plan, node)} up`
  }
}

function requireAgent(agent: Agent | undefined, { name }: NodePlan, action: NodeAction, lab: LabPlan): Agent {
  if (agent) return agent
  throw new RangeError(
    `Cannot ${action} the daemon of "${name}": it has none; bring lab "${lab.name}" up with --backend for daemons`,
  )
}

/** Its ends of the links to other nodes. */
function endsOf({ links }: LabPlan, { name }: NodePlan): LinkEnd[] {
  const ends = links.flatMap((link) => link.ends).filter(({ node }) => node === name)
  if (ends.length > 0) return ends
  throw new RangeError(`Cannot cut or heal "${name}": no link joins it to others`)
}

function namesOf(plan: LabPlan, node: NodePlan): string {
  const names = endsOf(plan, node).map(({ ifName }) => ifName)
  return `${names.join(', ')} ${names.length > 1 ? 'are' : 'is'}`
}

function setLinks(plan: LabPlan, node: NodePlan, up: boolean, machine: Machine): void {
  inNode(node, machine, ({ links }) => {
    for (const { ifName } of endsOf(plan, node)) links.set(ifName, { up })
  })
}

/** A link that goes down takes with it the routes over it, and addresses of IPv6. Those of daemons are theirs to restore. */
function restore(plan: LabPlan, node: NodePlan, machine: Machine): void {
  inNode(node, machine, (kernel) => {
    for (const { ifName, addresses } of endsOf(plan, node)) {
      for (const prefix of addresses) ignoring('EEXIST', () => kernel.addresses.add({ link: ifName, prefix }))
    }
    restoreRoutes(kernel, node.description)
    for (const { node: name, destination, gateway } of plan.routes) {
      if (name === node.name) kernel.routes.replace({ destination, gateway })
    }
    if (node.overlay) reconcile(kernel, node.overlay.state)
  })
}

function inNode(node: NodePlan, machine: Machine, act: (kernel: LiveKernel) => void): void {
  const isThere = withNamespace(node.namespace, machine, (kernel) => {
    act(kernel)
    return true
  })
  if (!isThere) throw new RangeError(`"${node.name}" is not there any more: take the lab down by "overlab lab down"`)
}
