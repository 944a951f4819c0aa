/** `overlab trace --engine both`: what the two say, side by side, and whether it is the same. */
import type { Machine } from '../lab/machine.ts'
import { enter } from '../lab/node.ts'
import type { LabPlan } from '../lab/plan.ts'
import { LinuxKernel } from '../linux/linux.ts'
import { disableOffloads } from '../linux/netlink/ethtool.ts'
import { compareTraces, isSame } from '../oracle/both/compare-traces.ts'
import { BESIDE, formatBoth } from '../oracle/both/text.ts'
import type { TraceDocument } from '../trace/document.ts'
import { Exit } from './exit.ts'

interface Shown {
  readonly json?: boolean
  readonly verbose?: boolean
  readonly version: string
}

/** Writes both; the exit status says whether they are the same. */
export function tellBoth(
  model: TraceDocument,
  kernel: TraceDocument,
  { json = false, verbose = false, version }: Shown,
): number {
  const compared = compareTraces(model, kernel)
  const { document } = compared
  if (json) {
    const engine = { ...document.engine, version }
    process.stdout.write(`${JSON.stringify({ ...document, engine })}\n`)
  } else {
    const { columns = BESIDE } = process.stdout
    const colour = process.stdout.hasColors?.() ?? false
    process.stdout.write(`${formatBoth(compared, { columns, verbose, colour })}\n`)
  }
  if (model.result.disposition === 'unsupported') return Exit.unsupported
  return isSame(compared) ? Exit.yes : Exit.no
}

/** Links of the real kernel leave sums and sizes to devices that are none: every frame is to be as on a wire. */
export function withoutOffloads({ nodes, pods }: LabPlan, machine: Machine): void {
  for (const { namespace } of [...nodes, ...pods]) {
    const kernel = enter(namespace, machine)
    if (!(kernel instanceof LinuxKernel)) continue
    const links = kernel.links.list().map(({ name }) => name)
    disableOffloads(
      kernel.namespace,
      links.filter((name) => name !== 'lo'),
    )
    kernel.close()
  }
}
