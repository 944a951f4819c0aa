/** What a monitoring station is told: RFC 7854, RFC 9069. What tshark makes of it: test/witness/bmp.test.ts. */
import assert from 'node:assert/strict'
import { describe, expect, test } from 'vitest'
import { BmpExporter, type BmpSettings } from '../../../src/bgp/bmp/exporter.ts'
import { type LabOptions, type LabSpeaker, neighbour, start } from '../lab.ts'
import { world } from '../speakers.ts'
import { PORT, STATION, TestStation } from './station.ts'

const SECOND = 1000
const A_WHILE = 15 * SECOND
const POST_POLICY = 0x40

const SETTINGS: BmpSettings = {
  address: STATION,
  port: PORT,
  localAddress: undefined,
  tables: ['pre-policy', 'post-policy', 'loc-rib'],
  statistics: 0,
  buffer: 32 << 20,
}

/** 10.0.0.1, which is monitored, and 10.0.0.2. */
function lab(own: LabOptions = {}, given: Partial<BmpSettings> = {}, other: LabOptions = {}) {
  const here = world()
  const station = new TestStation(here)
  const a = start(here, '10.0.0.1', { networks: ['10.244.1.0/26'], neighbours: [neighbour('10.0.0.2')], ...own })
  const b = start(here, '10.0.0.2', { networks: ['10.244.2.0/26'], neighbours: [neighbour('10.0.0.1')], ...other })
  const log: string[] = []
  const exporterOf = ({ speaker, host }: LabSpeaker) =>
    new BmpExporter({
      settings: { ...SETTINGS, ...given },
      speaker,
      transport: host,
      clock: here.clock,
      random: here.random,
      description: 'overlab 1',
      name: 'node-1',
      log: (text) => log.push(text),
    })
  return { here, station, a, b, log, exporterOf }
}

const networks = (...prefixes: string[]) => prefixes.map((prefix) => ({ prefix, communities: [], blackhole: false }))

describe('a station that is there from the beginning', () => {
  test('hears who speaks, then of sessions with both OPENs, then of routes', () => {
    const { here, station, a, exporterOf } = lab()
    exporterOf(a)
    here.clock.advance(A_WHILE)
    const [first] = station.told
    assert.equal(first?.type, 'initiation')
    assert.equal(first.body.toString('latin1'), '\0\x01\0\x09overlab 1\0\x02\0\x06node-1')
    const up = station.of('peer up').find(({ peer }) => peer === '10.0.0.2')!
    assert.equal(up.as, 64512)
    assert.equal(up.body.subarray(12, 16).join('.'), '10.0.0.1')
    const opens = up.body.subarray(20)
    const [length, type] = [opens.readUInt16BE(16), opens[18]]
    assert.equal(type, 1)
    assert.equal(opens.subarray(24, 28).join('.'), '10.0.0.1')
    assert.equal(opens.subarray(length + 24, length + 28).join('.'), '10.0.0.2')
    assert.equal(opens.readUInt16BE(length + 16), opens.length - length)
    assert.deepEqual(station.routes('10.0.0.2'), { '10.244.2.0/26': '10.0.0.2' })
    assert.deepEqual(station.routes('10.0.0.2', POST_POLICY), { '10.244.2.0/26': '10.0.0.2' })
    assert.deepEqual(station.routes('loc-rib'), { '10.244.1.0/26': '0.0.0.0', '10.244.2.0/26': '10.0.0.2' })
    const order = station.told.map(({ type, peer }) => `${type} ${peer}`)
    assert.ok(order.indexOf('peer up 10.0.0.2') < order.indexOf('route monitoring 10.0.0.2'))
  })

  test('hears of routes that come and go', () => {
    const { here, station, a, b, exporterOf } = lab()
    exporterOf(a)
    here.clock.advance(A_WHILE)
    b.speaker.announce(networks('10.244.9.0/24'))
    here.clock.advance(SECOND)
    for (const flags of [0, POST_POLICY]) assert.ok('10.244.9.0/24' in station.routes('10.0.0.2', flags))
    b.speaker.withdraw(['10.244.9.0/24'])
    here.clock.advance(SECOND)
    for (const flags of [0, POST_POLICY]) assert.ok(!('10.244.9.0/24' in station.routes('10.0.0.2', flags)))
    assert.ok(!('10.244.9.0/24' in station.routes('loc-rib')))
  })

  test('hears why a session has ended: a NOTIFICATION of theirs, of ours, or a connection that broke', () => {
    for (const [end, reason, code] of [
      [({ b }: ReturnType<typeof lab>) => b.speaker.stop('bye'), 3, [6, 2]],
      [({ a }: ReturnType<typeof lab>) => a.speaker.disable('10.0.0.2', 'enough'), 1, [6, 2]],
      [
        ({ b }: ReturnType<typeof lab>) => {
          b.host.crash()
          b.speaker.stop()
        },
        4,
        [],
      ],
    ] as const) {
      const it = lab({ neighbours: [neighbour('10.0.0.2', { holdTime: 9 })] })
      it.exporterOf(it.a)
      it.here.clock.advance(A_WHILE)
      end(it)
      it.here.clock.advance(20 * SECOND)
      const [down] = it.station.of('peer down')
      assert.equal(down?.peer, '10.0.0.2')
      assert.equal(down.body[0], reason)
      assert.deepEqual([...down.body.subarray(1 + 19, 1 + 21)], code)
      assert.deepEqual(it.station.routes('10.0.0.2'), {})
    }
  })
})

describe('a station that comes later', () => {
  test('is told all that is there, and of each family that this was all', () => {
    const { here, station, a, b, exporterOf } = lab()
    here.clock.advance(A_WHILE)
    b.speaker.announce(networks(...Array.from({ length: 3000 }, (_, i) => `10.${100 + (i >> 8)}.${i & 0xff}.0/24`)))
    here.clock.advance(A_WHILE)
    exporterOf(a)
    here.clock.advance(SECOND)
    for (const flags of [0, POST_POLICY]) {
      assert.equal(Object.keys(station.routes('10.0.0.2', flags)).length, 3001)
      const last = station.of('route monitoring').findLast((each) => each.peer === '10.0.0.2' && each.flags === flags)
      assert.equal(last?.body.length, 23)
    }
    assert.equal(Object.keys(station.routes('loc-rib')).length, 3002)
  })

  test('is told what changes while it is told the rest', () => {
    const { here, station, a, b, exporterOf } = lab()
    here.clock.advance(A_WHILE)
    const many = Array.from({ length: 20_000 }, (_, i) => `10.${100 + (i >> 8)}.${i & 0xff}.0/24`)
    b.speaker.announce(networks(...many))
    here.clock.advance(A_WHILE)
    exporterOf(a)
    b.speaker.withdraw(many.slice(10_000))
    b.speaker.announce(networks('192.0.2.0/24'))
    here.clock.advance(A_WHILE)
    for (const flags of [0, POST_POLICY]) {
      const routes = station.routes('10.0.0.2', flags)
      assert.equal(Object.keys(routes).length, 10_002)
      assert.ok('192.0.2.0/24' in routes)
    }
  })

  test('is dialled until it is there, and again when it has gone, and told all anew', () => {
    const { here, station, a, log, exporterOf } = lab()
    here.network.hostOf(STATION)
    station.host.crash()
    const exporter = exporterOf(a)
    here.clock.advance(A_WHILE)
    assert.equal(exporter.status.isConnected, false)
    assert.ok(exporter.status.lastError)
    assert.equal(log.length, 1, log.join('; '))
    const again = new TestStation(here)
    here.clock.advance(60 * SECOND)
    assert.ok(exporter.status.isConnected)
    again.connections[0]!.connection.close()
    here.clock.advance(60 * SECOND)
    assert.equal(again.connections.length, 2)
    assert.deepEqual(again.routes('10.0.0.2'), { '10.244.2.0/26': '10.0.0.2' })
  })

  test('that does not read holds nobody up, is cut off, and told all anew', () => {
    const { here, station, a, b, log, exporterOf } = lab({}, { buffer: 200_000 })
    exporterOf(a)
    here.clock.advance(A_WHILE)
    const [slow] = station.connections
    slow!.connection.pause()
    const many = Array.from({ length: 2000 }, (_, i) => `10.${100 + (i >> 8)}.${i & 0xff}.0/24`)
    for (let round = 0; round < 60 && log.length === 1; round++) {
      b.speaker.announce(many.map((prefix) => ({ prefix, communities: [round], blackhole: false })))
      here.clock.advance(SECOND)
    }
    assert.match(log[1] ?? '', /does not keep up/)
    assert.equal(a.speaker.neighbours()[0]?.state, 'Established')
    here.clock.advance(60 * SECOND)
    assert.equal(Object.keys(station.routes('10.0.0.2')).length, 2001)
  })
})

describe('settings', () => {
  test('only what is asked for is told', () => {
    for (const table of ['pre-policy', 'post-policy', 'loc-rib'] as const) {
      const { here, station, a, exporterOf } = lab({}, { tables: [table] })
      exporterOf(a)
      here.clock.advance(A_WHILE)
      const told = new Set(station.of('route monitoring').map(({ peer, flags }) => `${peer} ${flags}`))
      const expected = { 'pre-policy': '10.0.0.2 0', 'post-policy': `10.0.0.2 ${POST_POLICY}`, 'loc-rib': 'loc-rib 0' }
      assert.deepEqual([...told], [expected[table]])
      const ups = station.of('peer up').map(({ peer }) => peer)
      assert.deepEqual(ups, [table === 'loc-rib' ? 'loc-rib' : '10.0.0.2'])
    }
  })

  test('routes behind filters are those that they let through; other filters change what is told', () => {
    const { here, station, a, exporterOf } = lab({ neighbours: [neighbour('10.0.0.2', {}, { importAll: false })] })
    exporterOf(a)
    here.clock.advance(A_WHILE)
    expect(station.routes('10.0.0.2')).toHaveProperty(['10.244.2.0/26'])
    assert.deepEqual(station.routes('10.0.0.2', POST_POLICY), {})
    a.speaker.apply({ ...a.speaker.settings, neighbours: [neighbour('10.0.0.2')] })
    here.clock.advance(SECOND)
    assert.deepEqual(station.routes('10.0.0.2', POST_POLICY), { '10.244.2.0/26': '10.0.0.2' })
  })

  test('reports count routes, every so many seconds', () => {
    const { here, station, a, exporterOf } = lab({}, { statistics: 30 })
    exporterOf(a)
    here.clock.advance(95 * SECOND)
    const reports = station.of('statistics')
    assert.deepEqual(
      reports.map(({ peer }) => peer),
      ['10.0.0.2', 'loc-rib', '10.0.0.2', 'loc-rib', '10.0.0.2', 'loc-rib'],
    )
    const { body } = reports[0]!
    assert.equal(body.readUInt32BE(0), 3)
    assert.deepEqual([body.readUInt16BE(4), body.readUInt16BE(6), body.readBigUInt64BE(8)], [7, 8, 1n])
    assert.deepEqual([body.readUInt16BE(16), body.readUInt16BE(20), body[22], body.readBigUInt64BE(23)], [9, 1, 1, 1n])
  })

  test('the end is told, and nothing is dialled any more', () => {
    const { here, station, a, exporterOf } = lab()
    const exporter = exporterOf(a)
    here.clock.advance(A_WHILE)
    exporter.close('maintenance')
    here.clock.advance(60 * SECOND)
    const last = station.told.at(-1)!
    assert.equal(last.type, 'termination')
    assert.equal(last.body.toString('latin1'), '\0\x01\0\x02\0\0\0\0\0\x0bmaintenance')
    assert.equal(station.connections.length, 1)
    assert.ok(station.connections[0]!.closed)
  })
})

describe('graceful restart', () => {
  test('routes that are kept are not told while the peer is away, and those it sends again are', () => {
    const gracefulRestart = { time: 120, restarting: true }
    const { here, station, a, b, exporterOf } = lab(
      { neighbours: [neighbour('10.0.0.2', { gracefulRestart })] },
      {},
      { neighbours: [neighbour('10.0.0.1', { gracefulRestart })] },
    )
    exporterOf(a)
    here.clock.advance(A_WHILE)
    b.host.crash()
    b.speaker.stop()
    here.clock.advance(2 * SECOND)
    a.speaker.neighbour('10.0.0.2')
    start(here, '10.0.0.2', {
      networks: ['10.244.2.64/26'],
      neighbours: [neighbour('10.0.0.1', { gracefulRestart })],
      restarted: true,
    })
    here.clock.advance(60 * SECOND)
    for (const flags of [0, POST_POLICY]) {
      assert.deepEqual(station.routes('10.0.0.2', flags), { '10.244.2.64/26': '10.0.0.2' })
    }
  })
})
