/** A bridge's MTU, MAC and carrier follow its ports. Rows were seen on Linux 6.18 with `ip -o link`. */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'vitest'
import type { ModelKernel } from '../../../src/model/create.ts'
import { World } from '../world.ts'

let kernel: ModelKernel

/** x0 and x1, y0 and y1: two pairs in one namespace, all up. */
beforeEach(() => {
  const world = new World()
  world.pair('a:x0', '02:00:00:00:00:20', 'a:x1', '02:00:00:00:00:21')
  world.pair('a:y0', '02:00:00:00:00:10', 'a:y1', '02:00:00:00:00:11')
  kernel = world.in('a')
})

const link = (name = 'br0') => kernel.links.get(name)!
const refuses = (body: () => void, errno: string) =>
  assert.throws(body, (error: Error) => 'errno' in error && error.errno === errno)

describe('MTU', () => {
  test('is that of the smallest port, though the bridge was made with another', () => {
    kernel.links.add({ kind: 'bridge', name: 'br0', mtu: 9000 })
    assert.equal(link().mtu, 9000)
    kernel.links.set('x0', { mtu: 1200 })
    kernel.links.set('x0', { master: 'br0' })
    assert.equal(link().mtu, 1200)
    kernel.links.set('x0', { mtu: 1300 })
    assert.equal(link().mtu, 1300)
    kernel.links.set('x0', { master: null })
    assert.equal(link().mtu, 1500)
  })

  test('stays where somebody set it', () => {
    kernel.links.add({ kind: 'bridge', name: 'br0' })
    kernel.links.set('x0', { master: 'br0' })
    kernel.links.set('br0', { mtu: 1400 })
    kernel.links.set('x0', { mtu: 1300 })
    assert.equal(link().mtu, 1400)
  })

  test('is 68 to 65535', () => {
    kernel.links.add({ kind: 'bridge', name: 'br0' })
    refuses(() => kernel.links.set('br0', { mtu: 67 }), 'EINVAL')
    refuses(() => kernel.links.set('br0', { mtu: 65536 }), 'EINVAL')
  })
})

describe('MAC', () => {
  test('is the lowest of the ports, none without one', () => {
    kernel.links.add({ kind: 'bridge', name: 'br0' })
    kernel.links.set('x0', { master: 'br0' })
    assert.equal(link().mac, '02:00:00:00:00:20')
    kernel.links.set('y0', { master: 'br0' })
    assert.equal(link().mac, '02:00:00:00:00:10')
    kernel.links.set('y0', { mac: '02:00:00:00:00:30' })
    assert.equal(link().mac, '02:00:00:00:00:20')
    kernel.links.set('x0', { master: null })
    kernel.links.set('y0', { master: null })
    assert.equal(link().mac, '00:00:00:00:00:00')
  })

  test('stays where somebody set it, before or after', () => {
    kernel.links.add({ kind: 'bridge', name: 'br0', mac: '02:00:00:00:00:99' })
    kernel.links.set('x0', { master: 'br0' })
    assert.equal(link().mac, '02:00:00:00:00:99')
    kernel.links.add({ kind: 'bridge', name: 'br1' })
    kernel.links.set('y0', { master: 'br1' })
    kernel.links.set('br1', { mac: '02:00:00:00:00:98' })
    kernel.links.set('y0', { master: null })
    assert.equal(link('br1').mac, '02:00:00:00:00:98')
  })

  test('another one makes neighbours on the bridge unknown', () => {
    kernel.links.add({ kind: 'bridge', name: 'br0', up: true })
    kernel.links.set('x0', { master: 'br0' })
    kernel.neighbours.add({ link: 'br0', address: '10.0.0.9', mac: '02:00:00:00:00:09' })
    kernel.links.set('y0', { master: 'br0' })
    assert.deepEqual(kernel.neighbours.list({ link: 'br0' }), [])
  })
})

describe('operational state', () => {
  test('is unknown while a new bridge has no port', () => {
    kernel.links.add({ kind: 'bridge', name: 'br0', up: true })
    assert.equal(link().operState, 'unknown')
  })

  test('is down when it has no port and somebody set its MAC', () => {
    kernel.links.add({ kind: 'bridge', name: 'br0', mac: '02:00:00:00:00:99', up: true })
    assert.equal(link().operState, 'down')
  })

  test('is up while a port forwards', () => {
    kernel.links.add({ kind: 'bridge', name: 'br0', up: true })
    kernel.links.set('x0', { master: 'br0' })
    assert.equal(link().operState, 'up')
    assert.equal(link('x0').port!.state, 'forwarding')
    kernel.links.set('x0', { master: null })
    assert.equal(link().operState, 'down')
  })
})

describe('a port', () => {
  beforeEach(() => kernel.links.add({ kind: 'bridge', name: 'br0', up: true }))

  test('cannot be lo', () => refuses(() => kernel.links.set('lo', { master: 'br0' }), 'EINVAL'))

  test('cannot be a bridge', () => {
    kernel.links.add({ kind: 'bridge', name: 'br1' })
    refuses(() => kernel.links.set('br1', { master: 'br0' }), 'ELOOP')
  })

  test('cannot be a TUN, which has no frames', () => {
    kernel.links.add({ kind: 'tun', name: 'tun0', tun: { mode: 'tun' } })
    refuses(() => kernel.links.set('tun0', { master: 'br0' }), 'EINVAL')
  })

  test('moves from one bridge to another', () => {
    kernel.links.add({ kind: 'bridge', name: 'br1' })
    kernel.links.set('x0', { master: 'br0' })
    kernel.links.set('x0', { master: 'br1' })
    assert.equal(link('x0').master, link('br1').index)
  })
})
