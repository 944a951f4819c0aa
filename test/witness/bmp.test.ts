/** tshark reads what we tell a monitoring station: every message, with nothing malformed. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { BmpExporter } from '../../src/bgp/bmp/exporter.ts'
import { encodeIpv4, IpProtocol } from '../../src/wire/ipv4.ts'
import { encodePcapHeader, encodePcapPacket } from '../../src/wire/pcap.ts'
import { encodeTcp } from '../../src/wire/tcp.ts'
import { PORT, STATION, TestStation } from '../bgp/bmp/station.ts'
import { neighbour, start } from '../bgp/lab.ts'
import { world } from '../bgp/speakers.ts'
import { run } from '../support/command.ts'

const folder = mkdtempSync(join(tmpdir(), 'overlab-bmp-'))
afterAll(() => rmSync(folder, { recursive: true }))

const SECOND = 1000
/** IANA's LINKTYPE_RAW: packets begin with their IP header. */
const RAW = 101
const FROM = '10.0.0.1'
const ACK = 0x10

const FIELDS = [
  'bmp.type',
  'bmp.peer.type',
  'bmp.peer.flags',
  'bmp.peer.ip.addr',
  'bmp.peer.ipv6.addr',
  'bmp.peer.asn',
  'bmp.peer.id',
  'bmp.init.info',
  'bmp.peer.down.reason',
  'bmp.stats.data.routes_adj_rib_in',
  'bmp.stats.data.routes_loc_rib',
  'bmp.term.reason',
  'bgp.type',
  'bgp.open.identifier',
  'bgp.nlri_prefix',
  'bgp.mp_reach_nlri_ipv6_prefix',
  'bgp.mp_unreach_nlri_ipv6_prefix',
  'bgp.update.path_attribute.as_path_segment.as4',
  'bgp.cap.type',
  '_ws.malformed',
] as const

/** A TCP segment per message, as tshark reads them. */
function tshark(octets: Buffer): Record<(typeof FIELDS)[number], string>[] {
  const file = join(folder, 'bmp.pcap')
  const packets: Uint8Array[] = [encodePcapHeader({ resolution: 'nanoseconds', snapLength: 262144, linkType: RAW })]
  for (let at = 0; at < octets.length; ) {
    const length = octets.readUInt32BE(at + 1)
    const bytes = packet(octets.subarray(at, at + length), at)
    packets.push(encodePcapPacket({ time: BigInt(packets.length), length: bytes.length, bytes }, 'nanoseconds'))
    at += length
  }
  writeFileSync(file, Buffer.concat(packets))
  const fields = FIELDS.flatMap((field) => ['-e', field])
  const out = run('tshark', '-r', file, '-n', '-d', `tcp.port==${PORT},bmp`, '-T', 'fields', ...fields)
  const lines = out.split('\n').slice(0, -1)
  assert.equal(lines.length, packets.length - 1)
  return lines.map((line) => {
    const values = line.split('\t')
    return Object.fromEntries(FIELDS.map((field, i) => [field, values[i] ?? ''])) as never
  })
}

function packet(payload: Uint8Array, sequence: number): Uint8Array {
  const ends = { source: FROM, destination: STATION }
  const segment = encodeTcp(
    {
      sourcePort: 40000,
      destinationPort: PORT,
      sequence: sequence + 1,
      acknowledgment: 1,
      flags: ACK,
      window: 65535,
      urgentPointer: 0,
      options: [],
      payload,
    },
    ends,
  )
  return encodeIpv4({
    ...ends,
    tos: 0,
    identification: 0,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: IpProtocol.tcp,
    options: [],
    payload: segment,
  })
}

test('from the first to the last message', () => {
  const here = world()
  here.network.host(FROM, 'fd00::1')
  const far = { remoteAs: 4_200_000_001, localAs: 64512, families: ['ipv6'], localAddress: 'fd00::1' } as const
  const a = start(here, FROM, {
    networks: ['10.244.1.0/26', 'fd44:1::/64'],
    neighbours: [neighbour('10.0.0.2'), neighbour('fd00::3', { ...far, passive: true })],
  })
  const b = start(here, '10.0.0.2', { networks: ['10.244.2.0/26'], neighbours: [neighbour(FROM)] })
  const c = start(here, 'fd00::3', {
    routerId: 0x0a000003,
    as: 4_200_000_001,
    networks: ['fd44:3::/64'],
    neighbours: [
      neighbour('fd00::1', { localAs: 4_200_000_001, remoteAs: 64512, families: ['ipv6'], localAddress: undefined }),
    ],
  })
  const station = new TestStation(here)
  const exporter = new BmpExporter({
    settings: {
      address: STATION,
      port: PORT,
      localAddress: undefined,
      tables: ['pre-policy', 'post-policy', 'loc-rib'],
      statistics: 20,
      buffer: 1 << 20,
    },
    speaker: a.speaker,
    transport: a.host,
    clock: here.clock,
    random: here.random,
    description: 'overlab',
    name: 'node-1',
    log: () => undefined,
  })
  here.clock.advance(15 * SECOND)
  c.speaker.announce([{ prefix: 'fd44:9::/64', communities: [], blackhole: false }])
  here.clock.advance(10 * SECOND)
  c.speaker.withdraw(['fd44:9::/64'])
  here.clock.advance(SECOND)
  b.speaker.stop('done')
  here.clock.advance(SECOND)
  exporter.close('the end')
  here.clock.advance(SECOND)

  const rows = tshark(station.connections[0]!.octets)
  // tshark 4.0 takes what follows two OPENs for a third; RFC 9069 §4.3 wants the table's name there.
  const isNamed = (row: (typeof rows)[number]) => row['bmp.type'] === '3' && row['bmp.peer.type'] === '3'
  assert.deepEqual(
    rows.filter((row) => row['_ws.malformed'] !== '' && !isNamed(row)),
    [],
  )
  const of = (type: number) => rows.filter((row) => row['bmp.type'] === String(type))
  const [first, last] = [rows[0]!, rows.at(-1)!]
  assert.equal(first['bmp.init.info'], 'overlab,node-1')
  assert.deepEqual([last['bmp.type'], last['bmp.term.reason']], ['5', '0'])

  const ups = of(3).map(
    (row) =>
      `${row['bmp.peer.type']} ${row['bmp.peer.ip.addr']}${row['bmp.peer.ipv6.addr']} ${row['bmp.peer.asn']} ${row['bgp.open.identifier']}`,
  )
  assert.deepEqual(ups.toSorted(), [
    '0 10.0.0.2 64512 10.0.0.1,10.0.0.2',
    '0 fd00::3 4200000001 10.0.0.1,10.0.0.3',
    '3 0.0.0.0 64512 10.0.0.1,10.0.0.1',
  ])

  const told = of(0).map((row) => ({
    who: `${row['bmp.peer.type']} ${row['bmp.peer.flags']} ${row['bmp.peer.ip.addr']}${row['bmp.peer.ipv6.addr']}`,
    what: `${row['bgp.nlri_prefix']}${row['bgp.mp_reach_nlri_ipv6_prefix']}${row['bgp.mp_unreach_nlri_ipv6_prefix']}`,
    path: row['bgp.update.path_attribute.as_path_segment.as4'],
  }))
  const has = (who: string, what: string, path = '') =>
    assert.ok(
      told.some((each) => each.who === who && each.what === what && each.path === path),
      `${who} ${what} in ${JSON.stringify(told)}`,
    )
  has('0 0x00 10.0.0.2', '10.244.2.0')
  has('0 0x40 10.0.0.2', '10.244.2.0')
  has('0 0x80 fd00::3', 'fd44:3::', '4200000001')
  has('0 0xc0 fd00::3', 'fd44:9::', '4200000001')
  has('0 0xc0 fd00::3', 'fd44:9::')
  has('3 0x00 0.0.0.0', '10.244.1.0')
  has('3 0x00 0.0.0.0', 'fd44:1::')

  const [down] = of(2)
  assert.deepEqual(
    [down?.['bmp.peer.ip.addr'], down?.['bmp.peer.down.reason'], down?.['bgp.type']],
    ['10.0.0.2', '3', '3'],
  )
  const counts = of(1).map((row) => row['bmp.stats.data.routes_adj_rib_in'] || row['bmp.stats.data.routes_loc_rib'])
  assert.deepEqual(counts, ['1', '2', '5'])
})
