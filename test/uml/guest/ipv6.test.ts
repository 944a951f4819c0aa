/**
 * IPv6 of Linux 6.1, and of the model with its settings: the situations that test/linux/model/ipv6.test.ts compares with 6.18. This
 * kernel has no nftables for IPv6; what needs rules is left to that test.
 */
import assert from 'node:assert/strict'
import { afterAll, test } from 'vitest'
import { isErrno } from '../../../src/kernel/errors.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import { liveLinux } from '../../../src/linux/live.ts'
import { linux61 } from '../../../src/model/profile/linux-6.1.ts'
import { routeSituations } from '../../model/ipv6/route-situations.ts'
import { Router } from '../../model/ipv6/router.ts'
import { plainSituations, type Situation } from '../../model/ipv6/situations.ts'
import { followedModel } from '../../support/followed-model.ts'

const linux = liveLinux()
afterAll(() => linux.close())

async function play(
  { act }: Situation,
  kernel: LiveKernel,
  pass: (ms: number) => void | Promise<void>,
): Promise<readonly string[]> {
  const router = await Router.create({ kernel, pass })
  try {
    await act(router)
    await pass(20)
    return router.seen
  } catch (error) {
    // A setting that came later.
    if (isErrno(error, 'ENOENT')) return [`${error}`]
    throw error
  } finally {
    router.close()
  }
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

test.for([...plainSituations, ...routeSituations])('$title', async (situation) => {
  const seen = await play(situation, linux, wait)
  const kernel = followedModel({ profile: linux61 })
  assert.deepEqual(await play(situation, kernel, (ms) => kernel.model.advance(ms * 1000)), seen)
})
