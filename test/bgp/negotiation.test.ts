/** What two OPENs make of a session. Bad OPENs: W09, W15, W19 of interop.py. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import type { Capability } from '../../src/bgp/capability/capabilities.ts'
import { type Expected, type Negotiated, negotiate } from '../../src/bgp/capability/negotiation.ts'
import { BgpError } from '../../src/bgp/errors.ts'
import { decodeOpen, type Open } from '../../src/bgp/message/open.ts'
import { vectors } from './captures/vectors.ts'
import { hexOf } from './octets.ts'

const ipv4 = { afi: 1, safi: 1 }
const ipv6 = { afi: 2, safi: 1 }
const mp4: Capability = { name: 'multiprotocol', value: ipv4 }
const mp6: Capability = { name: 'multiprotocol', value: ipv6 }
const as4: Capability = { name: 'four-octet-as', value: 65001 }
const refresh: Capability = { name: 'route-refresh', value: true }
const extended: Capability = { name: 'extended-message', value: true }
const over6: Capability = { name: 'extended-next-hop', value: [{ ...ipv4, nextHopAfi: 2 }] }

const own: Open = { as: 65001, holdTime: 90, id: 1, capabilities: [mp4, mp6, as4] }
const peer: Open = { as: 65002, holdTime: 9, id: 2, capabilities: [mp4, mp6, as4] }
const anyone: Expected = { as: undefined, required: [] }

const between = (mine: readonly Capability[], theirs: readonly Capability[]): Negotiated =>
  negotiate({ ...own, capabilities: mine }, { ...peer, capabilities: theirs }, anyone)

const refused = (answer: string, run: () => unknown) =>
  assert.throws(
    run,
    (error) => error instanceof BgpError && `${error.code}/${error.subcode} ${hexOf(error.data)}` === answer,
  )

describe('an OPEN is refused', () => {
  test('W09 of another AS', () => refused('2/2 ', () => negotiate(own, peer, { ...anyone, as: 65003 })))
  test('W15 with our identifier, within our AS', () =>
    refused('2/3 ', () => negotiate(own, { ...peer, as: 65001, id: 1 }, anyone)))
  test('W19 without a capability that is required, which is the data', () => {
    const mine = { ...own, capabilities: [mp4, refresh, as4] }
    const expected: Expected = { as: 65002, required: ['route-refresh', 'four-octet-as'] }
    refused('2/7 0200', () => negotiate(mine, { ...peer, capabilities: [mp4, as4] }, expected))
    refused('2/7 020041040000fde9', () => negotiate(mine, { ...peer, capabilities: [mp4] }, expected))
  })
  test('without a family in common', () => refused('2/7 010400020001', () => between([mp6], [mp4])))
  test('without a word of families, where only IPv6 is wanted', () =>
    refused('2/7 010400020001', () => between([mp6], [])))
})

test('our identifier is another’s right in another AS (RFC 6286)', () => {
  assert.equal(negotiate(own, { ...peer, id: 1 }, anyone).peerId, 1)
})

test('the AS makes a session internal', () => {
  assert.equal(negotiate(own, { ...peer, as: 65001 }, anyone).internal, true)
  assert.equal(negotiate(own, peer, { ...anyone, as: 65002 }).internal, false)
})

test('the hold time is the shorter one, and 0 is the shortest', () => {
  assert.equal(negotiate(own, peer, anyone).holdTime, 9)
  assert.equal(negotiate({ ...own, holdTime: 3 }, peer, anyone).holdTime, 3)
  assert.equal(negotiate(own, { ...peer, holdTime: 0 }, anyone).holdTime, 0)
})

test('families are those that both have', () => {
  assert.deepEqual(between([mp4, mp6], [mp6, mp4]).families, ['ipv4', 'ipv6'])
  assert.deepEqual(between([mp4, mp6], [mp4]).families, ['ipv4'])
  assert.deepEqual(between([mp4, mp6], [mp6, { name: 'multiprotocol', value: { afi: 25, safi: 70 } }]).families, [
    'ipv6',
  ])
})

test('W18 a peer without capabilities speaks IPv4 with numbers of two octets', () => {
  const { families, as4, routeRefresh, longestSent, gracefulRestart } = between([mp4, mp6, refresh], [])
  assert.deepEqual(
    [families, as4, routeRefresh, longestSent, gracefulRestart],
    [['ipv4'], false, undefined, 4096, undefined],
  )
})

describe('path identifiers go where one sends and the other receives', () => {
  const mode = (value: 'receive' | 'send' | 'both'): Capability => ({
    name: 'add-path',
    value: [{ ...ipv4, mode: value }],
  })
  for (const [mine, theirs, received, sent] of [
    ['both', 'both', true, true],
    ['receive', 'both', true, false],
    ['send', 'both', false, true],
    ['receive', 'send', true, false],
    ['send', 'receive', false, true],
    ['receive', 'receive', false, false],
    ['send', 'send', false, false],
  ] as const) {
    test(`we ${mine}, the peer ${theirs}`, () => {
      const { addPathReceived, addPathSent } = between([mp4, mp6, mode(mine)], [mp4, mp6, mode(theirs)])
      assert.deepEqual(
        [addPathReceived, addPathSent],
        [
          { ipv4: received, ipv6: false },
          { ipv4: sent, ipv6: false },
        ],
      )
    })
  }
  test('not for one alone, nor for a family that is not spoken', () => {
    const none = { ipv4: false, ipv6: false }
    assert.deepEqual(between([mp4, mode('both')], [mp4]).addPathReceived, none)
    assert.deepEqual(between([mp4, mp6, mode('both')], [mp6, mode('both')]).addPathSent, none)
  })
})

test('who offers extended messages receives them', () => {
  const lengths = ({ longestReceived, longestSent }: Negotiated) => [longestReceived, longestSent]
  assert.deepEqual(lengths(between([extended], [])), [65535, 4096])
  assert.deepEqual(lengths(between([], [extended])), [4096, 65535])
  assert.deepEqual(lengths(between([extended], [extended])), [65535, 65535])
})

test('an IPv6 next hop for IPv4 needs both', () => {
  assert.equal(between([over6], [over6]).extendedNextHop, true)
  assert.equal(between([over6], []).extendedNextHop, false)
  assert.equal(between([], [over6]).extendedNextHop, false)
  const other: Capability = { name: 'extended-next-hop', value: [{ afi: 1, safi: 128, nextHopAfi: 2 }] }
  assert.equal(between([over6], [other]).extendedNextHop, false)
})

test('routes are asked for in the form that the peer takes', () => {
  const cisco: Capability = { name: 'cisco-route-refresh', value: true }
  assert.equal(between([], [refresh, cisco]).routeRefresh, 5)
  assert.equal(between([], [cisco]).routeRefresh, 128)
  assert.equal(between([refresh], []).routeRefresh, undefined)
})

test('enhanced refresh, and long-lived beside graceful restart, need both', () => {
  const enhanced: Capability = { name: 'enhanced-route-refresh', value: true }
  assert.equal(between([enhanced], [enhanced]).enhancedRouteRefresh, true)
  assert.equal(between([enhanced], []).enhancedRouteRefresh, false)

  const value = { restarting: true, notification: true, time: 30, families: [{ ...ipv4, forwarding: true }] }
  const restart: Capability = { name: 'graceful-restart', value }
  const longLived = [{ ...ipv4, forwarding: false, time: 3600 }]
  const long: Capability = { name: 'long-lived-graceful-restart', value: longLived }
  const helper: Capability = { name: 'graceful-restart', value: { ...value, families: [] } }
  assert.deepEqual(between([helper], [restart]).gracefulRestart, value)
  assert.equal(between([], [restart]).gracefulRestart, undefined)
  assert.deepEqual(between([helper, long], [restart, long]).longLived, longLived)
  assert.deepEqual(between([helper], [restart, long]).longLived, [])
  assert.deepEqual(between([long], [long]).longLived, [])
})

test('BIRD 2.20 and BIRD 3.4 with everything on agree on everything (capture 05)', () => {
  const opens = vectors.filter(({ title, means }) => title.includes('05-bird') && means.startsWith('OPEN'))
  const [one, other] = opens.map(({ bytes }) => decodeOpen(bytes)) as [Open, Open]
  const session = negotiate(one, other, { as: 64512, required: ['graceful-restart', 'add-path'] })
  const all = { ipv4: true, ipv6: true }
  assert.deepEqual([session.addPathReceived, session.addPathSent], [all, all])
  assert.deepEqual([session.longestReceived, session.longestSent], [65535, 65535])
  assert.deepEqual([session.internal, session.as4, session.extendedNextHop], [true, true, true])
  assert.deepEqual(
    session.longLived.map(({ time }) => time),
    [3600, 3600],
  )
})
