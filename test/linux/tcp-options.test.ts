/** Witnesses of what is set on TCP sockets: ss, the kernel's counters, another program as the peer, and the model's signatures. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { afterEach, beforeEach, test } from 'vitest'
import { parseIp } from '../../src/address/ip.ts'
import { SocketTransport } from '../../src/bgp/socket-transport.ts'
import { type ConnectionEvents, PLAIN, type Target } from '../../src/bgp/transport.ts'
import type { LiveKernel } from '../../src/kernel/live.ts'
import { createModel } from '../../src/model/create.ts'
import { Packet } from '../../src/model/packet.ts'
import { ipv4Network } from '../../src/model/socket/ipv4.ts'
import { ipv6Network } from '../../src/model/socket/ipv6.ts'
import { signatureOf } from '../../src/model/socket/tcp-md5.ts'
import { systemClock } from '../../src/store/system-clock.ts'
import { eventually } from '../contract/kernel/case.ts'
import { linuxWorld } from '../contract/linux-world.ts'

const PORT = 1790
const HOSTS = [
  { node: '10.1.0.1', container: '10.1.0.2', length: 24 },
  { node: 'fd01::1', container: 'fd01::2', length: 64 },
] as const
const KEY = new TextEncoder().encode('sesame')

let world: ReturnType<typeof linuxWorld>
beforeEach(async () => {
  world = linuxWorld()
  const { node, container } = world
  node.links.add({ kind: 'veth', name: 'eth0', peer: { name: 'eth0', namespace: container } })
  for (const { links } of [node, container]) for (const link of ['lo', 'eth0']) links.set(link, { up: true })
  for (const { links } of [node, container]) {
    await eventually(() => links.get('eth0')?.operState === 'up', 'the link is up')
  }
  for (const { node: ours, container: theirs, length } of HOSTS) {
    node.addresses.add({ link: 'eth0', prefix: `${ours}/${length}`, noDad: length === 64 })
    container.addresses.add({ link: 'eth0', prefix: `${theirs}/${length}`, noDad: length === 64 })
  }
})
afterEach(() => world.tearDown())

test('ss shows the type of service, and for whom there are keys', async () => {
  const [b, a] = [serve(), new SocketTransport(world.node.sockets, systemClock)]
  b.listener.allow('10.1.0.0/24', { ...PLAIN, md5: 'sesame' })
  b.listener.allow('fd01::1', { ...PLAIN, md5: 'sesame' })
  const connections = HOSTS.map(({ container }) => a.connect(target(container, 'sesame'), SILENT))
  await eventually(() => b.accepted.length === 2, 'both are accepted')
  // It prints the keys themselves before its first line.
  const ss = () => inside(world.container, 'ss', '-tanieO', '--tos', '--no-header').split('\n')
  const [listening = ''] = ss().filter((line) => line.includes('LISTEN'))
  assert.match(listening, /tos:0xc0/)
  assert.match(listening, /tclass:0xc0/)
  assert.match(listening, /md5keys:.*10\.1\.0\.0\/24=/)
  assert.match(listening, /md5keys:.*fd01::1\/128=/)
  const established = ss().filter((line) => line.includes('ESTAB'))
  assert.deepEqual(
    established.map((line) => /(?:tos|tclass):0xc0/.test(line) && /md5keys:/.test(line)),
    [true, true],
  )
  // A key that is taken away, and another on the same listener.
  b.listener.allow('10.1.0.0/24', PLAIN)
  const [after = ''] = ss().filter((line) => line.includes('LISTEN'))
  assert.doesNotMatch(after, /10\.1\.0\.0\/24=/)
  for (const each of connections) each.close()
  b.listener.close()
})

test('another program is let in with the key; without one, with another, and from too far away the kernel counts it as refused', async () => {
  const b = serve()
  b.listener.allow('10.1.0.1', { ttl: 255, minTtl: 255, md5: 'sesame' })
  const counts = () => {
    const text = inside(world.container, 'nstat', '-asz', ...COUNTERS.map((name) => `TcpExt${name}`))
    return COUNTERS.map((name) => Number(new RegExp(`TcpExt${name}\\s+(\\d+)`).exec(text)?.[1]))
  }
  const stop: (() => void)[] = []
  try {
    stop.push(knock({ key: '', ttl: 255 }))
    await eventually(() => counts()[0]! > 0, 'it counts what is not signed')
    stop.push(knock({ key: 'other', ttl: 255 }))
    await eventually(() => counts()[1]! > 0, 'it counts what is signed with another key')
    stop.push(knock({ key: 'sesame', ttl: 254 }))
    await eventually(() => counts()[2]! > 0, 'it counts what comes from too far away')
    assert.equal(b.accepted.length, 0)
    stop.push(knock({ key: 'sesame', ttl: 255 }))
    await eventually(() => b.accepted.length === 1, 'it is let in')
  } finally {
    for (const each of stop) each()
  }
  b.listener.close()
})

for (const [i, network] of [ipv4Network, ipv6Network].entries()) {
  test(`the model signs ${network.family} as Linux does`, async () => {
    const { node, container } = world
    const host = HOSTS[i]!
    const frames: Uint8Array[] = []
    const capture = container.packets.capture({ link: 'eth0' }, ({ bytes }) => frames.push(bytes.slice()))
    const listener = container.sockets.listenTcp({ port: PORT }, () => ({ data: (each, bytes) => each.write(bytes) }))
    listener.setMd5Key(`${host.node}/${network.addressLength * 8}`, KEY)
    let heard = 0
    const client = node.sockets.connectTcp(
      { address: host.container, port: PORT, md5: KEY },
      { established: (each) => each.write(KEY), data: (_, { length }) => (heard += length) },
    )
    await eventually(() => heard === KEY.length, 'it is answered')
    const signed = () => frames.map((frame) => signaturesOf(frame, i)).filter((each) => each !== undefined)
    await eventually(() => signed().length >= 5, 'the handshake, and what was said')
    for (const { theirs, ours } of signed()) assert.deepEqual(ours, theirs)
    client.abort()
    listener.close()
    capture.close()
  })
}

const COUNTERS = ['TCPMD5NotFound', 'TCPMD5Failure', 'TCPMinTTLDrop']

const SILENT: ConnectionEvents = { connected() {}, received() {}, taken() {}, closed() {} }

function target(address: string, md5: string): Target {
  return { ...PLAIN, md5, remote: { address, port: PORT }, localAddress: undefined }
}

function serve() {
  const accepted: string[] = []
  const listener = new SocketTransport(world.container.sockets, systemClock).listen(
    { address: undefined, port: PORT },
    ({ remote }) => {
      accepted.push(remote.address)
      return SILENT
    },
  )
  return { listener, accepted }
}

function inside(kernel: LiveKernel, command: string, ...argv: string[]): string {
  return execFileSync('nsenter', [`--net=${kernel.namespacePath}`, command, ...argv], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

/** A client in Python that connects to the container, and stays. Answers what ends it. */
function knock({ key, ttl }: { readonly key: string; readonly ttl: number }): () => void {
  const script = `
import socket, struct, time
s = socket.socket()
key = ${JSON.stringify(key)}.encode()
address = struct.pack("=HH4s120x", socket.AF_INET, 0, socket.inet_aton("10.1.0.2"))
if key: s.setsockopt(socket.IPPROTO_TCP, 14, address + struct.pack("=BBHi80s", 0, 0, len(key), 0, key))
s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ${ttl})
s.connect(("10.1.0.2", ${PORT}))
time.sleep(600)
`
  const child = spawn('nsenter', [`--net=${world.node.namespacePath}`, 'python3', '-c', script], { stdio: 'ignore' })
  return () => void child.kill('SIGKILL')
}

/** The signature in a frame with TCP, and what the model makes of the same segment. */
function signaturesOf(frame: Uint8Array, i: number) {
  const network = [ipv4Network, ipv6Network][i]!
  const at = 14
  const isTcp =
    i === 0 ? frame[12] === 8 && frame[13] === 0 && frame[at + 9] === 6 : frame[12] === 0x86 && frame[at + 6] === 6
  if (!isTcp) return undefined
  const address = (offset: number) => frame.slice(at + offset, at + offset + network.addressLength)
  const way = { source: address(network.sourceAt), destination: address(network.destinationAt) }
  assert.ok([way.source, way.destination].some((each) => each.join() === parseIp(HOSTS[i]!.node).join()))
  const packet = new Packet(frame.length, createModel().namespace.loopback, network.protocol)
  const start = packet.start
  packet.bytes.set(frame, start)
  packet.transport = start + at + network.headerLength
  packet.end = start + at + lengthOf(frame, at, i)
  const dataAt = packet.transport + (packet.bytes[packet.transport + 12]! >> 4) * 4
  for (let option = packet.transport + 20; option < dataAt; ) {
    const kind = packet.bytes[option]!
    if (kind === 19) {
      const theirs = packet.bytes.slice(option + 2, option + 18)
      return { theirs, ours: signatureOf(packet, network, way, dataAt, KEY) }
    }
    option += kind === 1 ? 1 : packet.bytes[option + 1]!
  }
  return assert.fail('a segment is not signed')
}

function lengthOf(frame: Uint8Array, at: number, i: number): number {
  const u16 = (offset: number) => (frame[at + offset]! << 8) | frame[at + offset + 1]!
  return i === 0 ? u16(2) : 40 + u16(4)
}
