/** Who reaches whom: every pod sends one echo request to every other pod and to every node. */
import type { EchoAnswer, LiveKernel } from '../kernel/live.ts'
import type { Machine } from './machine.ts'
import { namespacePath } from './node.ts'
import { bare, type LabPlan, type NodePlan, nodeOf } from './plan.ts'
import { getAttached } from './pod.ts'

export interface Target {
  readonly kind: 'pod' | 'node'
  readonly name: string
  /** Undefined for a pod that is not attached. */
  readonly address: string | undefined
}

export interface PingAnswer {
  readonly from: string
  readonly to: string
  readonly answer: EchoAnswer
}

export interface PingMatrix {
  readonly sources: readonly string[]
  readonly targets: readonly Target[]
  readonly answers: readonly PingAnswer[]
}

/** Milliseconds to wait for each answer. */
const TIMEOUT = 1000

/** Pods ask at the same time, each one target after the other, so that nobody's time is another's queue. */
export async function pingAll(plan: LabPlan, machine: Machine): Promise<PingMatrix> {
  const pods = plan.pods.map((pod) => {
    const address = getAttached(plan.name, pod, nodeOf(pod, plan), machine)?.address
    return { kind: 'pod' as const, name: pod.name, address: address && bare(address) }
  })
  const nodes = plan.nodes.map((node) => ({ kind: 'node' as const, name: node.name, address: nodeAddress(node, plan) }))
  const targets = [...pods, ...nodes]
  const answers = await Promise.all(plan.pods.map(({ name, namespace }) => pingFrom(name, namespace, targets, machine)))
  return { sources: plan.pods.map(({ name }) => name), targets, answers: answers.flat() }
}

async function pingFrom(
  from: string,
  namespace: string,
  targets: readonly Target[],
  machine: Machine,
): Promise<PingAnswer[]> {
  const kernel = machine.kernel.enter(namespacePath(namespace))
  try {
    const answers: PingAnswer[] = []
    for (const { name: to, address } of targets) {
      if (to !== from) answers.push({ from, to, answer: await askOnce(kernel, address) })
    }
    return answers
  } finally {
    kernel?.close()
  }
}

async function askOnce(kernel: LiveKernel | undefined, address: string | undefined): Promise<EchoAnswer> {
  if (!kernel) return { outcome: 'refused', errno: 'ENOENT' } // the source's namespace is gone
  if (!address) return { outcome: 'refused', errno: 'EDESTADDRREQ' } // the target is not attached
  return kernel.ping(address, { timeout: TIMEOUT })
}

/** The address under which other nodes know it; a node without links has its pods' gateway only. */
function nodeAddress({ name, podSubnet }: NodePlan, { links }: LabPlan): string {
  const end = links.flatMap(({ ends }) => ends).find(({ node }) => node === name)
  return end ? bare(end.address) : bare(podSubnet).replace(/0$/, '1')
}
