import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import type { BfdEvents, StartBfd } from '../../src/bgp/bfd.ts'
import type { PeerSettings } from '../../src/bgp/peer-settings.ts'
import { adjInRows, adjOutRows, routeRows, why } from '../../src/bgp/views.ts'
import { type LabOptions, type LabSpeaker, neighbour, settingsOf, start } from './lab.ts'
import { attribute, update } from './octets.ts'
import { KEEPALIVE, openHex, ScriptedPeer, world } from './speakers.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
/** For sessions to come up: a neighbour may dial before the other listens. */
const A_WHILE = 15 * SECOND

const statesOf = ({ speaker }: LabSpeaker) => speaker.neighbours().map(({ state }) => state)
const routesOf = ({ fib }: LabSpeaker) => Object.fromEntries(fib.routes)

/** Two neighbours: 10.0.0.1 with what is given for it, and 10.0.0.2. */
function pair(one: LabOptions = {}, other: LabOptions = {}, seed = 1) {
  const here = world(seed)
  const gracefulRestart = { time: 120, restarting: true }
  const a = start(here, '10.0.0.1', { neighbours: [neighbour('10.0.0.2', { gracefulRestart })], ...one })
  const b = start(here, '10.0.0.2', { neighbours: [neighbour('10.0.0.1', { gracefulRestart })], ...other })
  here.clock.advance(A_WHILE)
  return { here, a, b }
}

describe('routes', () => {
  test('each node of a mesh has the networks of all others, and blackholes for its own', () => {
    const here = world()
    const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3']
    const nodes = addresses.map((address, i) =>
      start(here, address, {
        networks: [`10.244.${i + 1}.0/26`, `10.244.${i + 1}.77/32`],
        neighbours: addresses.filter((each) => each !== address).map((each) => neighbour(each)),
      }),
    )
    here.clock.advance(A_WHILE)
    for (const [i, node] of nodes.entries()) {
      const others = addresses.flatMap((via, j) =>
        i === j
          ? []
          : [
              [`10.244.${j + 1}.0/26`, via],
              [`10.244.${j + 1}.77/32`, via],
            ],
      )
      expect(routesOf(node)).toEqual(Object.fromEntries(others))
      expect(node.fib.blackholes, 'not of a single address').toEqual([`10.244.${i + 1}.0/26`])
    }
  })

  test('what is announced while it runs is seen by others at once, and gone when it is withdrawn', () => {
    const { here, a, b } = pair()
    a.speaker.announce([{ prefix: '192.0.2.0/24', communities: [0xfc00_0064], blackhole: false }])
    here.clock.advance(10)
    assert.equal(routesOf(b)['192.0.2.0/24'], '10.0.0.1')
    const [row] = [...routeRows(b.speaker.ribs, 'ipv4')]
    expect(row).toMatchObject({ prefix: '192.0.2.0/24', from: '10.0.0.1', communities: ['64512:100'], best: true })
    expect(a.fib.blackholes).toEqual([])
    expect(a.speaker.withdraw(['192.0.2.0/24', '198.51.100.0/24'])).toEqual(['198.51.100.0/24'])
    here.clock.advance(10)
    expect(routesOf(b)).toEqual({})
  })

  test('a network that is announced as well is a network again when the announcement is withdrawn', () => {
    const { here, a, b } = pair({ networks: ['192.0.2.0/24'] })
    a.speaker.announce([{ prefix: '192.0.2.0/24', communities: [1], blackhole: true }])
    here.clock.advance(10)
    expect([...routeRows(b.speaker.ribs, 'ipv4')][0]?.communities).toEqual(['0:1'])
    expect(a.speaker.withdraw(['192.0.2.0/24'])).toEqual([])
    here.clock.advance(10)
    expect([...routeRows(b.speaker.ribs, 'ipv4')][0]?.communities).toEqual([])
  })

  test('rows say what a neighbour has announced and is sent, and why a path has lost', () => {
    const here = world()
    const middle = start(here, '10.0.0.1', {
      as: 65001,
      neighbours: [
        neighbour('10.0.0.2', { localAs: 65001, remoteAs: 65002 }, { communities: [0xfde9_0001] }),
        neighbour('10.0.0.3', { localAs: 65001, remoteAs: 65003 }),
      ],
    })
    const outside = (address: string, as: number) =>
      start(here, address, {
        as,
        networks: ['192.0.2.0/24'],
        neighbours: [neighbour('10.0.0.1', { localAs: as, remoteAs: 65001 })],
      })
    outside('10.0.0.2', 65002)
    outside('10.0.0.3', 65003)
    here.clock.advance(A_WHILE)
    const { speaker } = middle
    assert.equal(routesOf(middle)['192.0.2.0/24'], '10.0.0.2 10.0.0.3', 'both at once')
    const rows = why(speaker.ribs, '192.0.2.0/24')
    expect(rows.map(({ from, best, lostAt }) => ({ from, best, lostAt }))).toEqual([
      { from: '10.0.0.2', best: true, lostAt: undefined },
      { from: '10.0.0.3', best: false, lostAt: 'lowest BGP identifier' },
    ])
    expect([...adjInRows(speaker.received('10.0.0.3', 'ipv4'))]).toMatchObject([
      { prefix: '192.0.2.0/24', asPath: [65003], nextHop: '10.0.0.3' },
    ])
    expect([...adjOutRows(speaker.ribs, '10.0.0.2', 'ipv4')], 'it is the best, and comes from there').toEqual([])
    expect([...adjOutRows(speaker.ribs, '10.0.0.3', 'ipv4')]).toMatchObject([
      { prefix: '192.0.2.0/24', from: '10.0.0.2', asPath: [65001, 65002], nextHop: '10.0.0.1' },
    ])
    assert.throws(() => speaker.received('10.0.0.9', 'ipv4'), /There is no neighbour "10.0.0.9"/)
  })

  test('a next hop out of reach is not used, and is when it comes into reach', () => {
    const { here, a, b } = pair({}, { networks: ['192.0.2.0/24'] })
    a.node.unreachable.add('10.0.0.2')
    a.node.tell()
    here.clock.advance(10)
    expect(routesOf(a)).toEqual({})
    a.node.unreachable.clear()
    a.node.tell()
    here.clock.advance(10)
    expect(routesOf(a)).toEqual({ '192.0.2.0/24': '10.0.0.2' })
    expect(statesOf(b)).toEqual(['Established'])
  })

  test('a large table comes, changes and goes in parts, between which others have their turn', () => {
    const networks = Array.from(
      { length: 20_000 },
      (_, i) => `10.${64 + (i >> 14)}.${(i >> 6) & 255}.${(i & 63) * 4}/30`,
    )
    const { here, a, b } = pair({}, { networks })
    assert.equal(a.fib.routes.size, 20_000)
    b.speaker.apply({ ...b.speaker.settings, networks: [] })
    here.clock.advance(SECOND)
    assert.equal(a.fib.routes.size, 0)
    b.speaker.apply({
      ...b.speaker.settings,
      networks: networks.map((prefix) => ({ prefix, communities: [], blackhole: true })),
    })
    here.clock.advance(SECOND)
    assert.equal(a.fib.routes.size, 20_000)
    a.speaker.disable('10.0.0.2')
    here.clock.advance(SECOND)
    assert.equal(a.fib.routes.size, 0)
    assert.ok(a.fib.most > 1_000 && a.fib.most <= 8_192, `${a.fib.most} at once`)
  })

  test('a second path takes over: the route is replaced, and was never away', () => {
    const here = world()
    const a = start(here, '10.0.0.1', { neighbours: [neighbour('10.0.0.2'), neighbour('10.0.0.3')] })
    const networks = ['192.0.2.0/24']
    const b = start(here, '10.0.0.2', { networks, neighbours: [neighbour('10.0.0.1')] })
    start(here, '10.0.0.3', { networks, neighbours: [neighbour('10.0.0.1')] })
    here.clock.advance(A_WHILE)
    a.fib.done.length = 0
    b.speaker.stop()
    here.clock.advance(10)
    expect(a.fib.done).toEqual(['+ 192.0.2.0/24 via 10.0.0.3'])
  })

  test('a client of a reflector has what the other client announces, by its own next hop', () => {
    const here = world()
    const client = { isClient: true }
    start(here, '10.0.0.1', { neighbours: [neighbour('10.0.0.2', {}, client), neighbour('10.0.0.3', {}, client)] })
    const b = start(here, '10.0.0.2', { neighbours: [neighbour('10.0.0.1')] })
    start(here, '10.0.0.3', { networks: ['192.0.2.0/24'], neighbours: [neighbour('10.0.0.1')] })
    here.clock.advance(A_WHILE)
    expect([...routeRows(b.speaker.ribs, 'ipv4')]).toMatchObject([
      { from: '10.0.0.1', nextHop: '10.0.0.3', originatorId: '10.0.0.3', clusterList: ['10.0.0.1'] },
    ])
  })
})

describe('other settings', () => {
  const networks = (list: readonly string[]) => ({ networks: list, neighbours: [neighbour('10.0.0.2')] })

  test('networks that come and go touch no session', () => {
    const { here, a, b } = pair(networks(['192.0.2.0/24']), { neighbours: [neighbour('10.0.0.1')] })
    const since = b.speaker.neighbour('10.0.0.1')?.establishedAt
    assert.ok(since)
    a.speaker.apply(settingsOf('10.0.0.1', networks(['198.51.100.0/24'])))
    here.clock.advance(10)
    expect(routesOf(b)).toEqual({ '198.51.100.0/24': '10.0.0.1' })
    expect(a.fib.blackholes).toEqual(['198.51.100.0/24'])
    expect(b.speaker.neighbour('10.0.0.1')?.establishedAt).toBe(since)
  })

  test('rules of a neighbour are applied to what has been announced and sent, and touch no session', () => {
    const { here, a, b } = pair({ networks: ['192.0.2.0/24'] }, { networks: ['198.51.100.0/24'] })
    const [was] = a.speaker.settings.neighbours
    const since = a.speaker.neighbour('10.0.0.2')?.establishedAt
    const apply = (given: object) => {
      a.speaker.apply({ ...a.speaker.settings, neighbours: [{ ...was!, ...given }] })
      here.clock.advance(10)
    }
    const filters = was!.filters
    apply({ filters: { ...filters, exportV4: [{ action: 'Reject' }], importV4: [{ action: 'Reject' }] } })
    expect([routesOf(a), routesOf(b)]).toEqual([{}, {}])
    apply({})
    expect([routesOf(a), routesOf(b)]).toEqual([{ '198.51.100.0/24': '10.0.0.2' }, { '192.0.2.0/24': '10.0.0.1' }])
    apply({ importAll: false })
    expect([routesOf(a), routesOf(b)]).toEqual([{}, { '192.0.2.0/24': '10.0.0.1' }])
    expect(a.speaker.neighbour('10.0.0.2')?.establishedAt).toBe(since)
  })

  test('a filter that means nothing is refused, and nothing is changed', () => {
    const { a } = pair({ networks: ['192.0.2.0/24'] })
    const before = a.speaker.settings
    const [was] = before.neighbours
    const filters = { ...was!.filters, importV6: [{ action: 'Accept', cidr: 'fd00::/8' } as const] }
    assert.throws(
      () => a.speaker.apply({ ...before, networks: [], neighbours: [{ ...was!, filters }] }),
      /matchOperator/,
    )
    assert.equal(a.speaker.settings, before)
    expect(a.fib.blackholes).toEqual(['192.0.2.0/24'])
  })

  test('a neighbour that goes is told so, one that comes is dialled, and a third is not touched', () => {
    const here = world()
    const of = (...addresses: readonly string[]) =>
      settingsOf('10.0.0.1', { neighbours: addresses.map((each) => neighbour(each)) })
    const a = start(here, '10.0.0.1', { neighbours: [neighbour('10.0.0.2'), neighbour('10.0.0.3')] })
    const [b, c, d] = ['10.0.0.2', '10.0.0.3', '10.0.0.4'].map((address) =>
      start(here, address, { networks: [`${address}/32`], neighbours: [neighbour('10.0.0.1')] }),
    )
    here.clock.advance(A_WHILE)
    const since = c!.speaker.neighbour('10.0.0.1')?.establishedAt
    a.speaker.apply(of('10.0.0.3', '10.0.0.4'))
    here.clock.advance(10)
    assert.match(b!.speaker.neighbour('10.0.0.1')!.lastError!, /6\/3 Cease: Peer De-configured/)
    here.clock.advance(A_WHILE)
    expect(Object.keys(routesOf(a))).toEqual(['10.0.0.3/32', '10.0.0.4/32'])
    expect(statesOf(d!)).toEqual(['Established'])
    expect(c!.speaker.neighbour('10.0.0.1')?.establishedAt).toBe(since)
    assert.throws(() => a.speaker.disable('10.0.0.2'), /There is no neighbour/)
  })

  test('another setting of the session ends it, and it comes again with that', () => {
    const { here, a, b } = pair()
    const neighbours = [neighbour('10.0.0.2', { holdTime: 30 })]
    a.speaker.apply(settingsOf('10.0.0.1', { neighbours }))
    here.clock.advance(MINUTE)
    assert.match(b.log.join('\n'), /6\/6 Cease: Other Configuration Change/)
    assert.equal(b.speaker.neighbour('10.0.0.1')?.negotiated?.holdTime, 30)
  })

  test('what matters before there is a session does not end the one that is there', () => {
    const { here, a, b } = pair({ neighbours: [neighbour('10.0.0.2')] })
    const since = b.speaker.neighbour('10.0.0.1')?.establishedAt
    const apply = (session: Partial<PeerSettings>, given = {}) => {
      a.speaker.apply(settingsOf('10.0.0.1', { neighbours: [neighbour('10.0.0.2', session, given)] }))
      here.clock.advance(10)
    }
    apply({ name: 'rack-1', connectRetry: 7 }, { communities: [1] })
    assert.match(a.speaker.neighbour('10.0.0.2')!.description, /Established with rack-1/)
    apply({ name: 'rack-1', passive: true })
    expect(b.speaker.neighbour('10.0.0.1')?.establishedAt).toBe(since)
    b.speaker.reset('10.0.0.1')
    here.clock.advance(A_WHILE)
    expect(statesOf(a)).toEqual(['Established'])
    assert.ok(b.speaker.neighbour('10.0.0.1')!.establishedAt! > since!)
  })

  test('another identifier begins all sessions anew, and what was announced while it ran is announced', () => {
    const { here, a, b } = pair({ networks: ['192.0.2.0/24'] })
    a.speaker.announce([{ prefix: '198.51.100.0/24', communities: [], blackhole: false }])
    const settings = { ...a.speaker.settings, routerId: 7 }
    a.speaker.apply(settings)
    here.clock.advance(MINUTE)
    assert.equal(b.speaker.neighbour('10.0.0.1')?.negotiated?.peerId, 7)
    expect(Object.keys(routesOf(b)).sort()).toEqual(['192.0.2.0/24', '198.51.100.0/24'])
  })
})

describe('neighbours', () => {
  test('who dials from a range is a neighbour as long as it is there', () => {
    const here = world()
    const range = { prefix: '10.0.0.0/24', limit: 1 }
    const any = neighbour('10.0.0.0', { remoteAs: undefined, passive: true }, { range })
    const a = start(here, '10.0.0.1', { networks: ['192.0.2.0/24'], neighbours: [any] })
    const b = start(here, '10.0.0.2', { networks: ['10.2.0.0/24'], neighbours: [neighbour('10.0.0.1')] })
    here.clock.advance(A_WHILE)
    const c = start(here, '10.0.0.3', { neighbours: [neighbour('10.0.0.1')] })
    here.clock.advance(A_WHILE)
    expect(a.speaker.neighbours().map(({ settings }) => settings.session.address)).toEqual(['10.0.0.2'])
    expect([routesOf(a), routesOf(b), routesOf(c)]).toEqual([
      { '10.2.0.0/24': '10.0.0.2' },
      { '192.0.2.0/24': '10.0.0.1' },
      {},
    ])
    b.speaker.stop()
    here.clock.advance(3 * MINUTE)
    expect(a.speaker.neighbours().map(({ settings }) => settings.session.address)).toEqual(['10.0.0.3'])
    a.speaker.apply(settingsOf('10.0.0.1'))
    here.clock.advance(10)
    expect(a.speaker.neighbours()).toEqual([])
    assert.match(c.speaker.neighbour('10.0.0.1')!.lastError!, /6\/3/)
  })

  test('the limit of prefixes is taken, one more ends the session and removes its routes', () => {
    const { here, a, b } = pair(
      { neighbours: [neighbour('10.0.0.2', {}, { maxPrefixes: 2 })] },
      { networks: ['10.2.0.0/24', '10.2.1.0/24'] },
    )
    expect(Object.keys(routesOf(a))).toEqual(['10.2.0.0/24', '10.2.1.0/24'])
    expect(a.speaker.neighbour('10.0.0.2')?.routes.ipv4).toEqual({ received: 2, accepted: 2 })
    b.speaker.announce([{ prefix: '10.2.2.0/24', communities: [], blackhole: false }])
    here.clock.advance(100)
    expect(routesOf(a)).toEqual({})
    assert.match(b.speaker.neighbour('10.0.0.1')!.lastError!, /6\/1/)
  })

  test('a session with a neighbour on the link ends when the link is down, with others it does not', () => {
    const here = world()
    const outside = { localAs: 65001, remoteAs: 65002 }
    const neighbours = [neighbour('10.0.0.2', outside), neighbour('10.0.0.3', { ...outside, multihop: 3 })]
    const a = start(here, '10.0.0.1', { as: 65001, neighbours })
    for (const address of ['10.0.0.2', '10.0.0.3']) {
      const session = { localAs: 65002, remoteAs: 65001, multihop: 3 }
      start(here, address, { as: 65002, neighbours: [neighbour('10.0.0.1', session)] })
    }
    here.clock.advance(A_WHILE)
    expect(statesOf(a)).toEqual(['Established', 'Established'])
    for (const address of ['10.0.0.2', '10.0.0.3']) a.node.down.set(address, 'eth0 is down')
    a.node.tell()
    expect(statesOf(a)).toEqual(['Idle', 'Established'])
    assert.match(a.speaker.neighbour('10.0.0.2')!.lastError!, /eth0 is down/)
  })

  test('BFD runs while there is a session, and ends it with Cease 6/10 and its routes at once', () => {
    const watched: { remote: string; events: BfdEvents; open: boolean }[] = []
    const startBfd: StartBfd = ({ remote }, _, events) => {
      const watch = { remote, events, open: true }
      watched.push(watch)
      return {
        state: 'Up',
        change: () => assert.fail(),
        close: () => {
          watch.open = false
        },
      }
    }
    const gracefulRestart = { time: 120, restarting: true }
    const bfd = { minTx: 100, minRx: 100, multiplier: 3 }
    const { here, a, b } = pair(
      { startBfd, neighbours: [neighbour('10.0.0.2', { gracefulRestart }, { bfd })] },
      { networks: ['10.2.0.0/24'] },
    )
    expect(watched.map(({ remote, open }) => ({ remote, open }))).toEqual([{ remote: '10.0.0.2', open: true }])
    assert.equal(a.speaker.neighbour('10.0.0.2')?.bfd, 'Up')
    watched[0]!.events.down('no packets for 300 ms')
    here.clock.advance(10)
    expect(routesOf(a), 'though graceful restart would keep them').toEqual({})
    watched[0]!.events.down('again')
    assert.match(b.speaker.neighbour('10.0.0.1')!.lastError!, /6\/10|BFD Down/)
    here.clock.advance(MINUTE)
    expect(
      watched.map(({ open }) => open),
      'with the next session another',
    ).toEqual([false, true])
  })

  test('BFD that is set, changed or taken away while there is a session does not end it', () => {
    const did: string[] = []
    const startBfd: StartBfd = (_, { minTx }) => {
      did.push(`start ${minTx}`)
      return {
        state: 'Up',
        change: (changed) => did.push(`change ${changed.minTx}`),
        close: () => did.push('close'),
      }
    }
    const { here, a } = pair({ startBfd })
    const { settings } = a.speaker
    const set = (minTx: number | undefined) => {
      const bfd = minTx === undefined ? undefined : { minTx, minRx: 100, multiplier: 3 }
      a.speaker.apply({ ...settings, neighbours: settings.neighbours.map((each) => ({ ...each, bfd })) })
      here.clock.advance(MINUTE)
    }
    const since = a.speaker.neighbour('10.0.0.2')?.establishedAt
    for (const minTx of [100, 300, undefined, 50]) set(minTx)
    expect(did).toEqual(['start 100', 'change 300', 'close', 'start 50'])
    assert.equal(a.speaker.neighbour('10.0.0.2')?.establishedAt, since)
  })

  test('a disabled neighbour stays down, and comes up when it is enabled', () => {
    const { here, a, b } = pair({}, { networks: ['10.2.0.0/24'] })
    a.speaker.disable('10.0.0.2', 'maintenance')
    here.clock.advance(5 * MINUTE)
    expect([statesOf(a), routesOf(a)]).toEqual([['Idle'], {}])
    assert.match(b.log.join('\n'), /maintenance/)
    a.speaker.enable('10.0.0.2')
    here.clock.advance(MINUTE)
    expect(routesOf(a)).toEqual({ '10.2.0.0/24': '10.0.0.2' })
  })

  test('who is drained is used where there are no others, in both directions, and loses no packet', () => {
    const here = world()
    const prefix = '192.0.2.0/24'
    const a = start(here, '10.0.0.1', {
      networks: ['10.1.0.0/24'],
      neighbours: [neighbour('10.0.0.2'), neighbour('10.0.0.3')],
    })
    const b = start(here, '10.0.0.2', { networks: [prefix], neighbours: [neighbour('10.0.0.1')] })
    start(here, '10.0.0.3', { networks: [prefix], neighbours: [neighbour('10.0.0.1')] })
    here.clock.advance(A_WHILE)
    assert.equal(routesOf(a)[prefix], '10.0.0.2 10.0.0.3')
    a.fib.done.length = 0
    a.speaker.drain('10.0.0.2')
    here.clock.advance(10)
    expect([...routeRows(b.speaker.ribs, 'ipv4')].find((row) => row.prefix === '10.1.0.0/24')).toMatchObject({
      localPref: 0,
      communities: ['graceful-shutdown'],
    })
    assert.equal(a.speaker.neighbour('10.0.0.2')?.drained, true)
    a.speaker.disable('10.0.0.2')
    here.clock.advance(10)
    expect(a.fib.done, 'changed before the end, and not by it').toEqual([`+ ${prefix} via 10.0.0.3`])
    a.speaker.enable('10.0.0.2')
    here.clock.advance(MINUTE)
    assert.equal(routesOf(a)[prefix], '10.0.0.3', 'still drained')
    a.speaker.drain('10.0.0.2', false)
    here.clock.advance(10)
    assert.equal(routesOf(a)[prefix], '10.0.0.2 10.0.0.3')
  })

  test('a refresh brings back what a scripted peer sends again, between markers', () => {
    const { here, a, b } = pair({}, { networks: ['10.2.0.0/24'] })
    expect(a.speaker.refresh('10.0.0.2')).toEqual(['ipv4'])
    here.clock.advance(100)
    expect(routesOf(a)).toEqual({ '10.2.0.0/24': '10.0.0.2' })
    expect(statesOf(b)).toEqual(['Established'])
  })

  test('routes of a family that was not agreed upon are ignored, those beside them in the UPDATE are taken', () => {
    const here = world()
    const a = start(here, '10.0.0.1', { neighbours: [neighbour('10.0.0.2', { connectRetry: 60 })] })
    const peer = ScriptedPeer.dial(here, '10.0.0.2', '10.0.0.1')
    peer.send(openHex({ as: 64512 }))
    peer.send(KEEPALIVE)
    const nextHop6 = `fd${'00'.repeat(14)}02`
    const reach = attribute('80', 14, `00020110${nextHop6}0040fd77000000000000`)
    const usual = [attribute('40', 1, '00'), attribute('40', 2, ''), attribute('40', 3, '0a000002')]
    peer.send(update([reach, ...usual, attribute('40', 5, '00000064')], '18c00002'))
    peer.send(update([attribute('80', 15, '00020140fd77000000000000')]))
    peer.send(update([attribute('80', 15, '000201')]))
    here.clock.advance(SECOND)
    expect(statesOf(a)).toEqual(['Established'])
    expect(routesOf(a)).toEqual({ '192.0.2.0/24': '10.0.0.2' })
  })

  test('from an address that is no neighbour nobody is heard', () => {
    const here = world()
    start(here, '10.0.0.1', { neighbours: [neighbour('10.0.0.2')] })
    const stranger = ScriptedPeer.dial(here, '10.0.0.66', '10.0.0.1')
    here.clock.advance(SECOND)
    expect([stranger.types(), stranger.closed !== undefined]).toEqual([[], true])
  })
})

describe('restarts', () => {
  /** The process is gone without a word, and comes back. */
  function restart(here: ReturnType<typeof world>, node: LabSpeaker, options: LabOptions): LabSpeaker {
    node.kill()
    return start(here, node.address, options)
  }

  const gracefully = (address: string) => neighbour(address, { gracefulRestart: { time: 120, restarting: true } })

  test('neither the helper nor the node itself loses a route when a speaker is killed and restarts gracefully', () => {
    const options = { networks: ['10.1.0.0/24'], neighbours: [gracefully('10.0.0.2')] }
    const { here, a, b } = pair(options, { networks: ['10.2.0.0/24'] })
    b.fib.done.length = 0
    const again = restart(here, a, { ...options, restarted: true })
    assert.equal(again.speaker.isDeferring, true)
    while (again.fib.sweeps === 0) here.clock.advance(1)
    expect(routesOf(again), 'there before the leftovers are swept').toEqual({ '10.2.0.0/24': '10.0.0.2' })
    here.clock.advance(A_WHILE)
    assert.equal(again.fib.sweeps, 1)
    expect(b.fib.done, 'nothing was removed, and nothing added').toEqual([])
    expect(routesOf(b)).toEqual({ '10.1.0.0/24': '10.0.0.1' })
    assert.equal(again.speaker.isDeferring, false)
  })

  test('what is not announced again goes at End-of-RIB', () => {
    const neighbours = [gracefully('10.0.0.2')]
    const { here, a, b } = pair({ networks: ['10.1.0.0/24', '10.1.1.0/24'], neighbours })
    b.fib.done.length = 0
    restart(here, a, { networks: ['10.1.1.0/24'], neighbours, restarted: true })
    here.clock.advance(A_WHILE)
    expect(b.fib.done).toEqual(['- 10.1.0.0/24'])
  })

  test('who restarts without saying so is not helped: its routes go when it is back', () => {
    const neighbours = [gracefully('10.0.0.2')]
    const { here, a, b } = pair({ networks: ['10.1.0.0/24'], neighbours })
    b.fib.done.length = 0
    restart(here, a, { networks: ['10.1.0.0/24'], neighbours })
    here.clock.advance(A_WHILE)
    expect(b.fib.done).toEqual(['- 10.1.0.0/24', '+ 10.1.0.0/24 via 10.0.0.1'])
  })

  test('a peer that stays away holds up nothing for longer than ten seconds', () => {
    const here = world()
    const neighbours = [gracefully('10.0.0.2'), gracefully('10.0.0.3')]
    start(here, '10.0.0.2', { networks: ['10.2.0.0/24'], neighbours: [gracefully('10.0.0.1')] })
    const a = start(here, '10.0.0.1', { networks: ['10.1.0.0/24'], neighbours, restarted: true })
    here.clock.advance(9_900)
    expect([a.speaker.isDeferring, routesOf(a)]).toEqual([true, {}])
    here.clock.advance(200)
    expect([a.speaker.isDeferring, routesOf(a)]).toEqual([false, { '10.2.0.0/24': '10.0.0.2' }])
  })

  test('without graceful restart leftovers are swept at once, or with persistent routes a while later', () => {
    const here = world()
    const a = start(here, '10.0.0.1')
    assert.equal(a.fib.sweeps, 1)
    const b = start(here, '10.0.0.2', { kernel: { ...settingsOf('10.0.0.2').kernel!, persist: true } })
    assert.equal(b.fib.sweeps, 0)
    here.clock.advance(11 * SECOND)
    assert.equal(b.fib.sweeps, 1)
  })

  test('a clean stop is told to all peers, and takes the routes away unless they persist', () => {
    const { here, a, b } = pair({ networks: ['10.1.0.0/24'], neighbours: [neighbour('10.0.0.2')] })
    a.speaker.stop('going home')
    a.speaker.stop()
    here.clock.advance(10)
    expect(routesOf(b)).toEqual({})
    assert.match(b.speaker.neighbour('10.0.0.1')!.lastError!, /6\/2 Cease: Administrative Shutdown: "going home"/)
    assert.equal(a.fib.closed, 'remove')
  })
})
