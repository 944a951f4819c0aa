/** The trace that `overlab lab demo` ends with: from a pod to one on another node. */

import type { Machine } from '../lab/machine.ts'
import { findDestination } from '../lab/place.ts'
import type { LabPlan } from '../lab/plan.ts'
import type { TraceRequest } from '../lab/trace.ts'
import type { TraceDocument } from '../trace/document.ts'
import { formatTrace } from '../trace/text.ts'

/** Undefined where all pods are on one node. */
export function acrossNodes(plan: LabPlan, machine: Machine): TraceRequest | undefined {
  const [from] = plan.pods
  const to = plan.pods.find(({ node }) => node !== from?.node)
  if (!from || !to) return undefined
  const { address } = findDestination(to.name, plan, machine)
  return { from: from.name, address, spec: { protocol: 'icmp', port: 0 } }
}

export function formatAcross(document: TraceDocument): string {
  return formatTrace(document, { verbose: false, hex: false, colour: process.stdout.hasColors?.() ?? false })
}
