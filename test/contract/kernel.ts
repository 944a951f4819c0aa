/**
 * What every kernel must do: Linux runs this list, and so does the model.
 *
 * Each case begins with two empty namespaces, `node` and `container`. The cases are by subject in kernel/; that every method
 * of the interface has one is checked against the interface itself.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { addressCases } from './kernel/address.ts'
import { bridgeVlanCases } from './kernel/bridge-vlan.ts'
import { type Case, inTime, type PassTime, type World } from './kernel/case.ts'
import { conntrackCases } from './kernel/conntrack.ts'
import { fdbCases } from './kernel/fdb.ts'
import { kernelSources, readShapes, recorded, uncovered } from './kernel/interface.ts'
import { ipSetCases } from './kernel/ipset.ts'
import { linkCases } from './kernel/link.ts'
import { liveCases } from './kernel/live.ts'
import { namespaceCases } from './kernel/namespace.ts'
import { neighbourCases } from './kernel/neighbour.ts'
import { nftablesCases } from './kernel/nftables.ts'
import { routeCases } from './kernel/route.ts'
import { ruleCases } from './kernel/rule.ts'
import { socketCases } from './kernel/socket.ts'
import { socketOptionCases } from './kernel/socket-options.ts'
import { sysctlCases } from './kernel/sysctl.ts'

export const kernelCases: readonly Case[] = [
  ...namespaceCases,
  ...linkCases,
  ...bridgeVlanCases,
  ...addressCases,
  ...routeCases,
  ...ruleCases,
  ...neighbourCases,
  ...fdbCases,
  ...sysctlCases,
  ...nftablesCases,
  ...liveCases,
  ...socketCases,
  ...socketOptionCases,
  ...conntrackCases,
  ...ipSetCases,
]

export interface Contract {
  /** Two empty namespaces of one kernel; how its time passes, where that is not the real one. */
  setUp(): World & { tearDown(): void; readonly passTime?: PassTime }
  /** Titles of cases with known differences, each with its reason. They must fail: one that starts to pass fails the run. */
  readonly known?: Readonly<Record<string, string>>
}

export function kernelContract(name: string, { setUp, known = {} }: Contract): void {
  const shapes = readShapes(kernelSources(), 'LiveKernel')
  const called = new Set<string>()

  for (const { title, check } of kernelCases) {
    test(`${name}: ${title}`, { fails: title in known }, async () => {
      const { node, container, prefix, tearDown, passTime } = setUp()
      const record = (kernel: World['node']) => recorded(kernel, 'LiveKernel', shapes, called)
      try {
        await inTime(passTime, () => check({ node: record(node), container: record(container), prefix }))
      } finally {
        tearDown()
      }
    })
  }

  test(`${name}: every known difference is of a case that there is`, () => {
    const titles = kernelCases.map(({ title }) => title)
    assert.deepEqual(
      Object.keys(known).filter((title) => !titles.includes(title)),
      [],
    )
    assert.equal(new Set(titles).size, titles.length, 'two cases have one title')
  })

  test(`${name}: every method of the kernel interface has a case`, () => {
    assert.deepEqual(uncovered(shapes, called), [])
  })
}
