/** The stack's way in. Witness: Linux 6.18, the rig of the recorded walks. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { decodeIpv4 } from '../../../src/wire/ipv4.ts'
import { twoNodes } from '../two-nodes.ts'
import { fromHex } from '../world.ts'

/** 10.244.0.2 → 240.0.0.1 from p1 to the bridge, UDP 40000 → 4001 of one byte. */
const FRAME = '020b0000010002000af40002 0800 4500001d700b000040110fce0af40002f0000001 9c400fa10009180341'.replaceAll(
  ' ',
  '',
)

// Its 3/0 came from 10.244.0.1.
test('what a bridge hands up has come in by the bridge: errors speak from its address', async () => {
  const world = twoNodes()
  assert.equal((await world.in('p1').ping('10.244.0.1')).outcome, 'reply')
  world.in('n1').sysctl.set('net/ipv4/icmp_errors_use_inbound_ifaddr', '1')
  world.take()
  world.send('p1:eth0', FRAME)
  const error = world.takeSeen().find(({ at, direction }) => at === 'p1:eth0' && direction === 'in')
  assert.equal(decodeIpv4(fromHex(error!.hex).subarray(14)).source, '10.244.0.1')
})
