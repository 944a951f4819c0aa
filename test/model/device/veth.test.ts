/** Veth pairs. Rows were seen on Linux 6.18. */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'vitest'
import { PacketFor, packetFromFrame } from '../../../src/model/packet.ts'
import { transmit } from '../../../src/model/path/transmit.ts'
import { fromHex, World } from '../world.ts'

const A = '02:00:00:00:00:01'
const B = '02:00:00:00:00:02'
const rest = (length = 40) => `0900${'00'.repeat(length)}`

let world: World
beforeEach(() => {
  world = new World()
  world.pair('a:eth0', A, 'b:eth0', B)
})

describe('what one end sends', () => {
  test('the other receives', () => {
    world.send('a:eth0', `${B}${A}${rest()}`)
    const frame = `${B}${A}${rest()}`.replaceAll(':', '')
    assert.deepEqual(world.take(), [`a:eth0 out ${frame}`, `b:eth0 in ${frame}`])
  })

  test('is dropped without a word where it is more than MTU + 18 bytes there', () => {
    world.in('b').links.set('eth0', { mtu: 1000 })
    world.send('a:eth0', `${B}${A}${rest(1004)}`)
    assert.deepEqual(world.takeTaps(), ['a:eth0 out', 'b:eth0 in'])
    world.takeDrops()
    world.send('a:eth0', `${B}${A}${rest(1005)}`)
    assert.deepEqual(world.takeTaps(), ['a:eth0 out'])
    assert.deepEqual(world.takeDrops(), ['NOT_SPECIFIED@__dev_forward_skb2 at a:eth0 OVL_VETH_MTU'])
  })

  test('is not even sent while the other end is down', () => {
    world.in('b').links.set('eth0', { up: false })
    world.send('a:eth0', `${B}${A}${rest()}`)
    assert.deepEqual(world.takeTaps(), [])
    assert.deepEqual(world.takeDrops(), ['QDISC_DROP@__dev_queue_xmit at a:eth0'])
  })

  const kinds = [
    ['its MAC', B, 'host'],
    ['another', '02:00:00:00:00:99', 'otherhost'],
    ['all', 'ff:ff:ff:ff:ff:ff', 'broadcast'],
    ['a group', '01:00:5e:00:00:01', 'multicast'],
  ] as const
  for (const [whom, mac, type] of kinds) {
    test(`for ${whom} is ${type} there`, () => {
      const seen: string[] = []
      world.in('b').packets.capture({ link: 'eth0' }, ({ packetType }) => seen.push(packetType))
      world.send('a:eth0', `${mac}${A}${rest()}`)
      assert.deepEqual(seen, [type])
    })
  }
})

describe('a packet that crosses', () => {
  /** The packet, sent from a:x with a mark, as it is once it has been received. */
  const cross = (from: string) => {
    const device = world.in('a').namespace.devices.get(from)!
    const packet = packetFromFrame(fromHex(`${B}${A}${rest()}`), device)
    packet.mark = 7
    packet.priority = 6
    packet.untracked = true
    packet.route = {}
    packet.for = PacketFor.otherhost
    transmit(packet, device)
    device.namespace.model.settle()
    return packet
  }

  test('into another namespace loses its mark, its connection and its route', () => {
    const { mark, untracked, route, priority } = cross('eth0')
    assert.deepEqual({ mark, untracked, route, priority }, { mark: 0, untracked: false, route: undefined, priority: 0 })
  })

  test('within one keeps its mark', () => {
    world.pair('a:x0', '02:00:00:00:00:10', 'a:x1', '02:00:00:00:00:11')
    const { mark, untracked, route, priority } = cross('x0')
    assert.deepEqual({ mark, untracked, route, priority }, { mark: 7, untracked: false, route: undefined, priority: 0 })
  })
})

describe('the state', () => {
  const state = (name: string, link = 'eth0') => world.in(name).links.get(link)!.operState

  test('is up while both ends are up', () => {
    assert.deepEqual([state('a'), state('b')], ['up', 'up'])
    world.in('b').links.set('eth0', { up: false })
    assert.deepEqual([state('a'), state('b')], ['down', 'down'])
  })

  test('names the other end as the reason where that is in the same namespace', () => {
    const { links } = world.in('a')
    links.add({ kind: 'veth', name: 'v0', peer: { name: 'v1' } })
    assert.deepEqual([state('a', 'v0'), state('a', 'v1')], ['down', 'down'])
    links.set('v0', { up: true })
    assert.deepEqual([state('a', 'v0'), state('a', 'v1')], ['lowerlayerdown', 'down'])
    links.set('v1', { up: true })
    assert.deepEqual([state('a', 'v0'), state('a', 'v1')], ['up', 'up'])
    links.set('v1', { up: false })
    assert.deepEqual([state('a', 'v0'), state('a', 'v1')], ['lowerlayerdown', 'down'])
  })
})

describe('a MAC', () => {
  const refuses = (mac: string) =>
    assert.throws(
      () => world.in('a').links.set('eth0', { mac }),
      (error: Error) => 'errno' in error && error.errno === 'EADDRNOTAVAIL',
    )
  test('is no group address', () => refuses('01:00:00:00:00:01'))
  test('is not zero', () => refuses('00:00:00:00:00:00'))
})
