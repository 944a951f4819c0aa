/** How a lab is: what its plan says beside what is there. */
import type { Machine } from './machine.ts'
import { withNamespace } from './node.ts'
import { type LabPlan, type NodePlan, nodeOf, type PodPlan } from './plan.ts'
import { type Attached, checkPod, getAttached } from './pod.ts'

export interface NodeStatus extends NodePlan {
  readonly up: boolean
  readonly links: readonly { readonly ifName: string; readonly addresses: readonly string[]; readonly peer: string }[]
}

export interface PodStatus extends PodPlan {
  readonly attached: Attached | undefined
  /** What is not as it should be; undefined when all is well. */
  readonly fault: string | undefined
}

export interface LabStatus {
  readonly name: string
  readonly nodes: readonly NodeStatus[]
  readonly pods: readonly PodStatus[]
  /** Whether everything of the plan is there and as promised. */
  readonly healthy: boolean
}

/** Every pod's attachment is examined by CHECK. */
export function inspect(plan: LabPlan, machine: Machine): LabStatus {
  const lab = plan.name
  const nodes = plan.nodes.map((node) => ({ ...node, ...inspectNode(plan, node, machine) }))
  const pods = plan.pods.map((pod) => {
    const node = nodeOf(pod, plan)
    return { ...pod, attached: getAttached(lab, pod, node, machine), fault: faultOf(lab, pod, node, machine) }
  })
  const healthy = nodes.every(({ up }) => up) && pods.every(({ fault }) => fault === undefined)
  return { name: lab, nodes, pods, healthy }
}

function inspectNode(plan: LabPlan, node: NodePlan, machine: Machine): Pick<NodeStatus, 'up' | 'links'> {
  const ends = plan.links.flatMap(({ ends: [a, b] }) => [
    { ...a, peer: b.node },
    { ...b, peer: a.node },
  ])
  const links = ends.filter((end) => end.node === node.name)
  const up = withNamespace(node.namespace, machine, (kernel) =>
    links.every(({ ifName }) => kernel.links.get(ifName)?.operState === 'up'),
  )
  return { up: up ?? false, links: links.map(({ ifName, addresses, peer }) => ({ ifName, addresses, peer })) }
}

function faultOf(lab: string, pod: PodPlan, node: NodePlan, machine: Machine): string | undefined {
  try {
    checkPod(lab, pod, node, machine)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
