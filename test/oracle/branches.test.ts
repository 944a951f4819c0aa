/** Drop reasons that Linux 6.18 gave for frames which hold nothing: test/oracle/live/fixed.test.ts asks it again. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { modelMachine } from '../../src/lab/model-machine.ts'
import { runFixed } from '../../src/oracle/fixed.ts'
import { branches } from './scenarios/branches.ts'

async function reasonsOf(id: string): Promise<unknown[]> {
  const fixed = branches.find(({ scenario }) => scenario.id === id)!
  const { endings } = await runFixed(fixed, modelMachine())
  return endings.map(({ ending }) => ending && 'reason' in ending && ending.reason)
}

test('a VXLAN packet without a frame is dropped for the reason that Linux names', async () => {
  assert.deepEqual(await reasonsOf('B06'), [
    'PKT_TOO_SMALL',
    'VXLAN_INVALID_HDR',
    'VXLAN_VNI_NOT_FOUND',
    'VXLAN_INVALID_HDR',
    'VXLAN_INVALID_HDR',
    'NOMEM',
    'PKT_TOO_SMALL',
    'LOCAL_MAC',
    'NO_SOCKET',
  ])
})

test('ARP that is cut off is too small, ARP of other lengths is dropped without a reason', async () => {
  assert.deepEqual(await reasonsOf('B07'), ['NOT_SPECIFIED'])
  assert.deepEqual(await reasonsOf('B08'), ['PKT_TOO_SMALL'])
})
