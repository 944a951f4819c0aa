/**
 * Where a bridge's frames go. Every row was seen on Linux 6.18: the same bridge and ports, the frames by AF_PACKET, captures on
 * all devices, drops by the tracepoint skb:kfree_skb.
 */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'vitest'
import { World } from '../world.ts'

const B = '02:00:00:00:00:01'
const C = '02:00:00:00:00:02'
const BRIDGE = '02:0b:00:00:00:01'
const PORT_B = '02:01:00:00:00:01'
const PORT_C = '02:01:00:00:00:02'
const UNKNOWN = '02:00:00:00:99:99'
/** An EtherType that nobody takes, and a payload. */
const rest = (length = 40) => `0900${'00'.repeat(length)}`

let world: World

/** a: br0 with the ports vb and vc, attached in this order; b and c: eth0. The bridge knows both. */
beforeEach(() => {
  world = new World()
  const a = world.in('a')
  a.links.add({ kind: 'bridge', name: 'br0', mac: BRIDGE, up: true })
  world.pair('b:eth0', B, 'a:vb', PORT_B)
  world.pair('c:eth0', C, 'a:vc', PORT_C)
  a.links.set('vb', { master: 'br0' })
  a.links.set('vc', { master: 'br0' })
  world.send('c:eth0', `${B}${C}${rest()}`)
  world.send('b:eth0', `${C}${B}${rest()}`)
  world.take()
  world.takeDrops()
})

const cases: readonly {
  readonly name: string
  readonly from?: string
  readonly frame: string
  readonly taps: readonly string[]
  readonly drops?: readonly string[]
}[] = [
  {
    name: 'a known unicast goes to its port alone',
    frame: `${C}${B}${rest()}`,
    taps: ['a:vb in', 'a:vc out', 'c:eth0 in'],
    drops: ['UNHANDLED_PROTO@__netif_receive_skb_core at c:eth0'],
  },
  {
    name: 'an unknown unicast is flooded to all but where it came from',
    frame: `${UNKNOWN}${B}${rest()}`,
    taps: ['a:vb in', 'a:vc out', 'c:eth0 in'],
    drops: ['UNHANDLED_PROTO@__netif_receive_skb_core at c:eth0'],
  },
  {
    name: 'a source that is a group address is refused',
    frame: `${C}03:00:00:00:00:01${rest()}`,
    taps: ['a:vb in'],
    drops: ['MAC_INVALID_SOURCE@br_handle_frame at a:vb'],
  },
  {
    name: 'a source of zeros is refused',
    frame: `${C}00:00:00:00:00:00${rest()}`,
    taps: ['a:vb in'],
    drops: ['MAC_INVALID_SOURCE@br_handle_frame at a:vb'],
  },
  {
    name: 'MAC control frames go nowhere',
    frame: `01:80:c2:00:00:01${B}8808${'00'.repeat(40)}`,
    taps: ['a:vb in'],
    drops: ['MAC_IEEE_MAC_CONTROL@br_handle_frame at a:vb'],
  },
  {
    name: 'LLDP is for the port itself',
    frame: `01:80:c2:00:00:0e${B}88cc${'00'.repeat(40)}`,
    taps: ['a:vb in'],
    drops: ['UNHANDLED_PROTO@__netif_receive_skb_core at a:vb'],
  },
  {
    name: 'with spanning tree off, its frames are forwarded as any multicast is, and handed up',
    frame: `01:80:c2:00:00:00${B}${rest()}`,
    taps: ['a:vb in', 'a:br0 in', 'a:vc out', 'c:eth0 in'],
    drops: ['UNHANDLED_PROTO@__netif_receive_skb_core at a:br0', 'UNHANDLED_PROTO@__netif_receive_skb_core at c:eth0'],
  },
  {
    name: "a frame for a port's own MAC is for this host",
    frame: `${PORT_C}${B}${rest()}`,
    taps: ['a:vb in', 'a:br0 in'],
    drops: ['UNHANDLED_PROTO@__netif_receive_skb_core at a:br0'],
  },
  {
    name: 'with hairpin off, nothing goes back to where it came from',
    frame: `${B}${B}${rest()}`,
    taps: ['a:vb in'],
    drops: ['NOT_SPECIFIED@br_handle_frame_finish at a:vb OVL_BRIDGE_HAIRPIN_OFF'],
  },
  {
    name: 'what the bridge itself sends to nobody it knows is flooded, the last port first',
    from: 'a:br0',
    frame: `${UNKNOWN}${BRIDGE}${rest()}`,
    taps: ['a:vc out', 'c:eth0 in', 'a:vb out', 'b:eth0 in'],
    drops: ['UNHANDLED_PROTO@__netif_receive_skb_core at c:eth0', 'UNHANDLED_PROTO@__netif_receive_skb_core at b:eth0'],
  },
  {
    name: 'what the bridge sends to itself ends',
    from: 'a:br0',
    frame: `${BRIDGE}${BRIDGE}${rest()}`,
    taps: [],
    drops: ['NOT_SPECIFIED@br_dev_xmit at a:br0'],
  },
  {
    name: "what the bridge sends to a port's own MAC leaves by that port",
    from: 'a:br0',
    frame: `${PORT_C}${BRIDGE}${rest()}`,
    taps: ['a:vc out', 'c:eth0 in'],
    drops: ['UNHANDLED_PROTO@__netif_receive_skb_core at c:eth0'],
  },
]

describe('a frame', () => {
  for (const { name, from = 'b:eth0', frame, taps, drops = [] } of cases) {
    test(name, () => {
      world.send(from, frame)
      const [first, ...seen] = world.takeTaps()
      assert.equal(first, `${from} out`)
      assert.deepEqual(seen, taps)
      assert.deepEqual(world.takeDrops().sort(), [...drops].sort())
    })
  }
})

describe('flooding', () => {
  test('with hairpin on, a flood comes back to its sender, after all others', () => {
    world.in('a').links.set('vb', { port: { hairpin: true } })
    world.send('b:eth0', `ff:ff:ff:ff:ff:ff${B}${rest()}`)
    const order = world.takeTaps().filter((tap) => !tap.startsWith('a:br0'))
    assert.deepEqual(order, ['b:eth0 out', 'a:vb in', 'a:vc out', 'c:eth0 in', 'a:vb out', 'b:eth0 in'])
  })

  test('a broadcast is for this host, too', () => {
    world.send('b:eth0', `ff:ff:ff:ff:ff:ff${B}${rest()}`)
    assert.ok(world.takeTaps().includes('a:br0 in'))
  })

  test('each copy is a packet of its own, whose journey names the first as its cause', () => {
    const journeys = world.follow()
    world.send('b:eth0', `ff:ff:ff:ff:ff:ff${B}${rest()}`)
    assert.deepEqual(
      journeys[0]!.children.map(({ cause }) => cause),
      ['clone'],
    )
  })
})

describe('isolation', () => {
  beforeEach(() => {
    for (const port of ['vb', 'vc']) world.in('a').links.set(port, { port: { isolated: true } })
  })

  test('nothing passes from one isolated port to another', () => {
    world.send('b:eth0', `${C}${B}${rest()}`)
    assert.deepEqual(world.takeDrops(), ['NOT_SPECIFIED@br_handle_frame_finish at a:vb OVL_BRIDGE_ISOLATED'])
  })

  test('nor is it flooded there', () => {
    world.send('b:eth0', `${UNKNOWN}${B}${rest()}`)
    assert.deepEqual(world.takeDrops(), ['NO_TX_TARGET@br_handle_frame_finish at a:vb'])
  })

  test('the bridge itself reaches both', () => {
    world.send('a:br0', `${C}${BRIDGE}${rest()}`)
    assert.deepEqual(world.takeTaps(), ['a:br0 out', 'a:vc out', 'c:eth0 in'])
  })
})

describe('sizes', () => {
  beforeEach(() => {
    world.in('a').links.set('vc', { mtu: 1000 })
    world.in('a').links.set('br0', { mtu: 1500 })
  })

  test('a frame of MTU + 18 bytes leaves by the port, whatever the other end makes of it', () => {
    world.send('b:eth0', `${C}${B}${rest(1004)}`)
    assert.deepEqual(world.takeTaps(), ['b:eth0 out', 'a:vb in', 'a:vc out', 'c:eth0 in'])
  })

  test('one byte more is dropped without a word', () => {
    world.send('b:eth0', `${C}${B}${rest(1005)}`)
    assert.deepEqual(world.takeTaps(), ['b:eth0 out', 'a:vb in'])
    assert.deepEqual(world.takeDrops(), ['NOT_SPECIFIED@br_dev_queue_push_xmit at a:vb OVL_BRIDGE_MTU'])
  })
})

describe('ports without a carrier', () => {
  test('a port whose other end is down is disabled, and what was learned behind it is forgotten', () => {
    world.in('c').links.set('eth0', { up: false })
    world.send('b:eth0', `${C}${B}${rest()}`)
    assert.deepEqual(world.takeDrops(), ['NO_TX_TARGET@br_handle_frame_finish at a:vb'])
  })

  test('nothing is sent on it, and no capture sees it', () => {
    world.in('c').links.set('eth0', { up: false })
    world.send('a:vc', `${B}${C}${rest()}`)
    assert.deepEqual(world.takeTaps(), [])
    assert.deepEqual(world.takeDrops(), ['QDISC_DROP@__dev_queue_xmit at a:vc'])
  })

  test('a bridge that is down takes nothing', () => {
    world.in('a').links.set('br0', { up: false })
    world.send('b:eth0', `${C}${B}${rest()}`)
    assert.deepEqual(world.takeDrops(), ['BRIDGE_INGRESS_STP_STATE@br_handle_frame at a:vb'])
  })

  test('when no port forwards, the bridge has no carrier either', () => {
    const state = () => world.in('a').links.get('br0')!.operState
    assert.equal(state(), 'up')
    world.in('b').links.set('eth0', { up: false })
    assert.equal(state(), 'up')
    world.in('c').links.set('eth0', { up: false })
    assert.equal(state(), 'down')
    world.in('c').links.set('eth0', { up: true })
    assert.equal(state(), 'up')
  })
})
