/** Which packets are one flow: src/model/device/flow-hash.ts, after __flow_hash_consistentify. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createModel } from '../../../src/model/create.ts'
import { flowHash } from '../../../src/model/device/flow-hash.ts'
import { packetFromFrame } from '../../../src/model/packet.ts'
import { EtherType, encodeEthernet } from '../../../src/wire/ethernet.ts'
import { encodeIpv6 } from '../../../src/wire/ipv6.ts'

const MAC = '02:00:00:00:00:01'
const { loopback } = createModel().namespace

function hashOf(source: string, destination: string): number {
  const payload = encodeIpv6({
    trafficClass: 0,
    flowLabel: 0,
    hopLimit: 64,
    source,
    destination,
    extensions: [],
    protocol: 59,
    payload: new Uint8Array(),
  })
  const frame = encodeEthernet({ destination: MAC, source: MAC, tags: [], etherType: EtherType.ipv6, payload })
  return flowHash(packetFromFrame(frame, loopback), EtherType.ipv6, 1)
}

test('both directions of an IPv6 flow have one hash', () => {
  assert.equal(hashOf('fd00:1::2', 'fd00:2::3'), hashOf('fd00:2::3', 'fd00:1::2'))
})

test('the hosts of two IPv6 subnets that have each other’s numbers are another flow', () => {
  assert.notEqual(hashOf('fd00:1::2', 'fd00:2::3'), hashOf('fd00:1::3', 'fd00:2::2'))
})
