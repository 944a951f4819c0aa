/** MRT files: RFC 6396, RFC 8050. What a decoder of others makes of them: test/witness/mrt.test.ts. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BgpError } from '../../../src/bgp/errors.ts'
import { STATES } from '../../../src/bgp/fsm.ts'
import { type Bgp4mp, bgp4mpSubtype, decodeBgp4mp, encodeBgp4mp } from '../../../src/bgp/mrt/bgp4mp.ts'
import { dumpTables } from '../../../src/bgp/mrt/dump.ts'
import { MrtLog } from '../../../src/bgp/mrt/log.ts'
import { decodeRecords, encodeRecord, MrtType } from '../../../src/bgp/mrt/record.ts'
import { type MrtRow, mrtRows } from '../../../src/bgp/mrt/rows.ts'
import { decodePeerIndexTable, decodeRib, encodePeerIndexTable } from '../../../src/bgp/mrt/table-dump.ts'
import { DecodeError } from '../../../src/wire/errors.ts'
import { type LabSpeaker, neighbour, start } from '../lab.ts'
import { bytes } from '../octets.ts'
import { world } from '../speakers.ts'

const SECOND = 1000
const A_WHILE = 15 * SECOND

const dumpOf = ({ speaker }: LabSpeaker, time: number) =>
  Buffer.concat([
    ...dumpTables({
      ribs: speaker.ribs,
      routerId: speaker.settings.routerId,
      as: speaker.settings.as,
      view: 'rib',
      time,
      since: (address) => speaker.neighbour(address)?.establishedAt,
    }),
  ])

const rowsOf = (file: Uint8Array) => [...mrtRows(new Uint8Array(file))]
const ofKind = <K extends MrtRow['kind']>(rows: readonly MrtRow[], kind: K) =>
  rows.filter((row): row is MrtRow & { kind: K } => row.kind === kind)

/** 10.0.0.1 has sessions with an iBGP and an eBGP neighbour, which announce what they are given. */
function three() {
  const here = world()
  const families = { families: ['ipv4', 'ipv6'] as const }
  const far = { ...families, remoteAs: 4_200_000_001, localAs: 64512 }
  const a = start(here, '10.0.0.1', {
    networks: ['10.244.1.0/26'],
    neighbours: [neighbour('10.0.0.2', families), neighbour('fd00::3', far)],
  })
  const b = start(here, '10.0.0.2', {
    networks: ['10.244.2.0/26', '10.244.9.0/24'],
    neighbours: [neighbour('10.0.0.1', families)],
  })
  here.clock.advance(A_WHILE)
  return { here, a, b }
}

describe('a dump of the tables', () => {
  test('has every route with its peer, and our own', () => {
    const { here, a, b } = three()
    const rows = rowsOf(dumpOf(a, here.clock.now()))
    expect(ofKind(rows, 'table')).toEqual([
      {
        kind: 'table',
        time: Math.floor(here.clock.now() / SECOND) * SECOND,
        collector: '10.0.0.1',
        view: 'rib',
        peers: [
          { address: '0.0.0.0', id: '10.0.0.1', as: 64512 },
          { address: '10.0.0.2', id: '10.0.0.2', as: 64512 },
        ],
      },
    ])
    const routes = ofKind(rows, 'route')
    expect(routes.map(({ prefix, peer }) => `${prefix} ${peer?.address}`).toSorted()).toEqual([
      '10.244.1.0/26 0.0.0.0',
      '10.244.2.0/26 10.0.0.2',
      '10.244.9.0/24 10.0.0.2',
    ])
    const since = a.speaker.neighbour('10.0.0.2')?.establishedAt
    expect(routes.find(({ prefix }) => prefix === '10.244.2.0/26')).toMatchObject({
      since: Math.floor(since! / SECOND) * SECOND,
      pathId: undefined,
      attributes: ['ORIGIN IGP', 'AS_PATH', 'NEXT_HOP 10.0.0.2', 'LOCAL_PREF 100'],
    })
    b.speaker.stop()
    here.clock.advance(SECOND)
    expect(ofKind(rowsOf(dumpOf(a, here.clock.now())), 'route')).toHaveLength(1)
  })

  test('comes in blocks, and what changes between two is as it is then', () => {
    const { here, a } = three()
    const many = Array.from({ length: 5000 }, (_, i) => `10.${100 + (i >> 8)}.${i & 0xff}.0/24`)
    a.speaker.announce(many.map((prefix) => ({ prefix, communities: [], blackhole: false })))
    here.clock.advance(SECOND)
    const blocks = dumpTables({
      ribs: a.speaker.ribs,
      routerId: 1,
      as: 64512,
      view: '',
      time: 0,
      since: () => undefined,
    })
    const first = blocks.next().value!
    assert.ok(first.length < 70_000)
    a.speaker.withdraw(many)
    const rest = [...blocks]
    const rows = rowsOf(Buffer.concat([first, ...rest]))
    const routes = ofKind(rows, 'route').length
    assert.ok(routes > 500 && routes < 4000, `${routes}`)
  })

  test('keeps path identifiers, and next hops of IPv6', () => {
    const here = world()
    const given = { families: ['ipv4', 'ipv6'], addPath: 'both' } as const
    const a = start(here, 'fd00::1', { routerId: 1, neighbours: [neighbour('fd00::2', given)] })
    start(here, 'fd00::2', { routerId: 2, networks: ['fd44:2::/64'], neighbours: [neighbour('fd00::1', given)] })
    here.clock.advance(A_WHILE)
    const [route] = ofKind(rowsOf(dumpOf(a, here.clock.now())), 'route')
    assert.equal(route?.prefix, 'fd44:2::/64')
    assert.ok(route.pathId! > 0)
    assert.ok(route.attributes?.includes('NEXT_HOP fd00::2'))
  })
})

describe('a running log', () => {
  test('has states and messages of both directions, in their order', () => {
    const here = world()
    const file: Uint8Array[] = []
    const a = start(here, '10.0.0.1', { networks: ['10.244.1.0/26'], neighbours: [neighbour('10.0.0.2')] })
    const stop = a.speaker.observers.add(new MrtLog(here.clock, (record) => file.push(record)))
    const b = start(here, '10.0.0.2', { networks: ['10.244.2.0/26'], neighbours: [neighbour('10.0.0.1')] })
    here.clock.advance(A_WHILE)
    b.speaker.stop('done')
    here.clock.advance(SECOND)
    stop()
    const { length } = file
    here.clock.advance(A_WHILE)
    assert.equal(file.length, length)
    const rows = rowsOf(Buffer.concat(file))
    const told = rows.flatMap((row) => {
      if (row.kind === 'state') return [`${row.from} > ${row.to}`]
      if (row.kind !== 'message') return [row.kind]
      const what = [...row.announced, ...row.withdrawn, ...(row.text ? [row.text] : [])].join(' ')
      return [`${row.direction} ${row.type} ${what}`.trim()]
    })
    for (const expected of [
      'OpenConfirm > Established',
      'received OPEN',
      'sent OPEN',
      'received UPDATE 10.244.2.0/26',
      'sent UPDATE 10.244.1.0/26',
      'received UPDATE End-of-RIB ipv4',
      'received KEEPALIVE',
      'Established > Idle',
    ]) {
      assert.ok(told.includes(expected), `${expected} in ${told.join(', ')}`)
    }
    assert.ok(told.some((each) => /^received NOTIFICATION .*done/.test(each)))
    assert.ok(told.indexOf('received OPEN') < told.indexOf('OpenConfirm > Established'))
    const times = rows.map(({ time }) => time)
    assert.deepEqual(
      times,
      times.toSorted((x, y) => x - y),
    )
  })

  test('tells how its messages are to be read: with path identifiers, with AS numbers of two octets', () => {
    const here = world()
    const file: Uint8Array[] = []
    const given = { addPath: 'both' } as const
    const a = start(here, '10.0.0.1', { neighbours: [neighbour('10.0.0.2', given)] })
    a.speaker.observers.add(new MrtLog(here.clock, (record) => file.push(record)))
    start(here, '10.0.0.2', { networks: ['10.244.2.0/26'], neighbours: [neighbour('10.0.0.1', given)] })
    here.clock.advance(A_WHILE)
    const announced = ofKind(rowsOf(Buffer.concat(file)), 'message').flatMap((row) => row.announced)
    assert.deepEqual(announced, ['10.244.2.0/26 path 1'])
  })
})

const message = fc.record(
  {
    kind: fc.constant('message' as const),
    as4: fc.boolean(),
    local: fc.boolean(),
    addPath: fc.boolean(),
    octets: fc.uint8Array({ maxLength: 60 }),
  },
  { noNullPrototype: true },
)
const change = fc.record(
  {
    kind: fc.constant('state' as const),
    as4: fc.boolean(),
    local: fc.constant(false),
    addPath: fc.constant(false),
    from: fc.constantFrom(...STATES),
    to: fc.constantFrom(...STATES),
  },
  { noNullPrototype: true },
)

test('what happened is read back as it was written', () => {
  const happened = fc
    .tuple(fc.constantFrom(['10.0.0.2', '10.0.0.1'], ['fd00::2', 'fd00::1']), fc.oneof(message, change), fc.nat(65535))
    .map(
      ([[peerAddress, localAddress], what, as]): Bgp4mp => ({
        peerAs: what.as4 ? as * 65537 : as,
        localAs: 64512,
        peerAddress: peerAddress!,
        localAddress: localAddress!,
        what,
      }),
    )
  const time = fc.nat(2 ** 31)
  fc.assert(
    fc.property(fc.array(fc.tuple(happened, time)), (all) => {
      const file = Buffer.concat(
        all.map(([each, at]) =>
          encodeRecord({ time: at, type: MrtType.bgp4mpEt, subtype: bgp4mpSubtype(each), body: encodeBgp4mp(each) }),
        ),
      )
      const read = [...decodeRecords(new Uint8Array(file))]
      assert.deepEqual(
        read.map(({ subtype, body, time: at }) => [decodeBgp4mp(subtype, body), at]),
        all,
      )
    }),
  )
})

test('the table of peers is read back as it was written, and reads AS numbers of two octets', () => {
  const peers = [
    { id: 1, address: '10.0.0.1', as: 4_200_000_001 },
    { id: 0xffff_ffff, address: 'fd00::1', as: 1 },
  ]
  const table = { collectorId: 7, view: 'müller', peers }
  assert.deepEqual(decodePeerIndexTable(encodePeerIndexTable(table)), table)
  const old = decodePeerIndexTable(bytes('00000007 0000 0001 00 00000009 0a000001 fde8'))
  assert.deepEqual(old.peers, [{ id: 9, address: '10.0.0.1', as: 65000 }])
})

test('an MP_REACH_NLRI that is written whole is understood, though RFC 6396 has it cut down', () => {
  const whole = '800e1e 0002 01 10 fd000000000000000000000000000002 00 40fd44000200000000'
  const attributes = bytes(`40010100 400200 ${whole}`)
  const header = '00000000 40fd44000200000000 0001 0000 00000000'
  const body = bytes(
    `${header} ${attributes.length.toString(16).padStart(4, '0')} ${Buffer.from(attributes).toString('hex')}`,
  )
  const file = encodeRecord({ time: 0, type: MrtType.tableDumpV2, subtype: 4, body })
  const [route] = ofKind(rowsOf(file), 'route')
  assert.ok(route?.attributes?.includes('NEXT_HOP fd00::2'), JSON.stringify(route))
})

describe('damage', () => {
  test('any octets are rows, or a DecodeError behind the last that is whole', () => {
    const { here, a } = three()
    const file = dumpOf(a, here.clock.now())
    const damaged = fc
      .tuple(fc.nat(file.length), fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { maxLength: 6 }))
      .map(([cut, changes]) => {
        const copy = new Uint8Array(file.subarray(0, cut))
        for (const [at, value] of changes) if (at < copy.length) copy[at] = value
        return copy
      })
    fc.assert(
      fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 100 })), (octets) => {
        try {
          rowsOf(octets)
        } catch (error) {
          assert.ok(error instanceof DecodeError || error instanceof BgpError, String(error))
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('a file that is cut off has all records that are whole', () => {
    const { here, a } = three()
    const file = dumpOf(a, here.clock.now())
    const read: MrtRow[] = []
    assert.throws(() => {
      for (const row of mrtRows(new Uint8Array(file.subarray(0, -1)))) read.push(row)
    }, DecodeError)
    assert.equal(read.length, rowsOf(file).length - 1)
  })

  test('records that are not read here are told as such', () => {
    const file = encodeRecord({ time: 5000, type: 48, subtype: 1, body: new Uint8Array(3) })
    assert.deepEqual(rowsOf(file), [{ kind: 'other', time: 5000, type: 48, subtype: 1, octets: 3 }])
    assert.equal(decodeRib(6, new Uint8Array(0)), undefined)
  })
})
