/** Who reaches whom: every pod sends one echo request to every other pod and to every node. */
import { hostOf } from '../address/prefix.ts'
import type { EchoAnswer, LiveKernel } from '../kernel/live.ts'
import type { Machine } from './machine.ts'
import { enter } from './node.ts'
import { type LabPlan, type NodePlan, nodeOf } from './plan.ts'
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

/**
 * Two rounds. In the first all ask at once, which finds out who answers, resolves the neighbours, and takes no longer
 * than the slowest. In the second one asks after the other whom it heard, so that nobody's time is another's queue.
 */
export async function pingAll(plan: LabPlan, machine: Machine): Promise<PingMatrix> {
  const targets = targetsOf(plan, machine)
  const kernels = plan.pods.map(({ namespace }) => enter(namespace, machine))
  try {
    const questions = plan.pods.flatMap(({ name: from }, i) =>
      targets
        .filter(({ name }) => name !== from)
        .map(({ name: to, address }) => ({ from, to, address, kernel: kernels[i] })),
    )
    const first = await Promise.all(questions.map(({ kernel, address }) => askOnce(kernel, address)))
    const answers: PingAnswer[] = []
    for (const [i, { from, to, address, kernel }] of questions.entries()) {
      const answer = first[i]!.outcome === 'reply' ? await askOnce(kernel, address) : first[i]!
      answers.push({ from, to, answer })
    }
    return { sources: plan.pods.map(({ name }) => name), targets, answers }
  } finally {
    for (const kernel of kernels) kernel?.close()
  }
}

function targetsOf(plan: LabPlan, machine: Machine): Target[] {
  const pods = plan.pods.map((pod) => {
    const address = getAttached(plan.name, pod, nodeOf(pod, plan), machine)?.address
    return { kind: 'pod' as const, name: pod.name, address: address && hostOf(address) }
  })
  // A bridge is nobody to talk to.
  const hosts = plan.nodes.filter(({ description }) => description.kind !== 'bridge')
  const nodes = hosts.map((node) => ({ kind: 'node' as const, name: node.name, address: nodeAddress(node, plan) }))
  return [...pods, ...nodes]
}

async function askOnce(kernel: LiveKernel | undefined, address: string | undefined): Promise<EchoAnswer> {
  if (!kernel) return { outcome: 'refused', errno: 'ENOENT' } // the source's namespace is gone
  if (!address) return { outcome: 'refused', errno: 'EDESTADDRREQ' } // the target is not attached
  return kernel.ping(address, { timeout: TIMEOUT })
}

/** The address under which other nodes know it; a node without links has its pods' gateway only. */
function nodeAddress({ name, podNetwork }: NodePlan, { links }: LabPlan): string | undefined {
  const ends = links.flatMap(({ ends }) => ends).filter(({ node }) => node === name)
  const address = ends.flatMap(({ addresses }) => addresses)[0]
  return address ? hostOf(address) : podNetwork?.subnet && hostOf(podNetwork.subnet).replace(/0$/, '1')
}
