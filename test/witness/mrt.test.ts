/** bgpdump reads the MRT files that we write: every record, with what we have put into it. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { dumpTables } from '../../src/bgp/mrt/dump.ts'
import { MrtLog } from '../../src/bgp/mrt/log.ts'
import { type LabOptions, neighbour, start } from '../bgp/lab.ts'
import { world } from '../bgp/speakers.ts'
import { run } from '../support/command.ts'

const folder = mkdtempSync(join(tmpdir(), 'overlab-mrt-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A line per record, its fields by |; what is wrong would be a line of its own. */
function bgpdump(name: string, octets: Uint8Array): string[][] {
  const file = join(folder, name)
  writeFileSync(file, octets)
  const lines = run('bgpdump', '-m', '-l', file).trimEnd().split('\n')
  return lines.map((line) => line.split('|'))
}

const FAR = { remoteAs: 4_200_000_001, localAs: 64512 }

/** We, an iBGP neighbour over IPv4, and an eBGP neighbour over IPv6. */
function three(given: LabOptions = {}) {
  const here = world()
  here.network.host('10.0.0.1', 'fd00::1')
  const v6 = { families: ['ipv6'] } as const
  const a = start(here, '10.0.0.1', {
    networks: ['10.244.1.0/26', 'fd44:1::/64'],
    neighbours: [
      neighbour('10.0.0.2'),
      neighbour('fd00::3', { ...FAR, ...v6, localAddress: 'fd00::1', passive: true }),
    ],
    ...given,
  })
  const file: Uint8Array[] = []
  a.speaker.observers.add(new MrtLog(here.clock, (record) => file.push(record)))
  start(here, '10.0.0.2', {
    networks: ['10.244.2.0/26'],
    neighbours: [neighbour('10.0.0.1', {}, { communities: [0xfc00_0064] })],
  })
  const c = start(here, 'fd00::3', {
    routerId: 3,
    as: 4_200_000_001,
    networks: ['fd44:3::/64'],
    neighbours: [neighbour('fd00::1', { ...v6, localAs: 4_200_000_001, remoteAs: 64512 })],
  })
  return { here, a, c, file }
}

test('tables: prefixes, peers, AS paths, next hops of either family, communities', () => {
  const { here, a } = three()
  here.clock.advance(15_000)
  const { speaker } = a
  const { routerId, as } = speaker.settings
  const time = here.clock.now()
  const since = (address: string) => speaker.neighbour(address)?.establishedAt
  const file = Buffer.concat([...dumpTables({ ribs: speaker.ribs, routerId, as, view: 'rib', time, since })])
  const rows = bgpdump('rib.mrt', file).map(
    ([type, at, kind, peer, peerAs, prefix, path, origin, hop, pref, , communities]) => {
      assert.deepEqual([type, at, kind], ['TABLE_DUMP2', String(Math.floor(time / 1000)), 'B'])
      return [peer, peerAs, prefix, path, origin, hop, pref, communities].join(' ')
    },
  )
  assert.deepEqual(rows.toSorted(), [
    '0.0.0.0 64512 10.244.1.0/26  IGP 0.0.0.0 0 ',
    '0.0.0.0 64512 fd44:1::/64  IGP :: 0 ',
    '10.0.0.2 64512 10.244.2.0/26  IGP 10.0.0.2 100 64512:100',
    'fd00::3 4200000001 fd44:3::/64 4200000001 IGP fd00::3 0 ',
  ])
})

test('a running log: states, announcements, withdrawals', () => {
  const { here, c, file } = three()
  here.clock.advance(15_000)
  c.speaker.announce([{ prefix: 'fd44:9::/64', communities: [], blackhole: false }])
  here.clock.advance(1000)
  c.speaker.withdraw(['fd44:9::/64'])
  here.clock.advance(1000)
  const rows = bgpdump('log.mrt', Buffer.concat(file)).map(([type, , ...rest]) => {
    assert.match(type!, /^BGP4MP_ET(_LOCAL)?$/)
    return rest.join(' ')
  })
  for (const expected of [
    'STATE fd00::3 4200000001 5 6',
    'A fd00::3 4200000001 fd44:3::/64 4200000001 IGP fd00::3 0 0',
    'A fd00::3 4200000001 fd44:9::/64 4200000001 IGP fd00::3 0 0',
    'W fd00::3 4200000001 fd44:9::/64',
    'A 10.0.0.2 64512 10.244.2.0/26  IGP 10.0.0.2 100 0 64512:100',
  ]) {
    assert.ok(
      rows.some((row) => row.startsWith(expected.trimEnd())),
      `${expected} in\n${rows.join('\n')}`,
    )
  }
})
