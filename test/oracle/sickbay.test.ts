import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'vitest'
import { parseSickbay, Sickbay } from '../../src/oracle/sickbay.ts'

const entry = { id: 'late', scenario: 'S20', what: 'frame 2: icmp', reason: 'a clock' }
const differs = { kind: 'frame', what: 'n1:eth0 out, frame 2: icmp.checksum 1, expected 2' } as const

test('a difference that is named is known, in its scenario alone', () => {
  const sickbay = new Sickbay([entry])
  assert.equal(sickbay.know('S21', differs), undefined)
  assert.equal(sickbay.know('S20', { kind: 'frame', what: 'frame 3: udp' }), undefined)
  assert.equal(sickbay.know('S20', differs), entry)
  assert.deepEqual(sickbay.cured(), [])
})

test('an entry whose case has become equal is to be taken out, one whose case did not run is not', () => {
  const sickbay = new Sickbay([entry, { ...entry, id: 'other', scenario: 'S21' }])
  sickbay.know('S20', undefined)
  assert.deepEqual(sickbay.cured(), [entry])
})

test('an entry of a kind waits for one case that differs so', () => {
  const sickbay = new Sickbay([{ id: 'odd', kind: 'bridge', what: 'frame 2', reason: 'chance' }])
  assert.equal(sickbay.know('bridge', undefined), undefined)
  assert.equal(sickbay.know('bridge', differs)?.id, 'odd')
  assert.equal(sickbay.know('bridge', undefined), undefined)
  assert.deepEqual(sickbay.cured(), [])
})

const text = (fields: object) => JSON.stringify([fields])
const { scenario: _, ...placeless } = entry
const { reason: __, ...reasonless } = entry

test.each([
  [text(reasonless), 'Cannot read entry 1 of sickbay.yml: "reason" is missing'],
  [text(placeless), 'Cannot read entry 1 of sickbay.yml: it names a scenario or a kind, one of the two'],
  [
    text({ ...entry, kind: 'bridge' }),
    'Cannot read entry 1 of sickbay.yml: it names a scenario or a kind, one of the two',
  ],
  [
    text({ ...entry, because: 'x' }),
    'Cannot read entry 1 of sickbay.yml: "because" is none of id, scenario, kind, what, reason',
  ],
  [JSON.stringify([entry, entry]), 'Cannot read entry 2 of sickbay.yml: there is a "late" already'],
  ['{}', 'Cannot read sickbay.yml: it is no list'],
  [JSON.stringify(Array(11).fill(entry)), 'Cannot accept sickbay.yml: 11 entries are more than 10'],
])('%s is refused', (yaml, message) => {
  assert.throws(() => parseSickbay(yaml), { name: 'RangeError', message })
})

test('the list of this repository can be read', () => {
  assert.deepEqual(Sickbay.read(join(import.meta.dirname, '../../sickbay.yml')).cured(), [])
})
