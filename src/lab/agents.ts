/** What runs on a node and keeps it joined to the others: `overlab daemon`, or a BGP speaker. */
import {
  forgetDaemon,
  hasDaemon,
  inspectDaemon,
  killDaemon,
  prepareDaemons,
  startDaemon,
  untilReady,
} from './daemons.ts'
import type { Machine } from './machine.ts'
import type { LabPlan, NodePlan } from './plan.ts'
import { inspectSpeaker, prepareSpeaker, speakerPlace, untilSpeaking } from './speakers.ts'

export interface Agent {
  /** `daemon`. */
  readonly noun: string
  /** `ready on vxlan`. */
  readonly whenReady: string
  /** Of its being killed. */
  readonly remains: string
  /** Before any of them is started. */
  prepare(): void
  /** `again`: it was there before. */
  start(options: { readonly again: boolean }): void
  /** As kill -9 does. Succeeds twice. */
  kill(): void
  /** Removes what it has left outside of the lab's directory, before its namespace goes. */
  forget(): void
  isRunning(): Promise<boolean>
  /** DaemonError that says why it is not. */
  untilReady(): Promise<void>
}

export function agentOf(plan: LabPlan, node: NodePlan, machine: Machine): Agent | undefined {
  if (hasDaemon(node)) return daemonAgent(plan, node, machine)
  return node.speaker && speakerAgent(plan, node, machine)
}

function daemonAgent(plan: LabPlan, node: NodePlan, machine: Machine): Agent {
  const others = plan.nodes.filter(hasDaemon).length - 1
  return {
    noun: 'daemon',
    whenReady: `ready on ${node.daemon!.backend}`,
    remains: 'what it has made stays',
    prepare: () => prepareDaemons(plan, machine),
    start: () => startDaemon(plan, node, machine),
    kill: () => killDaemon(plan, node, machine),
    forget: () => forgetDaemon(plan, node, machine),
    isRunning: async () => (await inspectDaemon(plan, node, machine)).isRunning,
    untilReady: () => untilReady(plan, node, others, machine),
  }
}

function speakerAgent(plan: LabPlan, node: NodePlan, machine: Machine): Agent {
  const place = speakerPlace(plan, node, machine)
  const { speakers } = machine
  const isGraceful = node.speaker!.config.neighbors.some(({ gracefulRestart }) => gracefulRestart)
  return {
    noun: 'BGP speaker',
    whenReady: 'has its sessions and routes',
    remains: 'its routes stay in the kernel',
    prepare: () => prepareSpeaker(plan, node, machine),
    start: ({ again }) => speakers.start(place, { restarted: again && isGraceful }),
    kill: () => speakers.kill(place),
    forget() {},
    isRunning: async () => (await inspectSpeaker(plan, node, machine)).isRunning,
    untilReady: () => untilSpeaking(plan, node, machine),
  }
}
