/** Translation on the rig of the recorded walks: rows X5, S29 and X7 of what Linux 6.18 did there, and what ends a masquerade. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { runLine } from '../../../src/command/run.ts'
import { twoNodes } from '../two-nodes.ts'
import { fromHex, toHex, type World } from '../world.ts'
import { icmpFrame, quoting, tcpFrame, udpFrame } from './segments.ts'

const GATEWAY = '020b00000100'
const PODS = { p1: '02000af40002', p2: '02000af40003' } as const
const OUTSIDE = '192.168.56.12'

async function run(world: World, node: string, command: string): Promise<void> {
  const { status, stderr } = await runLine(command, {
    kernel: world.in(node),
    now: () => world.now,
    sleep: async () => {},
  })
  assert.equal(status, 0, stderr)
}

/** Sends the frame from the pod to its gateway. */
function send(world: World, pod: keyof typeof PODS, frame: Uint8Array): void {
  const sent = frame.slice()
  sent.set(fromHex(GATEWAY + PODS[pod]))
  world.send(`${pod}:eth0`, toHex(sent))
  world.advance(5)
}

const MASQUERADE = 'iptables -t nat -A POSTROUTING -s 10.244.0.0/24 ! -o cni0 -j MASQUERADE'

function warm(world: World): void {
  for (const [from, to] of [
    ['n1', OUTSIDE],
    ['n1', '10.244.0.2'],
    ['n1', '10.244.0.3'],
  ] as const) {
    void world.in(from).ping(to)
    world.advance(10)
  }
  world.take()
}

const udpEntries = (world: World) => world.in('n1').conntrack.list({ protocol: 17 })

test('X5: two pods with one port are masqueraded: the first keeps it, the second gets another from 1024 on', async () => {
  const world = twoNodes()
  warm(world)
  await run(world, 'n1', MASQUERADE)
  send(world, 'p1', udpFrame({ source: '10.244.0.2', destination: OUTSIDE }, [40_000, 53]))
  send(world, 'p2', udpFrame({ source: '10.244.0.3', destination: OUTSIDE }, [40_000, 53]))
  const [first, second] = udpEntries(world).map(({ reply }) => reply)
  assert.equal(first?.destination, '192.168.56.11')
  assert.equal(first?.destinationPort, 40_000)
  assert.equal(second?.destination, '192.168.56.11')
  assert.ok(second!.destinationPort! >= 1024 && second!.destinationPort !== 40_000)
})

test('S29: a pod reaches itself through its service: masqueraded with the bridge’s address, its port kept', async () => {
  const world = twoNodes()
  warm(world)
  await run(
    world,
    'n1',
    'iptables -t nat -A PREROUTING -d 10.96.0.11/32 -p udp -j DNAT --to-destination 10.244.0.3:8080',
  )
  await run(world, 'n1', 'iptables -t nat -A POSTROUTING -s 10.244.0.3 -d 10.244.0.3 -j MASQUERADE')
  const server = world
    .in('p2')
    .sockets.bindUdp({ port: 8080 }, { datagram: (from, bytes) => server.send(from, bytes), error() {} })
  const heard: string[] = []
  const client = world
    .in('p2')
    .sockets.bindUdp(
      { port: 60_832 },
      { datagram: ({ address, port }) => heard.push(`${address}:${port}`), error() {} },
    )
  client.send({ address: '10.96.0.11', port: 80 }, Uint8Array.of(1))
  world.advance(50)
  assert.deepEqual(heard, ['10.96.0.11:80'])
  const [entry] = udpEntries(world)
  assert.equal(`${entry?.reply.destination}:${entry?.reply.destinationPort}`, '10.244.0.1:60832')
  server.close()
  client.close()
})

test('X7: a mark outlives encapsulation, so a rule that masquerades by it meets the tunnel’s packet, too', async () => {
  const world = twoNodes()
  warm(world)
  await run(world, 'n1', 'iptables -t mangle -A PREROUTING -s 10.244.0.2 -j MARK --set-xmark 0x4000/0x4000')
  await run(world, 'n1', 'iptables -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE')
  send(world, 'p1', udpFrame({ source: '10.244.0.2', destination: '10.244.1.2' }, [4000, 53]))
  const rules = world.in('n1').nftables.rules({ family: 'ip', table: 'nat', name: 'POSTROUTING' })
  const counters = rules.flatMap(({ expressions }) => expressions.filter(({ type }) => type === 'counter'))
  assert.deepEqual(counters, [{ type: 'counter', packets: 2n, bytes: 29n + 79n }])
})

for (const [what, command] of [
  ['the device goes down', 'ip link set eth0 down'],
  ['its address is taken away', 'ip addr del 192.168.56.11/24 dev eth0'],
] as const) {
  test(`when ${what}, what was masqueraded with it ends, and nothing else`, async () => {
    const world = twoNodes()
    warm(world)
    await run(world, 'n1', MASQUERADE)
    send(world, 'p1', udpFrame({ source: '10.244.0.2', destination: OUTSIDE }, [40_000, 53]))
    send(world, 'p1', udpFrame({ source: '10.244.0.2', destination: '10.244.0.3' }, [40_000, 53]))
    assert.equal(udpEntries(world).length, 2)
    await run(world, 'n1', command)
    assert.deepEqual(
      udpEntries(world).map(({ original }) => original.destination),
      ['10.244.0.3'],
    )
  })
}

test('an ICMP error of the node about a translated packet quotes it as the client sent it', async () => {
  const world = twoNodes()
  warm(world)
  await run(
    world,
    'n1',
    'iptables -t nat -A PREROUTING -d 10.96.0.10/32 -p tcp -j DNAT --to-destination 10.244.1.2:8080',
  )
  const tcp = { ports: [40_000, 80], flags: 'S', sequence: 1, ack: 0, window: 500, length: 0 } as const
  const frame = tcpFrame({ source: '10.244.0.2', destination: '10.96.0.10' }, tcp)
  // The TTL ends here: neither the header's checksum nor TCP's covers another byte.
  frame[22] = 1
  frame[24] = (frame[24]! + 63) & 0xff
  send(world, 'p1', frame)
  const error = world.seen.find(({ at, direction }) => at === 'p1:eth0' && direction === 'in')
  assert.ok(error, 'there is one')
  const bytes = fromHex(error.hex)
  assert.deepEqual([...bytes.subarray(34, 36)], [11, 0])
  // Behind the ICMP header stands the packet that was sent, from its header on.
  assert.equal(toHex(bytes.subarray(42, 82)), toHex(frame.subarray(14, 54)))
})

test('a router’s error about a masqueraded packet reaches the pod, with the pod’s own packet in it', async () => {
  const world = twoNodes()
  warm(world)
  await run(world, 'n1', MASQUERADE)
  const frame = udpFrame({ source: '10.244.0.2', destination: OUTSIDE }, [40_000, 53])
  send(world, 'p1', frame)
  const outside = world.seen.find(({ at, direction }) => at === 'n1:eth0' && direction === 'out')!
  world.take()
  const error = icmpFrame({ source: OUTSIDE, destination: '192.168.56.11' }, 3, 3, quoting(fromHex(outside.hex)))
  error.set(fromHex('020000000101020000000201'))
  world.send('n2:eth0', toHex(error))
  world.advance(5)
  const arrived = world.seen.find(({ at, direction }) => at === 'p1:eth0' && direction === 'in')
  assert.ok(arrived, 'it arrives')
  const quoted = fromHex(arrived.hex).subarray(42)
  // From the source address on: the TTL, and with it the header's checksum, are those of the router that quotes.
  assert.equal(toHex(quoted.subarray(12, 28)), toHex(frame.subarray(26, 42)))
})

test('REDIRECT: a pod’s packet ends at the address of the device it came in by, and is answered from where it was sent to', async () => {
  const world = twoNodes()
  warm(world)
  await run(world, 'n1', 'iptables -t nat -A PREROUTING -p udp --dport 53 -j REDIRECT --to-ports 5353')
  const server = world
    .in('n1')
    .sockets.bindUdp({ port: 5353 }, { datagram: (from, bytes) => server.send(from, bytes), error() {} })
  const heard: string[] = []
  const client = world
    .in('p1')
    .sockets.bindUdp({}, { datagram: ({ address, port }) => heard.push(`${address}:${port}`), error() {} })
  client.send({ address: '10.99.0.1', port: 53 }, Uint8Array.of(1))
  world.advance(50)
  assert.deepEqual(heard, ['10.99.0.1:53'])
  const [entry] = udpEntries(world)
  assert.equal(`${entry?.reply.source}:${entry?.reply.sourcePort}`, '10.244.0.1:5353')
  server.close()
  client.close()
})
