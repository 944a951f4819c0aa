/** How a lab is: what its plan says beside what is there. */
import { type DaemonStatus, hasDaemon, inspectDaemon } from './daemons.ts'
import type { Machine } from './machine.ts'
import { withNamespace } from './node.ts'
import { type LabPlan, type NodePlan, nodeOf, type PodPlan } from './plan.ts'
import { type Attached, checkPod, getAttached } from './pod.ts'
import { inspectSpeaker, type SpeakerStatus } from './speakers.ts'

export interface NodeStatus extends Omit<NodePlan, 'daemon' | 'speaker'> {
  readonly up: boolean
  readonly links: readonly { readonly ifName: string; readonly addresses: readonly string[]; readonly peer: string }[]
  /** Of a node that has one. */
  readonly daemon?: DaemonStatus
  /** Of a node that speaks BGP. */
  readonly bgp?: SpeakerStatus
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

/** Every pod's attachment is examined by CHECK, and every daemon and speaker is asked. */
export async function inspect(plan: LabPlan, machine: Machine): Promise<LabStatus> {
  const lab = plan.name
  const nodes = await Promise.all(plan.nodes.map((node) => inspectNode(plan, node, machine)))
  const pods = plan.pods.map((pod) => {
    const node = nodeOf(pod, plan)
    return { ...pod, attached: getAttached(lab, pod, node, machine), fault: faultOf(lab, pod, node, machine) }
  })
  const areNodesWell = nodes.every(({ up, daemon, bgp }) => up && daemon?.isReady !== false && bgp?.isReady !== false)
  const healthy = areNodesWell && pods.every(({ fault }) => fault === undefined)
  return { name: lab, nodes, pods, healthy }
}

async function inspectNode(plan: LabPlan, node: NodePlan, machine: Machine): Promise<NodeStatus> {
  const ends = plan.links.flatMap(({ ends: [a, b] }) => [
    { ...a, peer: b.node },
    { ...b, peer: a.node },
  ])
  const links = ends.filter((end) => end.node === node.name)
  const up = withNamespace(node.namespace, machine, (kernel) =>
    links.every(({ ifName }) => kernel.links.get(ifName)?.operState === 'up'),
  )
  const { daemon: _, speaker, ...planned } = node
  const daemon = hasDaemon(node) && (await inspectDaemon(plan, node, machine))
  const bgp = speaker && (await inspectSpeaker(plan, node, machine))
  return {
    ...planned,
    up: up ?? false,
    links: links.map(({ ifName, addresses, peer }) => ({ ifName, addresses, peer })),
    ...(daemon && { daemon }),
    ...(bgp && { bgp }),
  }
}

function faultOf(lab: string, pod: PodPlan, node: NodePlan, machine: Machine): string | undefined {
  try {
    checkPod(lab, pod, node, machine)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
