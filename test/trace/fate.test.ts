/** What became of packets that were split, answered, or lost with what would have told of it. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { type Cause, type Ending, Journey } from '../../src/model/observer.ts'
import { family, fateOf, lostOf } from '../../src/trace/fate.ts'

const device = {} as Ending['device']
const delivered: Ending = { disposition: 'delivered', device, by: 'socket' }
const dropped = (reason: string): Ending => ({
  disposition: 'dropped',
  device,
  reason,
  ownReason: undefined,
  kernel: 'f',
  ref: undefined,
  what: '',
})

function journey(cause: Cause, ending: Ending | undefined, parent?: Journey): Journey {
  const made = parent ? parent.spawn(cause) : new Journey(cause)
  made.ending = ending
  return made
}
const reasonOf = (lost: Journey | undefined) => (lost?.ending?.disposition === 'dropped' ? lost.ending.reason : lost)

test('a packet on its way has no fate, and is not lost', () => {
  const packet = journey('sent', undefined)
  assert.equal(fateOf(packet), undefined)
  assert.equal(lostOf(packet), undefined)
})

test('a copy that was delivered outweighs those that were dropped', () => {
  const packet = journey('sent', undefined)
  journey('clone', dropped('OTHERHOST'), packet)
  journey('clone', delivered, packet)
  journey('clone', dropped('OTHERHOST'), packet)
  assert.equal(fateOf(packet), delivered)
  assert.equal(lostOf(packet), undefined)
})

test('of copies that were all lost the last to end says what became of the packet, in whatever order they were made', () => {
  const packet = new Journey('sent')
  const [early, late] = [packet.spawn('clone'), packet.spawn('clone')]
  late.spawn('fragment').end(dropped('NETFILTER_DROP'))
  packet.end(dropped('NO_SOCKET'))
  early.end(dropped('OTHERHOST'))
  early.end(dropped('NEIGH_FAILED'))
  assert.deepEqual(fateOf(packet), dropped('OTHERHOST'), 'the first ending of each')
})

test('a fragment that is lost is what was lost', () => {
  const packet = journey('sent', undefined)
  journey('fragment', dropped('PKT_TOO_BIG'), packet)
  assert.equal(reasonOf(lostOf(packet)), 'PKT_TOO_BIG')
})

test('a lost reply counts, the reset to a lost packet does not', () => {
  const question = journey('sent', delivered)
  journey('reply', dropped('IP_RPFILTER'), question)
  assert.equal(reasonOf(lostOf(question)), 'IP_RPFILTER')
  const refused = journey('sent', dropped('NO_SOCKET'))
  journey('reply', dropped('NEIGH_FAILED'), refused)
  assert.equal(reasonOf(lostOf(refused)), 'NO_SOCKET')
})

test('an error that would have told of a loss, and is lost, decides', () => {
  const packet = journey('sent', dropped('PKT_TOO_BIG'))
  journey('icmp', dropped('NETFILTER_DROP'), packet)
  assert.equal(reasonOf(lostOf(packet)), 'NETFILTER_DROP')
})

test('a family is a journey and all that came of it', () => {
  const packet = journey('sent', delivered)
  const reply = journey('reply', delivered, packet)
  journey('arp', delivered, reply)
  assert.deepEqual(
    [...family(packet)].map(({ cause }) => cause),
    ['sent', 'reply', 'arp'],
  )
})
