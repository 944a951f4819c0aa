/**
 * npm's raw-socket, somebody else's sockets: it sends to our namespaces and hears from them, and what it reads and writes is
 * what our codecs read and write. It is compiled in set-up; where that failed, this test fails by its import.
 */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { afterAll, beforeAll, test } from 'vitest'
import type { CapturedPacket, LiveKernel } from '../../src/kernel/live.ts'
import { liveLinux } from '../../src/linux/live.ts'
import { checksum } from '../../src/wire/checksum.ts'
import { decodeEthernet, EtherType, encodeEthernet } from '../../src/wire/ethernet.ts'
import { decodeIcmp, encodeIcmp } from '../../src/wire/icmp.ts'
import { decodeIpv4, encodeIpv4, IpProtocol } from '../../src/wire/ipv4.ts'
import { eventually } from '../contract/kernel/case.ts'

interface RawSocket {
  on(event: 'message', listener: (packet: Buffer, source: string) => void): this
  on(event: 'error', listener: (error: Error) => void): this
  send(
    bytes: Buffer,
    offset: number,
    length: number,
    destination: string,
    sent: (error: Error | null, bytes: number) => void,
  ): void
  close(): void
}

const raw = createRequire(import.meta.url)('raw-socket') as {
  createSocket(options: { protocol: number }): RawSocket
  createChecksum(bytes: Buffer): number
}

const NODE = '10.1.0.1'
const POD = '10.1.0.2'
/** IANA "Protocol Numbers": for experiments, RFC 3692. */
const EXPERIMENT = 253

const node = liveLinux()
let pod: LiveKernel
const closers: (() => void)[] = []

beforeAll(async () => {
  pod = node.enter(node.namespaces.add('pod'))!
  node.links.add({ kind: 'veth', name: 'uplink', peer: { name: 'eth0', namespace: pod } })
  node.addresses.add({ link: 'uplink', prefix: `${NODE}/24` })
  pod.addresses.add({ link: 'eth0', prefix: `${POD}/24` })
  node.links.set('uplink', { up: true })
  pod.links.set('eth0', { up: true })
  await eventually(() => node.links.get('uplink')?.operState === 'up', 'the link is up')
})

afterAll(() => {
  for (const close of closers) close()
  pod.close()
  node.namespaces.delete('pod')
  node.close()
})

test('raw-socket pings a pod with our echo request, and we read the reply that it hears', async () => {
  const { heard, send } = open(IpProtocol.icmp)
  const data = Uint8Array.from({ length: 40 }, (_, i) => i)
  await send(encodeIcmp({ kind: 'echo', reply: false, identifier: 77, sequence: 3, data }), POD)
  await eventually(() => heard.length > 0, 'the reply is heard')
  const { source, payload } = decodeIpv4(new Uint8Array(heard[0]!.packet))
  assert.deepEqual([heard[0]!.source, source], [POD, POD])
  assert.deepEqual(decodeIcmp(payload), { kind: 'echo', reply: true, identifier: 77, sequence: 3, data })
})

test('what raw-socket sends comes to the pod, where we capture it', async () => {
  const packets: CapturedPacket[] = []
  const capture = pod.packets.capture({ link: 'eth0' }, (packet) => packets.push(packet))
  closers.push(() => capture.close())
  const { send } = open(EXPERIMENT)
  await send(Uint8Array.of(1, 2, 3, 4), POD)
  const sent = () =>
    packets.map(({ bytes }) => decodeEthernet(bytes)).filter(({ etherType }) => etherType === EtherType.ipv4)
  await eventually(() => sent().some(({ payload }) => payload[9] === EXPERIMENT), 'it is captured')
  const packet = sent()
    .map(({ payload }) => decodeIpv4(payload))
    .find(({ protocol }) => protocol === EXPERIMENT)!
  assert.deepEqual([packet.source, packet.destination], [NODE, POD])
  assert.deepEqual([...packet.payload], [1, 2, 3, 4])
})

test('what we send from the pod is heard by raw-socket', async () => {
  const { heard } = open(EXPERIMENT)
  const packet = encodeIpv4({
    tos: 0,
    identification: 1,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    protocol: EXPERIMENT,
    source: POD,
    destination: NODE,
    options: [],
    payload: Uint8Array.of(5, 6, 7),
  })
  const [source, destination] = [pod.links.get('eth0')!.mac, node.links.get('uplink')!.mac]
  pod.packets.send(
    'eth0',
    encodeEthernet({ destination, source, tags: [], etherType: EtherType.ipv4, payload: packet }),
  )
  await eventually(() => heard.length > 0, 'it is heard')
  assert.equal(heard[0]!.source, POD)
  assert.deepEqual(new Uint8Array(heard[0]!.packet), packet)
})

test('raw-socket counts the checksums that we count', () => {
  for (const length of [1, 2, 19, 20, 1500]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37) & 0xff)
    assert.equal(raw.createChecksum(Buffer.from(bytes)), checksum(bytes))
  }
})

function open(protocol: number) {
  const heard: { readonly packet: Buffer; readonly source: string }[] = []
  const socket = raw.createSocket({ protocol })
  socket.on('error', (error) => {
    throw error
  })
  socket.on('message', (packet, source) => heard.push({ packet, source }))
  closers.push(() => socket.close())
  const send = (bytes: Uint8Array, destination: string) =>
    new Promise<void>((resolve, reject) => {
      socket.send(Buffer.from(bytes), 0, bytes.length, destination, (error) => (error ? reject(error) : resolve()))
    })
  return { heard, send }
}
