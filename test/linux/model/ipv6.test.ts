/** What test/model/ipv6 has on record is what the kernel below us does. With RECORD=1 it is written anew. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, test } from 'vitest'
import { liveLinux } from '../../../src/linux/live.ts'
import { routeSituations } from '../../model/ipv6/route-situations.ts'
import { Router } from '../../model/ipv6/router.ts'
import { packetSituations } from '../../model/ipv6/situations.ts'

const RECORD = new URL('../../model/ipv6/recorded.json', import.meta.url)
const records = process.env.RECORD === '1'
const record: Record<string, string[]> = records ? {} : JSON.parse(readFileSync(RECORD, 'utf8'))
const linux = liveLinux()

afterAll(() => {
  linux.close()
  if (records) writeFileSync(RECORD, `${JSON.stringify(record, undefined, 2)}\n`)
})

test.each([...packetSituations, ...routeSituations])('Linux: $title', async ({ title, act }) => {
  const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))
  const router = await Router.create({ kernel: linux, pass })
  try {
    await act(router)
    await pass(20)
    if (records) record[title] = router.seen
    else assert.deepEqual(router.seen, record[title])
  } finally {
    router.close()
  }
})
