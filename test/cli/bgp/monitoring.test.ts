import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, test } from 'vitest'
import { mrtRows } from '../../../src/bgp/mrt/rows.ts'
import { dump, Monitoring } from '../../../src/cli/bgp/monitoring.ts'
import { PORT, STATION, TestStation } from '../../bgp/bmp/station.ts'
import { neighbour, start } from '../../bgp/lab.ts'
import { world } from '../../bgp/speakers.ts'

const folder = mkdtempSync(join(tmpdir(), 'overlab-monitoring-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('a speaker with a station, a log and a dump: all of them have what happened until its end', async () => {
  const here = world()
  const station = new TestStation(here)
  const a = start(here, '10.0.0.1', { name: 'node-1', neighbours: [neighbour('10.0.0.2')] })
  const path = join(folder, 'log.mrt')
  const monitoring = new Monitoring({
    settings: {
      bmp: [
        {
          address: STATION,
          port: PORT,
          localAddress: undefined,
          tables: ['pre-policy'],
          statistics: 0,
          buffer: 1 << 20,
        },
      ],
      mrtLog: path,
    },
    speaker: a.speaker,
    transport: a.host,
    clock: here.clock,
    random: here.random,
    description: 'overlab',
    name: 'node-1',
    log: () => undefined,
  })
  start(here, '10.0.0.2', { networks: ['10.244.2.0/26'], neighbours: [neighbour('10.0.0.1')] })
  here.clock.advance(15_000)
  assert.deepEqual(monitoring.stations, [{ isConnected: true, lastError: undefined }])
  const file = join(folder, 'rib.mrt')
  assert.equal(await dump(a.speaker, file, here.clock.now()), readFileSync(file).length)
  const routes = [...mrtRows(readFileSync(file))].filter(({ kind }) => kind === 'route')
  assert.equal(routes.length, 1)
  a.speaker.stop('over')
  await monitoring.close('over')
  here.clock.advance(1000)
  const rows = [...mrtRows(readFileSync(path))]
  assert.ok(rows.some((row) => row.kind === 'message' && row.announced.includes('10.244.2.0/26')))
  assert.ok(rows.some((row) => row.kind === 'message' && row.direction === 'sent' && row.type === 'NOTIFICATION'))
  assert.deepEqual(
    station.told.slice(-2).map(({ type }) => type),
    ['peer down', 'termination'],
  )
})
