/** Which next hop Linux 6.18 chose: test/golden/ecmp.json. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createModel } from '../../../src/model/create.ts'
import { Ipv4Route } from '../../../src/model/ipv4/route.ts'
import { routeInput } from '../../../src/model/ipv4/route-input.ts'
import type { Namespace } from '../../../src/model/namespace.ts'
import { packetFromFrame } from '../../../src/model/packet.ts'
import flows from '../../golden/ecmp.json' with { type: 'json' }
import { frame, udp } from './frames.ts'

const [IN, LEGS] = ['in0', ['leg0', 'leg1', 'leg2']] as const

/** A router with three ways to 10.50.0.0/16. */
function router(weights: readonly number[], policy: number, seed: number): Namespace {
  const kernel = createModel()
  for (const name of [IN, ...LEGS]) kernel.links.add({ kind: 'bridge', name, up: true })
  kernel.addresses.add({ link: IN, prefix: '10.0.0.1/24' })
  for (const [i, link] of LEGS.entries()) kernel.addresses.add({ link, prefix: `10.${i + 1}.0.1/24` })
  kernel.sysctl.set('net/ipv4/ip_forward', '1')
  kernel.sysctl.set('net/ipv4/fib_multipath_hash_policy', String(policy))
  kernel.sysctl.set('net/ipv4/fib_multipath_hash_seed', String(seed))
  kernel.routes.add({
    destination: '10.50.0.0/16',
    nextHops: LEGS.map((link, i) => ({ gateway: `10.${i + 1}.0.2`, link, weight: weights[i]! })),
  })
  return kernel.namespace
}

test('each of 600 flows takes the leg that it took in Linux', () => {
  const routers = new Map<string, Namespace>()
  const chosen = flows.map(({ src, dst, sport, dport, seed, policy, w }) => {
    const key = JSON.stringify([w, policy, seed])
    const namespace = routers.get(key) ?? router(w, policy, seed)
    routers.set(key, namespace)
    const packet = packetFromFrame(
      frame({ source: src, destination: dst, payload: udp(sport, dport, 1) }),
      namespace.devices.get(IN)!,
    )
    assert.equal(routeInput(packet), undefined)
    assert.ok(packet.route instanceof Ipv4Route)
    return LEGS.indexOf(packet.route.device.name as (typeof LEGS)[number])
  })
  assert.equal(chosen.length, 600)
  assert.deepEqual(
    chosen,
    flows.map(({ got }) => got),
  )
})
