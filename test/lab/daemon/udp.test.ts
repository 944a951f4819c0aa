/**
 * The data path of the backend udp between nodes with a daemon each: what is on the wire, what comes back for packets that
 * cannot go on, and who is heard.
 *
 * Beside the two nodes there is a third one by hand: a lease, and a socket of the test's own at 192.168.77.99.
 */
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, test } from 'vitest'
import { decodeIpv4, encodeIpv4, type Ipv4 } from '../../../src/wire/ipv4.ts'
import { encodeUdp } from '../../../src/wire/udp.ts'
import { closeHandles, inside, listenUdp, startProgram } from '../../linux/udp/network.ts'
import { assertRight } from '../../overlay/udp/packets.ts'
import { run } from '../../support/command.ts'
import {
  eventually,
  type Network,
  type Node,
  type StoreUnderTest,
  SWITCH,
  startNetwork,
  startStore,
} from './network.ts'

const PORT = 8285
const MTU = 1472
/** What the two nodes choose from; the rest of the network is for leases by hand. */
const config = { Network: '10.5.0.0/16', SubnetMax: '10.5.9.0', Backend: { Type: 'udp' } }
const BY_HAND = '10.5.250.0-24'
const HAND = '192.168.77.99'
const leaseOf = (ip: string) => `{"PublicIP":"${ip}","PublicIPv6":null}`

let store: StoreUnderTest
let network: Network
let one: Node
let two: Node
let hand: Socket
/** Payloads of datagrams that the third node was sent. */
let heard: Uint8Array[]

beforeAll(async () => {
  store = await startStore('etcd')
  network = await startNetwork({ store, config, nodes: 2, flags: ['-healthz-port=8081'] })
  ;[one, two] = network.nodes as [Node, Node]
  for (const node of network.nodes) node.run('sysctl', '-qw', 'net.ipv4.icmp_ratelimit=0')
  heard = []
  hand = createSocket('udp4').on('message', (bytes) => heard.push(bytes))
  hand.bind(PORT, HAND)
  await once(hand, 'listening')
})
afterAll(async () => {
  hand?.close()
  closeHandles()
  await network?.[Symbol.asyncDispose]()
  await store?.[Symbol.asyncDispose]()
  run('ip', 'netns', 'delete', SWITCH)
})

const hostIn = (node: Node, number: number) => node.gateway.replace(/0$/, `${number}`)
const ping = async (to: string, request: { ttl?: number; size?: number } = {}) => {
  const answer = await inside('pod1').ping(to, { timeout: 20_000, dontFragment: true, ...request })
  return answer.outcome === 'error' ? `${answer.type}/${answer.code} from ${answer.from}` : answer.outcome
}

/** What the data path of the node has counted. */
function counted(node: Node, event: string): number {
  const metrics = node.run('curl', '-s', '-m', '5', 'http://127.0.0.1:8081/metrics')
  return Number(new RegExp(`^overlab_udp_events_total{event="${event}"} (\\d+)`, 'm').exec(metrics)?.[1])
}

/** From a pod of the third node to the first pod. */
function packet(payload: Uint8Array, port: number, shape: Partial<Ipv4> = {}): Uint8Array {
  const [source, destination] = ['10.5.250.2', hostIn(one, 2)]
  const udp = encodeUdp({ sourcePort: 5, destinationPort: port, payload }, { source, destination })
  const rest = { tos: 0, identification: 7, moreFragments: false, fragmentOffset: 0, ttl: 64, options: [] }
  return encodeIpv4({ ...rest, dontFragment: true, protocol: 17, source, destination, payload: udp, ...shape })
}

const sendByHand = (bytes: Uint8Array) => hand.send(bytes, PORT, '192.168.77.1')

test('A2: a datagram on the wire is the packet, but for its TTL and what that makes of the checksum', async () => {
  // As on a network card's wire: a frame is one datagram.
  one.run('ethtool', '-K', 'eth0', 'tx', 'off', 'tx-udp-segmentation', 'off')
  const [packets, frames]: Uint8Array[][] = [[], []]
  const captures = [
    inside('n1').packets.capture({ link: 'flannel0' }, ({ bytes }) => packets!.push(bytes)),
    inside(SWITCH).packets.capture({ link: 'n1' }, ({ bytes }) => frames!.push(bytes)),
  ]
  const receiver = listenUdp('pod2', 7001)
  const sender = listenUdp('pod1', 0, hostIn(one, 2))
  try {
    for (const size of [0, 1, 333, MTU - 28]) {
      sender.send({ address: hostIn(two, 2), port: 7001 }, new Uint8Array(size).fill(size))
      assert.equal(await ping(hostIn(two, 2), { size }), 'reply')
    }
    await eventually('all have arrived', () => receiver.heard.length === 4)
  } finally {
    for (const each of [...captures, receiver, sender]) each.close()
  }
  const toTwo = (bytes: Uint8Array) => decodeIpv4(bytes).destination === hostIn(two, 2)
  const sent = packets!.filter(toTwo)
  const onTheWire = frames!
    .map((frame) => frame.subarray(14))
    .filter((bytes) => bytes[0] === 0x45 && bytes[9] === 17 && decodeIpv4(bytes).destination === '192.168.77.2')
    .map((bytes) => decodeIpv4(bytes).payload)
    .filter((udp) => new DataView(udp.buffer, udp.byteOffset).getUint16(2) === PORT)
    .map((udp) => udp.subarray(8))
  assert.equal(sent.length, 8)
  for (const bytes of onTheWire) assertRight(bytes)
  // Whoever has offloads leaves the checksum of UDP to be finished.
  const plain = (bytes: Uint8Array) =>
    Buffer.from(bytes[9] === 17 ? bytes.with(26, 0).with(27, 0) : bytes).toString('hex')
  const routed = sent.map((bytes) => encodeIpv4({ ...decodeIpv4(bytes), ttl: decodeIpv4(bytes).ttl - 1 }))
  assert.deepEqual(onTheWire.map(plain), routed.map(plain))
})

test('F1: a subnet that no node has: ping, UDP and TCP are told', async () => {
  const nowhere = '10.5.77.10'
  const from = hostIn(one, 1)
  assert.equal(await ping(nowhere), `3/0 from ${from}`)
  const messages: Uint8Array[] = []
  const capture = inside('pod1').packets.capture({ link: 'eth0' }, ({ bytes }) => messages.push(bytes.subarray(14)))
  const socket = listenUdp('pod1', 0, hostIn(one, 2))
  const tcp = inside('pod1').sockets.connectTcp({ address: nowhere, port: 9 }, {})
  try {
    socket.send({ address: nowhere, port: 9 }, Uint8Array.of(1))
    await eventually('the socket hears of it', () => socket.errors.length > 0)
    assert.deepEqual(socket.errors[0], { from, type: 3, code: 0, mtu: 0 })
    const isAboutTcp = ({ 9: protocol, 20: type, 21: code, 37: quoted }: Uint8Array) =>
      protocol === 1 && type === 3 && code === 0 && quoted === 6
    await eventually('TCP is told', () => messages.some(isAboutTcp))
  } finally {
    tcp.abort()
    socket.close()
    capture.close()
  }
})

test('F2: each hop says when a TTL ends there', async () => {
  const answers: string[] = []
  for (const ttl of [1, 2, 3, 4, 5]) answers.push(await ping(hostIn(two, 2), { ttl }))
  const [near, far] = [`11/0 from ${hostIn(one, 1)}`, `11/0 from ${two.gateway}`]
  assert.deepEqual(answers, [near, near, far, far, 'reply'])
})

test('F4: who has no lease is not heard, and counted', async () => {
  const receiver = listenUdp('pod1', 7002)
  try {
    const before = counted(one, 'strangers')
    sendByHand(packet(Uint8Array.of(1), 7002))
    await eventually('it is counted', () => counted(one, 'strangers') === before + 1)
    await network.put(BY_HAND, leaseOf(HAND))
    await eventually('it is heard', () => {
      sendByHand(packet(Uint8Array.of(2), 7002))
      return receiver.heard.length > 0
    })
    assert.deepEqual([...receiver.heard[0]!], [2])
  } finally {
    receiver.close()
  }
})

test('F3: what is too long for the next link is never cut: the sender is told, or it arrives as a whole', async () => {
  await network.put(BY_HAND, leaseOf(HAND))
  const receiver = listenUdp('pod1', 7003)
  const payload = new Uint8Array(3000).fill(3)
  // Of a test before there may be others: that nobody listens any more.
  const tellsOfSize = (bytes: Uint8Array) => bytes[9] === 1 && bytes[20] === 3 && bytes[21] === 4
  try {
    heard.length = 0
    await eventually('the third node is told', () => {
      sendByHand(packet(payload, 7003))
      return heard.some(tellsOfSize)
    })
    const message = heard.find(tellsOfSize)!
    assert.equal(new DataView(message.buffer, message.byteOffset).getUint16(26), MTU)
    assert.deepEqual(receiver.heard, [])
    sendByHand(packet(payload, 7003, { dontFragment: false }))
    await eventually('it arrives', () => receiver.heard.length > 0)
    assert.deepEqual(receiver.heard, [payload])
  } finally {
    receiver.close()
  }
  // Behind the tunnel there is a link with less room.
  const setMtu = (mtu: number) => {
    for (const link of ['cni0', 'veth0']) two.ip(`link set ${link} mtu ${mtu}`)
  }
  setMtu(1300)
  const answer = await inside('pod1').ping(hostIn(two, 2), { size: MTU - 28, dontFragment: true, timeout: 20_000 })
  assert.deepEqual(answer, { outcome: 'error', from: two.gateway, type: 3, code: 4, mtu: 1300 })
  assert.equal(await ping(hostIn(two, 2), { size: 1300 - 28 }), 'reply')
  setMtu(MTU)
  run('ip', '-n', 'pod1', 'route', 'flush', 'cache')
})

test('F5: among a hundred peers a route changes while packets flow', async () => {
  const subnets = Array.from({ length: 100 }, (_, i) => `10.5.${100 + i}.0`)
  const put = (subnet: string, ip: string) => ({ put: network.key(`${subnet}-24`), value: leaseOf(ip) })
  await store.operator.transact(
    [],
    subnets.map((subnet) => put(subnet, HAND)),
  )
  const sender = listenUdp('pod1', 0, hostIn(one, 2))
  const isHeard = (address: string) => heard.some((bytes) => decodeIpv4(bytes).destination === address)
  try {
    await eventually('a packet to each is with its node', () => {
      const missing = subnets.map((subnet) => subnet.replace(/0$/, '2')).filter((address) => !isHeard(address))
      for (const address of missing) sender.send({ address, port: 9 }, Uint8Array.of(1))
      return missing.length === 0
    })
  } finally {
    sender.close()
  }
  const [moving, name] = ['10.5.150.0', '10.5.150.0-24']
  await network.delete(name)
  const endFlood = await startProgram('pod1', 'flood.ts', '10.5.150.2', '7007', '900')
  try {
    for (let round = 0; round < 2; round++) {
      await eventually('all are lost', async () => isOnly('lost', await flow()))
      // Nobody listens on the switch.
      await store.operator.transact([], [put(moving, '192.168.77.100')])
      await eventually('all go there', async () => isOnly('sent', await flow()))
      heard.length = 0
      await store.operator.transact([], [put(moving, HAND)])
      await eventually('they go to the third node', () => isHeard('10.5.150.2'))
      await network.delete(name)
    }
  } finally {
    await endFlood()
  }
  assert.deepEqual(network.unreachable(), [])
})

/** What becomes of packets for a while: how many were sent, and how many had no route. */
async function flow(): Promise<Record<'sent' | 'lost', number>> {
  const count = () => [counted(one, 'packets_sent'), counted(one, 'no_route')] as const
  const before = count()
  await setTimeout(200)
  const after = count()
  return { sent: after[0] - before[0], lost: after[1] - before[1] }
}

const isOnly = (what: 'sent' | 'lost', { sent, lost }: Record<'sent' | 'lost', number>) =>
  what === 'sent' ? sent > 100 && lost === 0 : lost > 100 && sent === 0
