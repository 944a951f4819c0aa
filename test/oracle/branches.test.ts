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

async function functionOf(id: string): Promise<string | undefined> {
  const fixed = branches.find(({ scenario }) => scenario.id === id)!
  const { endings } = await runFixed(fixed, modelMachine())
  return endings[0]?.ending?.function
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

test('what cannot leave is dropped before the device, whether that is down or has no carrier', async () => {
  assert.deepEqual(await reasonsOf('B12'), ['QDISC_DROP'])
})

test('of what waits for a neighbour, four small packets fit 4,096 bytes', async () => {
  const queueFull = (await reasonsOf('B14')).filter((reason) => reason === 'NEIGH_QUEUEFULL')
  assert.equal(queueFull.length, 4)
})

test('a proxy answers no more questions than it may keep, and none when a link has gone down', async () => {
  assert.deepEqual(await reasonsOf('B16'), [false, 'NOT_SPECIFIED', 'NOT_SPECIFIED'])
  assert.deepEqual(await reasonsOf('B17'), ['NOT_SPECIFIED'])
})

test('a redirected packet whose port has gone is dropped where Linux drops it', async () => {
  const functions = await Promise.all(['B31', 'B32', 'B33'].map(functionOf))
  assert.deepEqual(functions, ['br_handle_frame_finish', 'br_handle_frame_finish', 'br_nf_dev_xmit'])
})

test('fragments of IPv6 that do not fit a bridge are answered: too big', async () => {
  const fixed = branches.find(({ scenario }) => scenario.id === 'B37')!
  const { walk } = await runFixed(fixed, modelMachine())
  assert.deepEqual(
    walk.obs.filter(({ at, dir }) => at === 's:br0' && dir === 'out').map(({ hex }) => hex.slice(108, 124)),
    ['0200371d00000514'],
  )
})

test('what neighbour discovery refuses is dropped where ICMPv6 is received, for the reason that Linux names', async () => {
  assert.deepEqual(await reasonsOf('B52'), [
    'IPV6_NDISC_HOP_LIMIT',
    'PKT_TOO_SMALL',
    'NOT_SPECIFIED',
    'IPV6_NDISC_BAD_OPTIONS',
    'IPV6_NDISC_NS_OTHERHOST',
    'PKT_TOO_SMALL',
    'NOT_SPECIFIED',
    'IPV6_NDISC_BAD_OPTIONS',
    'IPV6_NDISC_FRAG',
    'NOT_SPECIFIED',
  ])
  assert.equal(await functionOf('B52'), 'icmpv6_rcv')
})

test('ICMPv6 that is too short is dropped without a reason, discovery with a code for that', async () => {
  const code = 'IPV6_NDISC_BAD_CODE'
  assert.deepEqual(await reasonsOf('B62'), ['NOT_SPECIFIED', 'NOT_SPECIFIED', code, code, false])
})

test('a second fragment header, and a proxied link-local address, have no reason either', async () => {
  assert.deepEqual(await reasonsOf('B63'), ['NOT_SPECIFIED'])
  assert.deepEqual(await reasonsOf('B65'), ['NOT_SPECIFIED', 'NOT_SPECIFIED'])
})

test('who sends to a proxied link-local address is told that nobody can be reached there', async () => {
  const fixed = branches.find(({ scenario }) => scenario.id === 'B65')!
  const { walk } = await runFixed(fixed, modelMachine())
  const answers = walk.obs.filter(({ at, dir }) => at === 'a:eth0' && dir === 'in')
  // Type and code.
  assert.deepEqual(
    answers.map(({ hex }) => hex.slice(108, 112)),
    ['0103', '0103'],
  )
})

test('VXLAN without a lower device sends nothing to where no route leads, or one that leads back', async () => {
  assert.deepEqual(await reasonsOf('B44'), ['IP_OUTNOROUTES', 'IP_OUTNOROUTES'])
})

test('bridged IPv6 whose header does not hold is dropped by its own function of br_netfilter', async () => {
  assert.deepEqual(await reasonsOf('B61'), ['IP_INHDR'])
  assert.equal(await functionOf('B61'), 'br_nf_pre_routing_ipv6')
})

test('an inet table that translates IPv4 alone leaves IPv6 without connections', async () => {
  const fixed = branches.find(({ scenario }) => scenario.id === 'B57')!
  const { rules } = await runFixed(fixed, modelMachine())
  assert.deepEqual(
    rules?.map((met) => met.rules),
    ['inet both to handle 2 continue, inet both to policy accept'],
  )
})
