/** When those who listen are told, and what ends their listening. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { CapturedPacket, Change } from '../../../src/kernel/live.ts'
import { MILLISECOND } from '../../../src/model/clock.ts'
import { createModel } from '../../../src/model/create.ts'

/** IEEE's first EtherType for experiments. */
const frame = Uint8Array.of(2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, 1, 2, 3)

function pair() {
  const kernel = createModel()
  kernel.sysctl.set('net/ipv6/conf/all/disable_ipv6', '1')
  kernel.links.add({
    kind: 'veth',
    name: 'v0',
    mac: '02:00:00:00:00:01',
    peer: { name: 'v1', mac: '02:00:00:00:00:02' },
  })
  for (const name of ['v0', 'v1']) kernel.links.set(name, { up: true })
  return kernel
}

test('a watch is told behind the call that made the change, and may make calls of its own', () => {
  const kernel = pair()
  const heard: Change[] = []
  kernel.watch(['address'], (change) => {
    assert.notEqual(change, 'lost')
    heard.push(change as Change)
    if (heard.length === 1) kernel.addresses.add({ link: 'v1', prefix: '10.1.0.1/24' })
  })
  kernel.addresses.add({ link: 'v0', prefix: '10.0.0.1/24' })
  assert.deepEqual(heard, [])
  kernel.model.advance(0)
  assert.deepEqual(
    heard.map(({ link }) => link),
    ['v0', 'v1'],
  )
})

test('what happened before the watch is closed is not told behind it', () => {
  const kernel = pair()
  const heard: unknown[] = []
  const subscription = kernel.watch(['address'], (change) => heard.push(change))
  kernel.addresses.add({ link: 'v0', prefix: '10.0.0.1/24' })
  subscription.close()
  kernel.model.advance(MILLISECOND)
  assert.deepEqual(heard, [])
})

test('a capture that closes itself takes nothing from the ones beside it', () => {
  const kernel = pair()
  const heard: string[] = []
  const first = kernel.packets.capture({ link: 'v1' }, () => {
    heard.push('first')
    first.close()
  })
  kernel.packets.capture({ link: 'v1' }, () => heard.push('second'))
  kernel.packets.capture({}, ({ link }) => heard.push(`all ${link}`))
  kernel.packets.send('v0', frame)
  kernel.packets.send('v0', frame)
  assert.deepEqual(heard, ['all v0', 'first', 'second', 'all v1', 'all v0', 'second', 'all v1'])
})

test("a captured frame is the receiver's to keep, and bears the time of the virtual clock", () => {
  const kernel = pair()
  const packets: CapturedPacket[] = []
  kernel.packets.capture({ link: 'v1' }, (packet) => packets.push(packet))
  kernel.model.advance(5 * MILLISECOND)
  kernel.packets.send('v0', frame)
  kernel.packets.send(
    'v0',
    Uint8Array.from(frame, (byte, i) => (i < 14 ? byte : 9)),
  )
  assert.deepEqual(packets[0]!.bytes, frame)
  assert.equal(packets[0]!.time / 1_000_000n, 5n)
  assert.ok(packets[1]!.time > packets[0]!.time)
})

test('a frame longer than the MTU is EMSGSIZE, one shorter than its header EINVAL', () => {
  const { packets } = pair()
  assert.throws(() => packets.send('v0', new Uint8Array(1515)), { errno: 'EMSGSIZE' })
  assert.throws(() => packets.send('v0', new Uint8Array(13)), { errno: 'EINVAL' })
  const tagged = new Uint8Array(1518)
  tagged.set([0x81, 0x00], 12)
  packets.send('v0', tagged)
})

test('a device is found by the name that it has now', () => {
  const { packets, links } = pair()
  const frame = new Uint8Array(60)
  packets.send('v0', frame)
  links.set('v0', { name: 'v9' })
  assert.throws(() => packets.send('v0', frame), { errno: 'ENODEV' })
  packets.send('v9', frame)
  links.delete('v9')
  assert.throws(() => packets.send('v9', frame), { errno: 'ENODEV' })
})

test('an answer that takes no time is there when ping returns, and the clock stands still', async () => {
  const kernel = pair()
  kernel.links.set('lo', { up: true })
  const before = kernel.model.clock.now
  const answer = kernel.ping('127.0.0.1')
  assert.equal(kernel.model.clock.now, before)
  assert.deepEqual(await answer, { outcome: 'reply', from: '127.0.0.1', ttl: 64, milliseconds: 0 })
})

test('where nobody answers, ping moves the clock on to its timeout', async () => {
  const kernel = pair()
  kernel.addresses.add({ link: 'v0', prefix: '10.0.0.1/24' })
  assert.deepEqual(await kernel.ping('10.0.0.9', { timeout: 250 }), { outcome: 'timeout' })
  assert.equal(kernel.model.clock.now, 250 * MILLISECOND)
})
