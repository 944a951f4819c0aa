/** IPIP: two nodes whose pods reach each other through it, X8. test/uml/guest/ipip.test.ts has the same of Linux, in depth. */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'vitest'
import { runLine } from '../../../src/command/run.ts'
import { EtherType, encodeEthernet } from '../../../src/wire/ethernet.ts'
import { decodeIpv4, encodeIpv4, IpProtocol } from '../../../src/wire/ipv4.ts'
import { encodeUdp } from '../../../src/wire/udp.ts'
import { fromHex, toHex, World } from '../world.ts'

const NODE = '02:00:00:00:00:11'
const POD = '02:00:00:00:00:02'
const CALI = '02:00:00:00:00:01'

const commands: Readonly<Record<string, readonly string[]>> = {
  p1: ['ip address add 10.244.0.2/24 dev eth0', 'ip route add default via 10.244.0.1'],
  p2: ['ip address add 10.244.1.2/24 dev eth0', 'ip route add default via 10.244.1.1'],
  n1: [
    'ip address add 192.168.56.11/24 dev eth0',
    'ip address add 10.244.0.1/24 dev cali1',
    'ip link add ipip1 type ipip local 192.168.56.11 remote 192.168.56.12',
    'ip link set ipip1 up',
    'ip route add 10.244.1.0/24 dev ipip1',
    'sysctl -w net.ipv4.ip_forward=1',
  ],
  n2: [
    'ip address add 192.168.56.12/24 dev eth0',
    'ip address add 10.244.1.1/24 dev cali2',
    'ip link add x type ipip remote 192.168.56.99',
    'ip link set tunl0 up',
    'ip route add 10.244.0.0/24 via 192.168.56.11 dev tunl0 onlink',
    'sysctl -w net.ipv4.ip_forward=1',
  ],
}

let world: World
beforeEach(async () => {
  world = new World()
  world.pair('n1:eth0', NODE, 'n2:eth0', '02:00:00:00:00:12')
  world.pair('p1:eth0', POD, 'n1:cali1', CALI)
  world.pair('p2:eth0', '02:00:00:00:00:22', 'n2:cali2', '02:00:00:00:00:21')
  for (const [name, lines] of Object.entries(commands)) await run(name, ...lines)
})

async function run(name: string, ...lines: readonly string[]): Promise<string> {
  const context = { kernel: world.in(name), now: () => world.now, sleep: async () => undefined }
  let output = ''
  for (const line of lines) {
    const { status, stdout, stderr } = await runLine(line, context)
    assert.equal(status, 0, `${line}: ${stderr}`)
    output += stdout
  }
  return output
}

interface Sent {
  readonly ttl?: number
  readonly size?: number
  readonly dontFragment?: boolean
}

/** A datagram of the first pod to the second. */
function send({ ttl = 64, size = 29, dontFragment = false }: Sent = {}): void {
  const udp = encodeUdp({ sourcePort: 4000, destinationPort: 4001, payload: new Uint8Array(size - 28) })
  const header = { tos: 0, identification: 1, moreFragments: false, fragmentOffset: 0, options: [], ttl, dontFragment }
  const ends = { source: '10.244.0.2', destination: '10.244.1.2' }
  const payload = encodeIpv4({ ...header, ...ends, protocol: IpProtocol.udp, payload: udp })
  const frame = encodeEthernet({ destination: CALI, source: POD, tags: [], etherType: EtherType.ipv4, payload })
  world.send('p1:eth0', toHex(frame))
}

/** The IPv4 packets that left n1 by eth0. */
function outer() {
  return world
    .takeSeen()
    .filter(({ at, direction, hex }) => at === 'n1:eth0' && direction === 'out' && hex.slice(24, 28) === '0800')
    .map(({ hex }) => decodeIpv4(fromHex(hex.slice(28))))
}

describe('a packet into the tunnel', () => {
  test('is put into one of protocol 4, which has its TTL, and DF', () => {
    send()
    const [packet] = outer()
    const { source, destination, protocol, ttl, dontFragment, payload } = packet!
    assert.deepEqual(
      { source, destination, protocol, ttl, dontFragment },
      { source: '192.168.56.11', destination: '192.168.56.12', protocol: 4, ttl: 63, dontFragment: true },
    )
    assert.equal(decodeIpv4(payload).destination, '10.244.1.2')
  })

  test('reaches the pod by the far end’s tunl0, which no other device is for', () => {
    send()
    const taps = world.takeSeen().map(({ at }) => at)
    for (const at of ['n1:ipip1', 'n2:tunl0', 'p2:eth0']) assert.ok(taps.includes(at), at)
    assert.deepEqual(world.takeDrops()[0], 'NO_SOCKET@__udp4_lib_rcv at p2:eth0')
  })

  test('of more than 1480 bytes goes in fragments, and with DF its sender is told 1480', () => {
    send({ size: 1481 })
    assert.deepEqual(
      outer().map(({ payload }) => payload.length),
      [1476, 25],
    )
    send({ size: 1481, dontFragment: true })
    assert.deepEqual(outer(), [])
    assert.ok(world.takeDrops().includes('PKT_TOO_BIG@ip_forward at n1:cali1'))
  })

  test('keeps its mark, and leaves its connection behind', async () => {
    await run('n1', 'iptables -t mangle -A PREROUTING -i cali1 -j MARK --set-mark 7')
    await run('n1', 'iptables -t mangle -A POSTROUTING -p ipencap -m mark --mark 7 -m conntrack --ctstate NEW')
    send()
    const rules = await run('n1', 'iptables -t mangle -nvL POSTROUTING')
    assert.match(rules, /^ +1 +\d+ +(?:ipencap|ipv4|4) .*mark match 0x7 ctstate NEW/m)
  })
})

describe('where nothing takes it', () => {
  test('the sending node hears 3/3, and the next senders 3/1', async () => {
    await run('n2', 'ip link set tunl0 down')
    send()
    assert.ok(world.takeDrops().includes('NOT_SPECIFIED@tunnel4_rcv at n2:eth0 OVL_NO_IPIP'))
    world.take()
    send()
    const errors = world.takeSeen().filter(({ at, hex }) => at === 'p1:eth0' && hex.slice(46, 48) === '01')
    assert.deepEqual(
      errors.map(({ hex }) => hex.slice(68, 72)),
      ['0301'],
    )
  })

  test('without the module, protocol 4 is unknown: 3/2', () => {
    const plain = new World()
    plain.pair('a:eth0', CALI, 'b:eth0', POD)
    plain.in('b').addresses.add({ link: 'eth0', prefix: '10.0.0.2/24' })
    plain.in('b').neighbours.add({ link: 'eth0', address: '10.0.0.1', mac: CALI })
    const header = { tos: 0, identification: 1, moreFragments: false, fragmentOffset: 0, options: [], ttl: 64 }
    const ends = { source: '10.0.0.1', destination: '10.0.0.2' }
    const payload = encodeIpv4({ ...header, ...ends, dontFragment: false, protocol: 4, payload: new Uint8Array(20) })
    const frame = encodeEthernet({ destination: POD, source: CALI, tags: [], etherType: EtherType.ipv4, payload })
    plain.send('a:eth0', toHex(frame))
    assert.equal(plain.takeDrops()[0], 'IP_NOPROTO@ip_local_deliver_finish at b:eth0')
  })
})

test('ip link prints it as iproute2 does', async () => {
  const shown = await run('n1', 'ip -d link show ipip1')
  assert.match(shown, /: ipip1@NONE: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1480 qdisc noqueue state UNKNOWN /)
  assert.match(shown, /\n {4}link\/ipip 192\.168\.56\.11 peer 192\.168\.56\.12 promiscuity 0 {2}allmulti 0 /)
  assert.match(shown, /\n {4}ipip any remote 192\.168\.56\.12 local 192\.168\.56\.11 ttl inherit pmtudisc /)
})
