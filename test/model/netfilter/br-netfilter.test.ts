/**
 * What a bridge does with the packets that it hands to IP's hooks, as Linux 6.18 did it.
 *
 * Recorded on it: a bridge br0 with 10.0.0.1/24 and the ports r0 and r1; behind r1 the host 10.0.0.3 (02:00:00:00:00:0b), behind r0
 * somebody with 02:00:00:00:00:0a who sends raw frames from 10.0.0.2. What is expected is what captures on br0, r0 and r1 saw of
 * IPv4, and `skb:kfree_skb` of it (NO_SOCKET at the host left out).
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { formatIpv4 } from '../../../src/address/ipv4.ts'
import { runLine } from '../../../src/command/run.ts'
import { fold, setU16, sumOf, u16 } from '../../../src/model/bytes.ts'
import { fromHex, toHex, World } from '../world.ts'
import { ipv4Frame, tcpFrame, udpFrame } from './segments.ts'

const CLIENT = '02000000000a'
const HOST = '02000000000b'
const BRIDGE = '020000000100'
const BACK = 'ip neigh replace 10.0.0.2 lladdr 02:00:00:00:00:0a dev br0 nud permanent'
const TRACKED = 'iptables -A FORWARD -m conntrack --ctstate NEW -j ACCEPT'
const dnat = (to: string) => `iptables -t nat -A PREROUTING -d 10.9.9.9 -j DNAT --to-destination ${to}`
const KNOWN = 'ip neigh replace 10.0.0.3 lladdr 02:00:00:00:00:0b dev br0 nud permanent'

interface Case {
  readonly title: string
  /** Run in the bridge's namespace. */
  readonly commands?: readonly string[]
  readonly mtuOfR1?: number
  readonly sysctls?: Readonly<Record<string, string>>
  /** Frames from the client, each with what is expected then. */
  readonly frames: readonly (readonly [frame: Uint8Array, taps: readonly string[], drops?: readonly string[]])[]
}

const service = toMac(BRIDGE, udpFrame({ source: '10.0.0.2', destination: '10.9.9.9' }, [4000, 53]))
const [first, second] = fragments()
const whole = udpFrame({ source: '10.0.0.2', destination: '10.0.0.3' }, [4000, 53], 1472)

const cases: readonly Case[] = [
  {
    title: 'fragments are put together for conntrack, and cut again as they came',
    commands: [TRACKED],
    frames: [
      [first, [`r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L1020 2000`]],
      [
        second,
        [
          `r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L828 007d`,
          `r1 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L1020 2000`,
          `r1 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L828 007d`,
        ],
      ],
    ],
  },
  {
    // Seen of 660 + 420 + 156 + 52 bytes: 660 + 588 at the first port, as they came at the last.
    title: 'a flood cuts them anew but for its last port: the copies share their data',
    commands: [TRACKED, 'bridge link set dev r0 hairpin on', 'bridge fdb del 02:00:00:00:00:0b dev r1 master'],
    frames: [
      ...inPieces([640, 400, 136]).map((frame, i): [Uint8Array, string[]] => [
        frame,
        [`r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 ${['L660 2000', 'L420 2050', 'L156 2082'][i]}`],
      ]),
      [
        inPieces([640, 400, 136, 32]).at(-1)!,
        [
          `r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L52 0093`,
          ...['L660 2000', 'L588 0050'].map((piece) => `r1 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 ${piece}`),
          ...['L660 2000', 'L420 2050', 'L156 2082', 'L52 0093'].map(
            (piece) => `r0 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 ${piece}`,
          ),
        ],
      ],
    ],
  },
  {
    title: 'without a rule that asks for connections, fragments pass one by one',
    frames: [
      [
        first,
        [
          `r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L1020 2000`,
          `r1 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L1020 2000`,
        ],
      ],
    ],
  },
  {
    title: 'a bad header checksum is dropped, though nobody routes the packet',
    frames: [
      [
        withoutChecksum(first),
        [`r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L1020 2000`],
        ['IP_INHDR@br_nf_pre_routing at n:r0'],
      ],
    ],
  },
  {
    title: 'padding behind the packet is cut off',
    frames: [
      [
        padded(toMac(HOST, udpFrame({ source: '10.0.0.2', destination: '10.0.0.3' }, [4000, 53])), 60),
        [
          `r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L29 0000 +17`,
          `r1 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L29 0000`,
        ],
      ],
    ],
  },
  {
    title: 'what is too long for the port is dropped by the bridge; with DF, by br_netfilter',
    mtuOfR1: 1400,
    frames: [
      [
        toMac(HOST, whole),
        [`r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L1500 0000`],
        ['NOT_SPECIFIED@br_dev_queue_push_xmit at n:r0 OVL_BRIDGE_MTU'],
      ],
      [
        dontFragment(toMac(HOST, whole)),
        [`r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L1500 4000`],
        ['NOT_SPECIFIED@br_nf_dev_queue_xmit at n:r0 OVL_BRIDGE_MTU'],
      ],
    ],
  },
  {
    title: 'bridged DNAT: the neighbour is asked for, and the packet goes through the bridge itself; then straight on',
    commands: [dnat('10.0.0.3')],
    frames: [
      [
        service,
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.9.9.9 t64 L29 0000`,
          `br0 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L29 0000`,
          `r1 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L29 0000`,
        ],
      ],
      [
        service,
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.9.9.9 t64 L29 0000`,
          `r1 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L29 0000`,
        ],
      ],
    ],
  },
  {
    title: 'bridged DNAT to a permanent neighbour: the first packet makes the header that others copy',
    commands: [dnat('10.0.0.3'), KNOWN],
    frames: [
      [
        service,
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.9.9.9 t64 L29 0000`,
          `br0 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L29 0000`,
          `r1 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L29 0000`,
        ],
      ],
      [
        service,
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.9.9.9 t64 L29 0000`,
          `r1 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L29 0000`,
        ],
      ],
    ],
  },
  {
    title: 'DNAT to where no route leads: up the stack, which refuses it',
    commands: [dnat('10.7.7.7')],
    frames: [
      [
        service,
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.9.9.9 t64 L29 0000`,
          `br0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.7.7.7 t64 L29 0000`,
        ],
        ['IP_INNOROUTES@ip_error at n:br0'],
      ],
    ],
  },
  {
    title: 'DNAT to the bridge’s own address: up the stack',
    commands: [dnat('10.0.0.1')],
    frames: [
      [
        service,
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.9.9.9 t64 L29 0000`,
          `br0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.0.0.1 t64 L29 0000`,
        ],
      ],
    ],
  },
  {
    title: 'without forwarding a new destination is refused by the stack, behind the same bridge, too',
    commands: [dnat('10.0.0.3'), KNOWN],
    sysctls: { 'net/ipv4/ip_forward': '0' },
    frames: [
      [
        service,
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.9.9.9 t64 L29 0000`,
          `br0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.0.0.3 t64 L29 0000`,
        ],
        ['IP_INADDRERRORS@ip_error at n:br0'],
      ],
    ],
  },
  {
    title: 'with bridge-nf-call-iptables 0 it is routed: TTL 63, the bridge’s own MAC',
    commands: [dnat('10.0.0.3'), KNOWN],
    sysctls: { 'net/bridge/bridge-nf-call-iptables': '0' },
    frames: [
      [
        service,
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.9.9.9 t64 L29 0000`,
          `br0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.9.9.9 t64 L29 0000`,
          `br0 out ${BRIDGE}>${HOST} 10.0.0.2>10.0.0.3 t63 L29 0000`,
          `r1 out ${BRIDGE}>${HOST} 10.0.0.2>10.0.0.3 t63 L29 0000`,
        ],
        // The redirect that tells the client: errors of this kind are not translated.
        ['NETFILTER_DROP@nf_hook_slow at n:br0'],
      ],
    ],
  },
]

const tcp = { ports: [1000, 80], flags: 'S', sequence: 100, ack: 0, window: 500, length: 0 } as const
const RESET = 'iptables -A FORWARD -p tcp -j REJECT --reject-with tcp-reset'
const REJECT = 'iptables -A FORWARD -p udp -j REJECT'
const UNDO = 'iptables -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT'

const refusals: readonly Case[] = [
  {
    title: 'a bridged packet is reset by the port that it came in by, in the name of whom it was for',
    commands: [BACK, RESET],
    frames: [
      [
        toMac(HOST, tcpFrame({ source: '10.0.0.2', destination: '10.0.0.3' }, tcp)),
        [
          `r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L40 0000`,
          `r0 out ${HOST}>${CLIENT} 10.0.0.3>10.0.0.2 t64 L40 4000`,
        ],
        ['NETFILTER_DROP@nft_do_chain at n:r0'],
      ],
    ],
  },
  {
    title: 'one that went up and is routed, too',
    commands: [BACK, RESET, 'ip route add blackhole 10.6.0.0/16', 'ip route add 10.7.7.0/24 dev far'],
    frames: [
      [
        toMac(BRIDGE, tcpFrame({ source: '10.0.0.2', destination: '10.7.7.7' }, tcp)),
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.7.7.7 t64 L40 0000`,
          `br0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.7.7.7 t64 L40 0000`,
          `r0 out ${BRIDGE}>${CLIENT} 10.7.7.7>10.0.0.2 t64 L40 4000`,
        ],
        ['NETFILTER_DROP@nft_do_chain at n:br0'],
      ],
    ],
  },
  {
    title: 'the ICMP error about a bridged packet is the host’s own',
    commands: [BACK, REJECT],
    frames: [
      [
        toMac(HOST, udpFrame({ source: '10.0.0.2', destination: '10.0.0.3' }, [1, 2])),
        [
          `r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L29 0000`,
          `br0 out ${BRIDGE}>${CLIENT} 10.0.0.1>10.0.0.2 t64 L57 0000`,
          `r0 out ${BRIDGE}>${CLIENT} 10.0.0.1>10.0.0.2 t64 L57 0000`,
        ],
        ['NETFILTER_DROP@nft_do_chain at n:r0'],
      ],
    ],
  },
  {
    title: 'of bridged DNAT the reset is not undone, which passes no hook; the ICMP error is',
    commands: [BACK, KNOWN, dnat('10.0.0.3'), UNDO, RESET, REJECT],
    frames: [
      [
        toMac(BRIDGE, tcpFrame({ source: '10.0.0.2', destination: '10.9.9.9' }, tcp)),
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.9.9.9 t64 L40 0000`,
          `br0 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L40 0000`,
          `r0 out ${HOST}>${CLIENT} 10.0.0.3>10.0.0.2 t64 L40 4000`,
        ],
        ['NETFILTER_DROP@nft_do_chain at n:br0'],
      ],
      [
        toMac(BRIDGE, udpFrame({ source: '10.0.0.2', destination: '10.9.9.9' }, [1000, 53])),
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.9.9.9 t64 L29 0000`,
          `br0 out ${BRIDGE}>${CLIENT} 10.9.9.9>10.0.0.2 t64 L57 0000`,
          `r0 out ${BRIDGE}>${CLIENT} 10.9.9.9>10.0.0.2 t64 L57 0000`,
        ],
        ['NETFILTER_DROP@nft_do_chain at n:r0'],
      ],
    ],
  },
]

const toHost = toMac(HOST, udpFrame({ source: '10.0.0.2', destination: '10.0.0.3' }, [1, 2]))
const arrival = `r0 in ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L29 0000`
const departure = `r1 out ${CLIENT}>${HOST} 10.0.0.2>10.0.0.3 t64 L29 0000`
const dropped = ['NETFILTER_DROP@nft_do_chain at n:r0']

/** xt_physdev(8): to IP's hooks the bridge is both devices, the ports are the physical ones. */
const physical: readonly Case[] = [
  {
    title: 'a bridged packet has its ports as physical devices at FORWARD',
    commands: ['iptables -A FORWARD -i br0 -o br0 -m physdev --physdev-in r0 --physdev-out r1 -j DROP'],
    frames: [[toHost, [arrival], dropped]],
  },
  {
    title: 'and no others',
    commands: ['iptables -A FORWARD -m physdev --physdev-in r1 -j DROP', 'iptables -A FORWARD -i r0 -j DROP'],
    frames: [[toHost, [arrival, departure]]],
  },
  {
    title: 'one that is routed came in by a port, but is not bridged',
    commands: [
      'iptables -A FORWARD -m physdev --physdev-is-bridged -j DROP',
      'iptables -A FORWARD -i br0 -o far -m physdev --physdev-in r0 -j DROP',
      'ip route add 10.7.7.0/24 dev far',
    ],
    frames: [
      [
        toMac(BRIDGE, udpFrame({ source: '10.0.0.2', destination: '10.7.7.7' }, [1, 2])),
        [
          `r0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.7.7.7 t64 L29 0000`,
          `br0 in ${CLIENT}>${BRIDGE} 10.0.0.2>10.7.7.7 t64 L29 0000`,
        ],
        ['NETFILTER_DROP@nft_do_chain at n:br0'],
      ],
    ],
  },
]

for (const { title, commands = [], sysctls = {}, mtuOfR1 = 1500, frames } of [...cases, ...refusals, ...physical]) {
  test(title, async () => {
    const world = bridge(mtuOfR1)
    const node = world.in('n')
    for (const [key, value] of Object.entries(sysctls)) node.sysctl.set(key, value)
    for (const command of commands) {
      const { status, stderr } = await runLine(command, { kernel: node, now: () => world.now, sleep: async () => {} })
      assert.equal(status, 0, stderr)
    }
    world.seen.length = 0
    world.takeDrops()
    for (const [frame, taps, drops = []] of frames) {
      world.send('a:e0', toHex(frame))
      world.advance(250)
      assert.deepEqual(seenOf(world), taps)
      assert.deepEqual(
        world.takeDrops().filter((drop) => drop.includes(' at n:') && !drop.startsWith('NO_SOCKET')),
        drops,
      )
      assert.deepEqual(world.unsupported, [])
    }
  })
}

test('what goes up passes IP’s PREROUTING once: on the bridge', async () => {
  const world = bridge(1500)
  const node = world.in('n')
  const context = { kernel: node, now: () => world.now, sleep: async () => {} }
  await runLine('iptables -t mangle -A PREROUTING -p udp -i br0', context)
  world.send('a:e0', toHex(toMac(BRIDGE, udpFrame({ source: '10.0.0.2', destination: '10.0.0.1' }, [1, 2]))))
  const [rule] = node.nftables.rules({ family: 'ip', table: 'mangle', name: 'PREROUTING' })
  const counter = rule?.expressions.find(({ type }) => type === 'counter')
  assert.deepEqual(counter, { type: 'counter', packets: 1n, bytes: 29n })
})

test('what was put together on the bridge and is routed on is cut for the way out: 1020 + 828 leave as 1444 + 404', async () => {
  const world = bridge(1500)
  const node = world.in('n')
  world.pair('n:out', '02:00:00:00:02:01', 'far:e0', '02:00:00:00:02:02', 1450)
  node.addresses.add({ link: 'out', prefix: '10.0.8.1/24' })
  node.neighbours.add({ link: 'out', address: '10.0.8.2', mac: '02:00:00:00:02:02' })
  await runLine(TRACKED, { kernel: node, now: () => world.now, sleep: async () => {} })
  world.seen.length = 0
  for (const frame of fragments('10.0.8.2')) world.send('a:e0', toHex(toMac(BRIDGE, frame)))
  const seen = seenOf(world).map((line) => line.replace(/ \w+>\w+ /, ' '))
  assert.deepEqual(seen, [
    'r0 in 10.0.0.2>10.0.8.2 t64 L1020 2000',
    'r0 in 10.0.0.2>10.0.8.2 t64 L828 007d',
    'br0 in 10.0.0.2>10.0.8.2 t64 L1828 0000',
    'out out 10.0.0.2>10.0.8.2 t63 L1444 2000',
    'out out 10.0.0.2>10.0.8.2 t63 L404 00b2',
  ])
})

// Seen of 236 + 116 + 388 + 468 + 700 bytes, to a MAC behind a VXLAN port.
test('a tunnel that is a port of the bridge sends them as they came', async () => {
  const world = bridge(1500)
  const lines = [
    TRACKED,
    'ip link add vx0 type vxlan id 7 local 10.0.0.1 dstport 4789',
    'ip link set vx0 master br0 up',
    'bridge fdb replace 02:00:00:00:00:0b dev vx0 master static',
    'bridge fdb append 02:00:00:00:00:0b dev vx0 dst 10.0.0.9 self',
  ]
  for (const line of lines) {
    const { status, stderr } = await runLine(line, { kernel: world.in('n'), now: () => 0, sleep: async () => {} })
    assert.equal(status, 0, stderr)
  }
  world.take()
  for (const piece of inPieces([640, 400, 136, 32])) world.send('a:e0', toHex(piece))
  assert.deepEqual(
    seenOf(world).flatMap((line) => (line.startsWith('vx0 out') ? [line.slice(line.indexOf('L'))] : [])),
    ['L660 2000', 'L420 2050', 'L156 2082', 'L52 0093'],
  )
})

function bridge(mtuOfR1: number): World {
  const world = new World()
  const node = world.in('n')
  node.sysctl.set('net/ipv4/ip_forward', '1')
  node.links.add({ kind: 'bridge', name: 'br0', mac: '02:00:00:00:01:00', mtu: 1500, up: true })
  world.pair('n:r0', '02:00:00:00:01:0a', 'a:e0', '02:00:00:00:00:0a')
  world.pair('n:r1', '02:00:00:00:01:0b', 'b:e0', '02:00:00:00:00:0b', mtuOfR1)
  for (const port of ['r0', 'r1']) node.links.set(port, { master: 'br0' })
  node.links.set('br0', { mtu: 1500 })
  node.addresses.add({ link: 'br0', prefix: '10.0.0.1/24' })
  world.pair('n:far', '02:00:00:00:03:01', 'away:e0', '02:00:00:00:03:02')
  const host = world.in('b')
  host.addresses.add({ link: 'e0', prefix: '10.0.0.3/24' })
  host.routes.add({ destination: '0.0.0.0/0', gateway: '10.0.0.1' })
  // So that the bridge knows where the host is.
  world.send('b:e0', `${BRIDGE}${HOST}1234${'00'.repeat(46)}`)
  return world
}

/** What captures in the bridge's namespace saw of IPv4; every header holds. */
function seenOf(world: World): string[] {
  const lines: string[] = []
  for (const { at, direction, hex } of world.seen.splice(0)) {
    const frame = fromHex(hex)
    if (!at.startsWith('n:') || u16(frame, 12) !== 0x0800 || frame[0] === 1) continue
    const ends = `${formatIpv4(frame.subarray(26, 30))}>${formatIpv4(frame.subarray(30, 34))}`
    const length = u16(frame, 16)
    const rest = frame.length - 14 - length
    const fragment = u16(frame, 20).toString(16).padStart(4, '0')
    const macs = `${hex.slice(12, 24)}>${hex.slice(0, 12)}`
    const text = `${at.slice(2)} ${direction} ${macs} ${ends} t${frame[22]} L${length} ${fragment}${rest ? ` +${rest}` : ''}`
    lines.push(text)
  }
  return lines
}

function toMac(mac: string, frame: Uint8Array): Uint8Array {
  const changed = frame.slice()
  changed.set(fromHex(mac + CLIENT))
  return changed
}

function padded(frame: Uint8Array, length: number): Uint8Array {
  const longer = new Uint8Array(length)
  longer.set(frame)
  return longer
}

function withoutChecksum(frame: Uint8Array): Uint8Array {
  const changed = frame.slice()
  setU16(changed, 24, 0)
  return changed
}

function dontFragment(frame: Uint8Array): Uint8Array {
  return withFragment(frame, 0x4000)
}

function withFragment(frame: Uint8Array, word: number): Uint8Array {
  const changed = withoutChecksum(frame)
  setU16(changed, 20, word)
  setU16(changed, 24, ~fold(sumOf(changed, 14, 34)) & 0xffff)
  return changed
}

/** A datagram whose data of 1208 bytes comes in pieces of these sizes; what they leave is yet to come. */
function inPieces(sizes: readonly number[]): Uint8Array[] {
  const segment = new Uint8Array(1208)
  segment.set([0x0f, 0xa0, 0, 53, 0x04, 0xb8, 0, 0])
  let at = 0
  return sizes.map((size) => {
    const piece = ipv4Frame({ source: '10.0.0.2', destination: '10.0.0.3' }, 17, segment.slice(at, at + size))
    const word = (at >> 3) | (at + size < segment.length ? 0x2000 : 0)
    at += size
    return withFragment(toMac(HOST, piece), word)
  })
}

/** A datagram of 1828 bytes in two: 1020 and 828. */
function fragments(destination = '10.0.0.3'): [Uint8Array, Uint8Array] {
  const segment = new Uint8Array(1808).map((_, i) => i)
  segment.set([0x0f, 0xa0, 0, 53, 0x07, 0x10, 0, 0])
  const ends = { source: '10.0.0.2', destination }
  const [one, two] = [ipv4Frame(ends, 17, segment.slice(0, 1000)), ipv4Frame(ends, 17, segment.slice(1000))]
  return [withFragment(toMac(HOST, one), 0x2000), withFragment(toMac(HOST, two), 125)]
}
