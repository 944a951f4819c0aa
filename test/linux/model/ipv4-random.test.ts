/** Frames of all kinds to a router of Linux and to one of the model: the same leaves both. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { liveLinux } from '../../../src/linux/live.ts'
import { echo, type Frame, frame, icmp, MAC, udp } from '../../model/ipv4/frames.ts'
import { Router } from '../../model/ipv4/router.ts'
import { followedModel } from '../../support/followed-model.ts'

const byte = fc.nat(255)
const among = (...values: readonly string[]) => fc.constantFrom(...values)

const source = fc.oneof(
  fc.integer({ min: 2, max: 9 }).map((host) => `10.1.0.${host}`),
  fc.tuple(byte, byte).map(([network, host]) => `10.1.${network}.${host}`),
  fc.tuple(byte, byte).map(([network, host]) => `172.16.${network}.${host}`),
  among('10.2.0.5', '10.2.0.1', '10.1.0.1', '127.0.0.1', '0.0.0.0', '224.0.0.1', '10.1.0.255', '255.255.255.255'),
)
const destination = fc.oneof(
  byte.map((host) => `10.92.0.${host}`),
  among('10.2.0.2', '10.2.0.3', '10.1.0.1', '10.2.0.1', '10.2.0.255', '10.1.0.5', '10.77.0.1'),
  among('10.51.0.1', '10.52.0.1', '10.53.0.1', '10.60.0.1', '10.61.0.1', '255.255.255.255', '224.0.0.1', '127.0.0.1'),
)
const payload = fc.oneof(
  fc.tuple(fc.nat(65535), fc.nat(65535), fc.nat(1400)).map(([from, to, size]) => udp(from, to, size)),
  fc.tuple(fc.nat(25), fc.nat(15), fc.nat(100)).map(([type, code, size]) => icmp(type, code, [1, 2, 3, 4], size)),
  fc.nat(1400).map((size) => echo(size)),
)
const frames: fc.Arbitrary<Frame> = fc.record(
  {
    source,
    destination,
    payload,
    ttl: fc.constantFrom(0, 1, 2, 64, 255),
    tos: byte,
    protocol: fc.constantFrom(17, 1, 1, 6, 47, 132),
  },
  { requiredKeys: ['source', 'destination', 'payload', 'ttl', 'protocol'] },
)
/** What is rarer. */
const oddities: fc.Arbitrary<Frame> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ dontFragment: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ moreFragments: fc.boolean(), offset: fc.nat(200).map((eights) => eights * 8) }) },
  { weight: 1, arbitrary: fc.record({ padding: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ wrongChecksum: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ options: fc.constantFrom([1, 1, 1, 1], [148, 4, 0, 0], [30, 4, 1, 2], [30, 9, 1, 2]) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ to: among('ff:ff:ff:ff:ff:ff', '01:00:5e:00:00:01', '02:00:00:00:77:77', MAC.r1) }),
  },
)

const settings = fc.record({
  'conf/r0/rp_filter': fc.constantFrom(0, 0, 1, 2),
  'conf/r0/accept_local': fc.nat(1),
  'conf/r0/route_localnet': fc.nat(1),
  'conf/r0/drop_unicast_in_l2_multicast': fc.nat(1),
  fib_multipath_hash_policy: fc.nat(3),
  icmp_errors_use_inbound_ifaddr: fc.nat(1),
  icmp_echo_ignore_broadcasts: fc.nat(1),
})

function prepare(r: Router, values: Readonly<Record<string, number>>, mtu: number): void {
  const { routes, links } = r.router
  for (const [i, type] of (['blackhole', 'unreachable', 'prohibit'] as const).entries())
    routes.add({ destination: `10.5${i + 1}.0.0/16`, type })
  routes.add({ destination: '10.60.0.0/16', gateway: '10.2.0.2', metrics: { mtu: 900 } })
  routes.add({ destination: '10.61.0.0/16', gateway: '10.1.0.3' })
  routes.add({ destination: '10.1.0.0/16', gateway: '10.1.0.4' })
  routes.add({ destination: '172.16.0.0/16', gateway: '10.2.0.6' })
  routes.add({
    destination: '10.92.0.0/16',
    nextHops: [
      { gateway: '10.1.0.2', link: 'r0' },
      { gateway: '10.2.0.2', link: 'r1', weight: 3 },
    ],
  })
  links.set('r1', { mtu })
  // Whom errors are told, not how often.
  r.set('icmp_ratelimit', 0)
  r.set('conf/all/send_redirects', 0)
  r.set('conf/r0/send_redirects', 0)
  r.set('fib_multipath_hash_seed', 99)
  for (const [key, value] of Object.entries(values)) r.set(key, value)
}

const runs = fc.sample(
  fc.record({
    values: settings,
    mtu: fc.constantFrom(1500, 1000, 600),
    sent: fc.array(
      fc.tuple(frames, oddities).map(([plain, odd]): Frame => ({ ...plain, ...odd })),
      { minLength: 120, maxLength: 120 },
    ),
  }),
  { numRuns: 4, seed: 618 },
)

test.each(runs)('under $values, with an MTU of $mtu', async ({ values, mtu, sent }) => {
  const linux = liveLinux()
  const model = followedModel()
  const routers = [
    await Router.create({
      kernel: linux,
      pass: (ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
    }),
    await Router.create({ kernel: model, pass: (ms) => model.model.advance(ms * 1000) }),
  ]
  try {
    for (const router of routers) {
      prepare(router, values, mtu)
      for (const [identification, each] of sent.entries()) await router.send(frame({ ...each, identification }))
      await router.pass(100)
    }
    const [ofLinux, ofModel] = routers.map(({ seen }) => seen.toSorted())
    assert.ok(ofLinux!.length > 20)
    assert.deepEqual(ofModel, ofLinux)
  } finally {
    for (const router of routers) router.close()
    linux.close()
  }
})
