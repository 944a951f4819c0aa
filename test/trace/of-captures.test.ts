/** One packet is known again from link to link, whatever is done to it; two are two. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { groupPackets, type Sighting } from '../../src/trace/of-captures.ts'
import { documentOfPacket } from '../../src/trace/of-packet.ts'
import { IpProtocol } from '../../src/wire/ipv4.ts'
import { ethernet, ipv4, tcpFrame, udpFrame, vxlanFrame } from './frames.ts'

let time = 0n
const seen = (place: string, frame: Uint8Array, network = 14): Sighting => {
  const [node = '', device = '', direction = 'in'] = place.split(' ')
  time += 1000n
  return { time, node, device, direction: direction as 'in' | 'out', frame, network }
}
const counts = (...sightings: Sighting[]) => groupPackets(sightings).map((packet) => packet.sightings.length)

test('a packet that is routed, turned to another destination and tunnelled is one', () => {
  const before = { ttl: 64, destination: '10.96.0.10' }
  const after = { ttl: 63, destination: '10.244.1.2' }
  const inner = tcpFrame(2, {}, after)
  const sightings = [
    seen('p1 eth0 out', tcpFrame(2, {}, before)),
    seen('n1 veth1 in', tcpFrame(2, {}, before)),
    seen('n1 flannel.1 out', inner),
    seen('n1 eth0 out', vxlanFrame(inner)),
    seen('n2 eth0 in', vxlanFrame(inner)),
    seen('n2 flannel.1 in', inner),
  ]
  assert.deepEqual(counts(...sightings), [6])
  const { steps } = documentOfPacket(
    groupPackets(sightings)[0]!,
    't1',
    { disposition: 'delivered' },
    {
      start: sightings[0]!.time,
      engine: { kind: 'kernel' },
    },
  )
  assert.deepEqual(
    steps.map(({ set }) => set),
    [
      undefined,
      undefined,
      { 'ip.ttl': [64, 63], 'ip.dst': ['10.96.0.10', '10.244.1.2'] },
      { tunnel: ['none', '192.168.56.11 → 192.168.56.12'] },
      undefined,
      { tunnel: ['192.168.56.11 → 192.168.56.12', 'none'] },
    ],
  )
  assert.deepEqual(
    steps.map(({ t }) => t),
    [0, 0.001, 0.002, 0.003, 0.004, 0.005],
  )
})

test('a segment that is sent again is another packet, with a timestamp and without', () => {
  const place = ['p1 eth0 out', 'n1 veth1 in']
  assert.deepEqual(
    counts(...place.map((at) => seen(at, tcpFrame(2))), ...place.map((at) => seen(at, tcpFrame(2)))),
    [2, 2],
  )
  const stamped = (timestamp: number) => tcpFrame(2, { timestamp })
  assert.deepEqual(counts(seen('p1 eth0 out', stamped(1)), seen('n1 veth1 in', stamped(2))), [1, 1])
})

test('a packet that goes round is one: its TTL is lower each time', () => {
  const round = [64, 63, 62, 61].map((ttl, i) => seen(i % 2 ? 'n2 eth0 in' : 'n1 eth0 in', udpFrame({}, { ttl })))
  assert.deepEqual(counts(...round), [4])
})

test('fragments are packets of their own', () => {
  const fragment = (fragmentOffset: number) =>
    ethernet(ipv4(IpProtocol.udp, new Uint8Array(16), { fragmentOffset, moreFragments: fragmentOffset === 0 }))
  assert.deepEqual(
    counts(seen('a eth0 out', fragment(0)), seen('a eth0 out', fragment(1480)), seen('b eth0 in', fragment(1480))),
    [1, 2],
  )
})

test('what is no IP is no packet, and times decide the order', () => {
  assert.deepEqual(
    counts(seen('a eth0 in', ethernet(new Uint8Array(28), 0x0806)), seen('a eth0 in', new Uint8Array(3))),
    [],
  )
  const first = seen('a eth0 out', udpFrame())
  const second = seen('b eth0 in', udpFrame())
  assert.deepEqual(
    groupPackets([second, first])[0]?.sightings.map(({ node }) => node),
    ['a', 'b'],
  )
})

test('a link without a link layer shows the same packet', () => {
  assert.deepEqual(counts(seen('a tun0 out', udpFrame().subarray(14), 0), seen('b eth0 in', udpFrame())), [2])
})
