/**
 * The model's router in situations whose outcome on Linux 6.18 was recorded: `npx vitest run --project root
 * test/linux/model/ipv6.test.ts` checks the record against the kernel that runs, and with RECORD=1 writes it.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { followedModel } from '../../support/followed-model.ts'
import recorded from './recorded.json' with { type: 'json' }
import { routeSituations } from './route-situations.ts'
import { Router } from './router.ts'
import { packetSituations } from './situations.ts'

const known: Readonly<Record<string, readonly string[]>> = recorded

describe.each([
  ['packets', packetSituations],
  ['routes', routeSituations],
])('%s', (_, situations) => {
  test.each(situations)('$title', async ({ title, act }) => {
    const kernel = followedModel()
    const router = await Router.create({ kernel, pass: (ms) => kernel.model.advance(ms * 1000) })
    await act(router)
    assert.ok(known[title], 'it is on record')
    assert.deepEqual(router.seen, known[title])
  })
})
