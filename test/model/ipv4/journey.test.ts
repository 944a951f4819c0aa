/** What is written down of a packet's way through a router. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { createModel } from '../../../src/model/create.ts'
import type { Journey, Stage } from '../../../src/model/observer.ts'
import { type Frame, frame } from './frames.ts'
import { Router } from './router.ts'

/** The journeys of these frames, in order. */
async function follow(prepare: (router: Router) => void, ...frames: readonly Frame[]): Promise<Journey[]> {
  const kernel = createModel()
  const router = await Router.create({ kernel, pass: (ms) => kernel.model.advance(ms * 1000) })
  prepare(router)
  const journeys: Journey[] = []
  kernel.model.onJourney = (journey) => journeys.push(journey)
  await router.send(...frames.map((each) => frame(each)))
  return journeys
}

const steps = (journey: Journey | undefined, ...stages: readonly Stage[]) =>
  journey!.steps.filter(({ stage, device }) => stages.includes(stage) && /^r/.test(device.name))

test('a forwarded packet names its route in the words of ip route, and what became of its TTL', async () => {
  const [journey] = await follow(
    (router) => {
      router.router.routes.add({ destination: '10.62.0.0/16', gateway: '10.2.0.3', link: 'r1', onlink: true })
    },
    { destination: '10.62.1.1' },
  )
  const [route, ttl, forward] = steps(journey, 'route', 'ttl', 'forward')
  assert.equal(route?.ref, 'route 10.62.0.0/16 via 10.2.0.3 dev r1 onlink')
  assert.equal(route?.what, '10.62.0.0/16 via 10.2.0.3 dev r1 onlink (main)')
  assert.deepEqual(ttl?.set, { 'ip.ttl': [64, 63] })
  assert.equal(forward?.kernel, 'ip_forward')
})

test('a route of another table says so', async () => {
  const [journey] = await follow(
    (router) => {
      router.router.routes.add({ destination: '10.62.0.0/16', gateway: '10.2.0.3', table: 100 })
      router.router.rules.add({ family: 'ipv4', priority: 50, table: 100 })
    },
    { destination: '10.62.1.1' },
  )
  assert.equal(steps(journey, 'route')[0]?.ref, 'route 10.62.0.0/16 via 10.2.0.3 dev r1 table 100')
})

test('a rule that refuses is what decided', async () => {
  const [journey] = await follow((router) => {
    router.router.rules.add({ family: 'ipv4', priority: 51, action: 'prohibit', source: '10.1.0.2/32' })
  }, {})
  assert.equal(journey?.ending?.disposition === 'dropped' && journey.ending.ref, 'rule 51: from 10.1.0.2 prohibit')
})

test('a filter that refuses is named by its setting', async () => {
  const [journey] = await follow((router) => router.set('conf/all/rp_filter', 1), { source: '10.2.0.9' })
  assert.equal(steps(journey, 'rpf')[0]?.ref, 'sysctl net/ipv4/conf/all/rp_filter 1')
})

test('what a packet causes is on a journey of its own, below', async () => {
  const [tooBig, cut] = await follow(
    (router) => router.router.links.set('r1', { mtu: 1000 }),
    { payload: 1400, dontFragment: true },
    { payload: 1400 },
  )
  assert.deepEqual(
    tooBig?.children.map(({ cause }) => cause),
    ['icmp'],
  )
  assert.equal(steps(tooBig, 'mtu')[0]?.ref, 'link r1 mtu 1000')
  assert.deepEqual(
    cut?.children.map(({ cause }) => cause),
    ['fragment', 'fragment'],
  )
  assert.equal(steps(cut, 'frag')[0]?.what, 'in 2 pieces: 996 + 444 bytes')
})
