/** The keeper on Linux. */
import { test } from 'vitest'
import { linuxWorld } from '../../contract/linux-world.ts'
import { keepCases, keepWorld } from '../../reconcile/keep-cases.ts'
import { realClock } from '../../reconcile/real-clock.ts'

for (const { title, check } of keepCases) {
  test(`linux: ${title}`, async () => {
    const { node, tearDown } = linuxWorld()
    const { world, close } = keepWorld(node, realClock)
    try {
      await check(world)
    } finally {
      close()
      tearDown()
    }
  })
}
