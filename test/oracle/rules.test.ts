/** Which traced packets are nobody's: src/oracle/rules.ts. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { isNoise } from '../../src/oracle/rules.ts'
import { fromHex } from '../../src/trace/hex.ts'

const MULTICAST_ROUTERS = 'fe800000000000000000000000000002ff020000000000000000000000000016'
const NOBODYS_HEADER = '000102030405060708090a0b'

test('a listener report is noise, though the trace leaves out its hop-by-hop header', () => {
  assert.equal(isNoise(fromHex(`6000000000380001${MULTICAST_ROUTERS}8f006ee60000000204000000ff02000000000000`)), true)
})

test('an echo request behind a hop-by-hop header, and a packet that begins like a report, are none', () => {
  assert.equal(isNoise(fromHex(`6000000000380001${MULTICAST_ROUTERS}80006ee60000000204000000ff02000000000000`)), false)
  assert.equal(isNoise(fromHex(`600000000010fd40${MULTICAST_ROUTERS}8f006ee6${NOBODYS_HEADER}`)), false)
})

test('what comes without a packet is none', () => {
  assert.equal(isNoise(undefined), false)
})

test('a neighbour solicitation to one host, behind headers that the trace leaves out, is none', () => {
  const between = 'fd000001000000000000000000000002fd000002000000000000000000000002'
  const target = 'fd000001000000000000000000000001'
  assert.equal(isNoise(fromHex(`60012345002800fe${between}870081a100000000${target}`)), false)
})
