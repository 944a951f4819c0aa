/** What devices count: `ip -s link` of Linux 6.18 for the same frames. Some count the Ethernet header, some do not. */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'vitest'
import { World } from '../world.ts'

const BRIDGE = '02:0b:00:00:00:01'
const B = '02:00:00:00:00:01'
const frame = (to: string, from: string, length = 40) => `${to}${from}0900${'00'.repeat(length)}`

let world: World
beforeEach(() => {
  world = new World()
  const a = world.in('a')
  a.links.add({ kind: 'bridge', name: 'br0', mac: BRIDGE, up: true })
  a.addresses.add({ link: 'br0', prefix: '10.0.0.1/24' })
  world.pair('a:vb', '02:01:00:00:00:01', 'b:eth0', B)
  a.links.set('vb', { master: 'br0' })
  world.in('b').addresses.add({ link: 'eth0', prefix: '10.0.0.2/24' })
  a.neighbours.add({ link: 'br0', address: '10.0.0.2', mac: B })
  for (const [ns, own] of [
    ['a', 1],
    ['b', 2],
  ] as const) {
    world.in(ns).links.add({
      kind: 'vxlan',
      name: 'vx',
      mac: `02:f1:00:00:00:0${own}`,
      vxlan: { vni: 1, port: 8472, local: `10.0.0.${own}` },
      up: true,
    })
  }
})

/** Packets, bytes and drops in, then out, by what `body` does. */
function counted(body: () => void): Record<string, number[]> {
  const all = () =>
    ['a', 'b'].flatMap((ns) =>
      world
        .in(ns)
        .namespace.devices.list()
        .map((device) => {
          const { rxPackets, rxBytes, rxDropped, txPackets, txBytes, txDropped } = device.statistics
          return [`${ns}:${device.name}`, [rxPackets, rxBytes, rxDropped, txPackets, txBytes, txDropped]] as const
        }),
    )
  const before = new Map(all())
  body()
  const changes = all().map(([name, now]) => [name, now.map((value, i) => value - before.get(name)![i]!)] as const)
  return Object.fromEntries(
    changes.filter(([, values]) => values.some((value) => value !== 0)).map(([n, v]) => [n, [...v]]),
  )
}

test('a frame up a bridge, which counts its payload', () => {
  assert.deepEqual(
    counted(() => world.send('b:eth0', frame(BRIDGE, B))),
    {
      'a:br0': [1, 40, 1, 0, 0, 0],
      'a:vb': [1, 54, 0, 0, 0, 0],
      'b:eth0': [0, 0, 0, 1, 54, 0],
    },
  )
})

test('a frame down a bridge, which counts all of it', () => {
  assert.deepEqual(
    counted(() => world.send('a:br0', frame(B, BRIDGE))),
    {
      'a:br0': [0, 0, 0, 1, 54, 0],
      'a:vb': [0, 0, 0, 1, 54, 0],
      'b:eth0': [1, 54, 1, 0, 0, 0],
    },
  )
})

test('a frame through a tunnel, which counts its payload', () => {
  world.in('a').fdb.add({ link: 'vx', mac: '00:00:00:00:00:00', owner: 'self', destination: '10.0.0.2' })
  assert.deepEqual(
    counted(() => world.send('a:vx', frame('02:f1:00:00:00:02', '02:f1:00:00:00:01'))),
    {
      'a:br0': [0, 0, 0, 1, 104, 0],
      'a:vb': [0, 0, 0, 1, 104, 0],
      'a:vx': [0, 0, 0, 1, 40, 0],
      'b:eth0': [1, 104, 0, 0, 0, 0],
      'b:vx': [1, 40, 1, 0, 0, 0],
    },
  )
})

test('a frame that no entry knows', () => {
  assert.deepEqual(
    counted(() => world.send('a:vx', frame('02:f1:00:00:00:02', '02:f1:00:00:00:01'))),
    {
      'a:vx': [0, 0, 0, 0, 0, 1],
    },
  )
})

test('a frame that is too long for the other end', () => {
  world.in('a').links.set('vb', { mtu: 1400 })
  assert.deepEqual(
    counted(() => world.send('b:eth0', frame(BRIDGE, B, 1440))),
    {
      'a:vb': [0, 0, 1, 0, 0, 0],
      'b:eth0': [0, 0, 0, 0, 0, 1],
    },
  )
})

test('a frame over lo, in and out', async () => {
  world.in('a').addresses.add({ link: 'lo', prefix: '10.3.0.1/24' })
  const { statistics } = world.in('a').namespace.loopback
  await world.in('a').ping('10.3.0.1', { size: 20 })
  assert.deepEqual([statistics.rxPackets, statistics.rxBytes, statistics.txPackets, statistics.txBytes], [2, 96, 2, 96])
})
