/** The traffic rules on Linux: iptables 1.8.9 over nf_tables and nft 1.0.6 are the witnesses. */
import { execFileSync } from 'node:child_process'
import { test } from 'vitest'
import { linuxWorld } from '../../contract/linux-world.ts'
import { rulesCases } from '../../overlay/rules/rules-cases.ts'
import { keepWorld } from '../../reconcile/keep-cases.ts'
import { realClock } from '../../reconcile/real-clock.ts'

for (const { title, check } of rulesCases) {
  test(`linux: ${title}`, async () => {
    const { node, tearDown } = linuxWorld()
    const { world, close } = keepWorld(node, realClock)
    const run = async (line: string, stdin?: string) =>
      execFileSync('nsenter', [`--net=${node.namespacePath}`, ...line.split(' ')], {
        encoding: 'utf8',
        ...(stdin !== undefined && { input: stdin }),
      })
    try {
      await check({ ...world, run })
    } finally {
      close()
      tearDown()
    }
  })
}
