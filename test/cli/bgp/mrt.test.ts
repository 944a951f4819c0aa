import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { encodeBgp4mp } from '../../../src/bgp/mrt/bgp4mp.ts'
import { encodeRecord, MrtType } from '../../../src/bgp/mrt/record.ts'
import { mrtRows } from '../../../src/bgp/mrt/rows.ts'
import { formatRow } from '../../../src/cli/bgp/mrt.ts'
import { openMrtLog, writeMrtFile } from '../../../src/cli/bgp/mrt-files.ts'
import { attribute, update } from '../../bgp/octets.ts'

const folder = mkdtempSync(join(tmpdir(), 'overlab-mrt-'))
afterAll(() => rmSync(folder, { recursive: true }))

const TIME = Date.UTC(2026, 10, 22, 5, 0, 0, 250)
const ENDS = { peerAs: 65001, localAs: 65000, peerAddress: '10.0.0.2', localAddress: '10.0.0.1' }
const KIND = { as4: true, local: false, addPath: false } as const

const change = encodeRecord({
  time: TIME,
  type: MrtType.bgp4mpEt,
  subtype: 5,
  body: encodeBgp4mp({ ...ENDS, what: { kind: 'state', ...KIND, from: 'OpenConfirm', to: 'Established' } }),
})
const announcement = encodeRecord({
  time: TIME,
  type: MrtType.bgp4mpEt,
  subtype: 4,
  body: encodeBgp4mp({
    ...ENDS,
    what: {
      kind: 'message',
      ...KIND,
      octets: update(
        [attribute('40', 1, '00'), attribute('40', 2, '02010000fde9'), attribute('40', 3, '0a000002')],
        '180a0900',
        '180a0800',
      ),
    },
  }),
})

test('rows as lines', () => {
  const lines = [...mrtRows(Buffer.concat([change, announcement]))].map(formatRow)
  assert.deepEqual(lines, [
    '2026-11-22T05:00:00.250Z 10.0.0.2 OpenConfirm > Established',
    '2026-11-22T05:00:00.250Z 10.0.0.2 received UPDATE -10.8.0.0/24 +10.9.0.0/24: ORIGIN IGP, AS_PATH 65001, NEXT_HOP 10.0.0.2',
  ])
})

test('a file has its name when it is whole, and none when it cannot be', async () => {
  const path = join(folder, 'rib.mrt')
  assert.equal(await writeMrtFile(path, [change, announcement]), change.length + announcement.length)
  assert.deepEqual(readFileSync(path), Buffer.concat([change, announcement]))
  const broken = function* () {
    yield change
    throw new Error('the tables are gone')
  }
  await expect(writeMrtFile(join(folder, 'other.mrt'), broken())).rejects.toThrow('the tables are gone')
  assert.deepEqual(readdirSync(folder), ['rib.mrt'])
})

test('a log goes on behind what is there', async () => {
  const path = join(folder, 'log.mrt')
  writeFileSync(path, change)
  const log = openMrtLog(path, assert.fail)
  log.write(announcement)
  log.write(change)
  await log.close()
  assert.deepEqual(readFileSync(path), Buffer.concat([change, announcement, change]))
})

test('a log that cannot be written says so once, and is no reason to stop', async () => {
  const troubles: string[] = []
  const log = openMrtLog(join(folder, 'missing', 'log.mrt'), (text) => troubles.push(text))
  log.write(change)
  await expect.poll(() => troubles.length).toBe(1)
  log.write(change)
  await log.close()
  assert.equal(troubles.length, 1)
  assert.match(troubles[0]!, /^Cannot write ".*log\.mrt": ENOENT/)
})
