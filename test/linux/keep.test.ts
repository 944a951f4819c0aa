/** The keeper on Linux. */
import { test } from 'vitest'
import type { Clock } from '../../src/reconcile/keep.ts'
import { linuxWorld } from '../contract/linux-world.ts'
import { keepCases, keepWorld } from '../reconcile/keep-cases.ts'

const clock: Clock = {
  now: () => performance.now(),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds)
    return () => clearTimeout(timer)
  },
}

for (const { title, check } of keepCases) {
  test(`linux: ${title}`, async () => {
    const { node, tearDown } = linuxWorld()
    const { world, close } = keepWorld(node, clock)
    try {
      await check(world)
    } finally {
      close()
      tearDown()
    }
  })
}
