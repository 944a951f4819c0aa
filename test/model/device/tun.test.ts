/** TUN and TAP devices, with a program at the other end. Seen on Linux 6.18. */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'vitest'
import { Tun } from '../../../src/model/device/tun.ts'
import { registerDevice } from '../../../src/model/kernel/register.ts'
import { fromHex, toHex, World } from '../world.ts'

let world: World
let tun: Tun

/** 10.0.0.2 → 10.0.0.1, an echo request. */
const request = fromHex('4500001c00010000400166de0a0000020a0000010800f7ff00000000')

beforeEach(() => {
  world = new World()
  const { namespace, addresses, links } = world.in('a')
  tun = new Tun(namespace, { name: 'tun0', mode: 'tun', mac: new Uint8Array(), mtu: 1500 })
  registerDevice(tun)
  links.set('tun0', { up: true })
  addresses.add({ link: 'tun0', prefix: '10.0.0.1/24' })
})

describe('a packet that the program writes', () => {
  test('is received, and answered without a neighbour being asked for', () => {
    const queue = tun.open()
    queue.write(request)
    const answer = queue.read()!
    assert.equal(toHex(answer.subarray(12)), '0a0000010a0000020000ffff00000000')
    assert.deepEqual(world.takeTaps(), ['a:tun0 in', 'a:tun0 out'])
  })

  test('must be of IPv4 or IPv6', () => {
    const queue = tun.open()
    assert.throws(() => queue.write(Uint8Array.of(0x20, 0)), { errno: 'EINVAL' })
  })

  test('is refused while the device is down', () => {
    const queue = tun.open()
    tun.setUp(false)
    assert.throws(() => queue.write(request), { errno: 'EIO' })
  })
})

describe('packets for the program', () => {
  test('wait in a queue of 500; more are dropped', () => {
    const queue = tun.open()
    for (let i = 0; i < 501; i++) queue.write(request)
    assert.deepEqual(
      world.takeDrops().filter((drop) => drop.startsWith('FULL_RING')),
      ['FULL_RING@tun_net_xmit at a:tun0'],
    )
    let count = 0
    while (queue.read()) count++
    assert.equal(count, 500)
  })

  test('are handed over as they come, where somebody listens', () => {
    const got: Uint8Array[] = []
    const queue = tun.open((packet) => got.push(packet))
    queue.write(request)
    assert.equal(got.length, 1)
    assert.equal(queue.read(), undefined)
  })
})

describe('without a program', () => {
  test('there is no carrier', () => {
    assert.equal(tun.carrier, false)
    const queue = tun.open()
    assert.equal(tun.carrier, true)
    queue.close()
    assert.deepEqual([tun.carrier, tun.operState], [false, 'down'])
  })

  test('one that has it open keeps others out', () => {
    tun.open()
    assert.throws(() => tun.open(), { errno: 'EBUSY' })
  })
})

test('a TAP carries frames', () => {
  const { namespace, links } = world.in('a')
  const mac = fromHex('020000000055')
  const tap = new Tun(namespace, { name: 'tap0', mode: 'tap', mac, mtu: 1500 })
  registerDevice(tap)
  links.set('tap0', { up: true })
  const queue = tap.open()
  assert.throws(() => queue.write(new Uint8Array(13)), { errno: 'EINVAL' })
  queue.write(fromHex(`02000000005502000000006609000000`))
  assert.deepEqual(world.take(), ['a:tap0 in 02000000005502000000006609000000'])
  world.send('a:tap0', '0200000000660200000000550900aa')
  assert.equal(toHex(queue.read()!), '0200000000660200000000550900aa')
})
