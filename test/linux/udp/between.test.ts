/**
 * What two pods get from each other: our engine on both nodes, and ours with a data path like flannel's on the other;
 * over a wire that takes super-packets, as between containers, and over one that does not, as between machines.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { sys } from '#sys'
import { parseIpv4 } from '../../../src/address/ipv4.ts'
import type { UdpEngine } from '../../../src/cli/udp-engine.ts'
import { Namespace } from '../../../src/linux/netns.ts'
import { AF_INET, encodeSocketAddress } from '../../../src/linux/socket-address.ts'
import { EtherType } from '../../../src/wire/ethernet.ts'
import { decodeIpv4, decodeIpv4Header, IpProtocol } from '../../../src/wire/ipv4.ts'
import { decodeUdp } from '../../../src/wire/udp.ts'
import { eventually } from '../../contract/kernel/case.ts'
import { assertRight } from '../../overlay/udp/packets.ts'
import { run } from '../../support/command.ts'
import {
  bridgeAddress,
  buildNetwork,
  closeHandles,
  inside,
  listenUdp,
  MTU,
  namespacePath,
  nodeAddress,
  PORT,
  ping,
  podAddress,
  removeNetwork,
  startEngine,
  startNaive,
  transfer,
  tunAddress,
  withoutOffloads,
} from './network.ts'

const SOCK_DGRAM = 2
const SOL_UDP = 17
const UDP_SEGMENT = 103
const MEGABYTE = 1 << 20
/** Behind the headers of Ethernet. */
const ETHERNET_HEADER = 14
/** At least: of a megabyte each way. */
const FRAMES = Math.floor((2 * MEGABYTE) / 1420)
const MAX_FRAME = ETHERNET_HEADER + 1500

const directions = [
  ['a', 'b'],
  ['b', 'a'],
] as const

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** So many bytes in pieces of all sizes. */
function pieces(total: number): Uint8Array[] {
  const sizes = [1, 7, 333, 1419, 1420, 1421, 5001, 65_537, 262_143]
  const blob = randomBytes(sizes.at(-1)!)
  const made: Uint8Array[] = []
  for (let left = total, i = 0; left > 0; i++) {
    const size = Math.min(left, sizes[(i * 5) % sizes.length]!)
    made.push(blob.subarray(i % 100, (i % 100) + size - Math.min(size - 1, i % 100)))
    left -= made.at(-1)!.length
  }
  return made
}

for (const { far, wire } of [
  { far: 'engine', wire: 'with offloads' },
  { far: 'engine', wire: 'without offloads' },
  { far: 'naive', wire: 'with offloads' },
  { far: 'naive', wire: 'without offloads' },
] as const) {
  describe(`engine and ${far}, a wire ${wire}`, () => {
    let engine: UdpEngine
    let stopFar: () => Promise<void>
    beforeAll(async () => {
      buildNetwork()
      if (wire === 'without offloads') withoutOffloads()
      engine = await startEngine('a')
      if (far === 'naive') stopFar = await startNaive('b')
      else {
        const other = await startEngine('b')
        stopFar = () => other.stop()
      }
    })
    afterAll(async () => {
      await engine?.stop()
      await stopFar?.()
      closeHandles()
      removeNetwork()
    })

    test('packets of every size arrive and are answered', async () => {
      for (const size of [0, 1, 7, 8, 56, 57, 999, 1000, 1443, 1444]) {
        const { outcome } = await ping(podAddress('b'), { size, dontFragment: true })
        assert.equal(outcome, 'reply', `${size} bytes`)
      }
    })

    test('fragments arrive and are answered', async () => {
      for (const size of [1445, 1473, 2999, 9001, 20_011, 65_507]) {
        const { outcome } = await ping(podAddress('b'), { size, dontFragment: false })
        assert.equal(outcome, 'reply', `${size} bytes`)
      }
    })

    test('each hop on the way out and at the other end says when a TTL ends there', async () => {
      const answers: string[] = []
      for (const ttl of [1, 2, 3, 4, 5]) {
        // The other data path lets a packet go without a word: it need not be waited for.
        const isSilent = far === 'naive' && ttl === 3
        const answer = await ping(podAddress('b'), { ttl, ...(isSilent && { timeout: 500 }) })
        answers.push(answer.outcome === 'error' ? `${answer.type}/${answer.code} from ${answer.from}` : answer.outcome)
      }
      const [near, there] = [`11/0 from ${bridgeAddress('a')}`, `11/0 from ${tunAddress('b')}`]
      assert.deepEqual(answers, [near, near, far === 'naive' ? 'timeout' : there, there, 'reply'])
    })

    test('IPv4 options are kept: all on the way write down where they send from', () => {
      const answer = run('ip', 'netns', 'exec', 'pod-a', 'ping', '-R', '-c', '1', '-W', '10', podAddress('b'))
      const recorded = answer
        .slice(answer.indexOf('RR:'))
        .match(/\d+\.\d+\.\d+\.\d+/g)
        ?.slice(0, 8)
      const [out, back] = [
        [podAddress('a'), tunAddress('a'), bridgeAddress('b')],
        [podAddress('b'), tunAddress('b'), bridgeAddress('a')],
      ]
      assert.deepEqual(recorded, [...out, podAddress('b'), ...back, podAddress('a')].slice(0, 8))
    })

    test('a pod with a larger MTU learns that of the overlay', async () => {
      const setMtu = (mtu: number) => {
        for (const link of ['cni0', 'veth0']) run('ip', '-n', 'node-a', 'link', 'set', link, 'mtu', `${mtu}`)
        run('ip', '-n', 'pod-a', 'link', 'set', 'eth0', 'mtu', `${mtu}`)
      }
      setMtu(1500)
      const answer = await ping(podAddress('b'), { size: 1472, dontFragment: true })
      assert.deepEqual(answer, { outcome: 'error', from: bridgeAddress('a'), type: 3, code: 4, mtu: MTU })
      run('ip', '-n', 'pod-a', 'route', 'flush', 'cache')
      setMtu(MTU)
    })

    test('when the link below has a smaller MTU, everything arrives in fragments', async () => {
      const setMtu = (mtu: number) => {
        for (const node of ['node-a', 'node-b']) run('ip', '-n', node, 'link', 'set', 'under', 'mtu', `${mtu}`)
      }
      setMtu(1400)
      try {
        assert.equal((await ping(podAddress('b'), { size: 1444, dontFragment: true })).outcome, 'reply')
        for (const [from, to] of directions) {
          const sent = pieces(MEGABYTE)
          assert.equal(sha256(await transfer(from, to, sent)), sha256(Buffer.concat(sent)))
        }
      } finally {
        setMtu(1500)
      }
    })

    for (const [from, to] of directions) {
      test(`16 MB by TCP from ${from} to ${to} arrive as they were sent`, async () => {
        const sent = pieces(16 * MEGABYTE)
        const arrived = await transfer(from, to, sent)
        assert.equal(sha256(arrived), sha256(Buffer.concat(sent)))
      })

      test(`UDP in large pieces from ${from} to ${to} arrives as single datagrams`, async () => {
        const receiver = listenUdp(`pod-${to}`, 7005)
        try {
          const sent = Array.from({ length: 3 }, () => randomBytes(17_537))
          sendInPieces(`pod-${from}`, podAddress(to), 7005, sent, 1000)
          await eventually(() => receiver.heard.length === 3 * 18, 'all datagrams arrive')
          assert.deepEqual(Buffer.concat(receiver.heard), Buffer.concat(sent))
        } finally {
          receiver.close()
        }
      })
    }

    if (wire === 'without offloads') {
      test('each frame is one packet in one datagram, no longer than the wire takes, with right checksums', async () => {
        const frames: Uint8Array[] = []
        const capture = inside('node-b').packets.capture({ link: 'under' }, ({ bytes }) => frames.push(bytes))
        const receiver = listenUdp('pod-b', 7006)
        try {
          sendInPieces('pod-a', podAddress('b'), 7006, [randomBytes(30_011)], 1300)
          await transfer('a', 'b', pieces(MEGABYTE))
          await transfer('b', 'a', pieces(MEGABYTE))
          await eventually(() => receiver.heard.length === 24, 'the datagrams arrive')
          await eventually(() => frames.length > FRAMES, 'the frames are seen')
        } finally {
          capture.close()
          receiver.close()
        }
        const datagrams = frames.filter(
          (frame) => new DataView(frame.buffer, frame.byteOffset).getUint16(12) === EtherType.ipv4,
        )
        assert.ok(datagrams.length > FRAMES)
        for (const frame of datagrams) assertOnePacket(frame)
      })
    }

    if (far === 'engine') {
      test('a stream crosses in few large pieces', async () => {
        const before = engine.counters()
        await transfer('a', 'b', pieces(4 * MEGABYTE))
        await transfer('b', 'a', pieces(4 * MEGABYTE))
        const after = engine.counters()
        const count = (name: keyof typeof after) => after[name] - before[name]
        assert.ok(count('packetsSent') > 5 * count('messagesSent'), 'messages are trains')
        assert.ok(count('packetsSent') > 5 * count('tunReads'), 'what is read are super-packets')
        assert.ok(count('packetsReceived') > 5 * count('tunWrites'), 'what is written are super-packets')
        const failures = ['wrongChecksums', 'sendErrors', 'writeErrors', 'messagesSplit', 'strangers'] as const
        assert.deepEqual(failures.map(count), [0, 0, 0, 0, 0])
      })
    }
  })
}

function assertOnePacket(frame: Uint8Array): void {
  assert.ok(frame.length <= MAX_FRAME, `${frame.length} bytes`)
  const outer = frame.subarray(ETHERNET_HEADER)
  const { header, headerLength, totalLength } = decodeIpv4Header(outer)
  assert.equal(totalLength, outer.length)
  assertRight(outer)
  assert.equal(header.protocol, IpProtocol.udp)
  assert.deepEqual([header.dontFragment, header.moreFragments, header.fragmentOffset], [true, false, 0])
  assert.deepEqual([nodeAddress('a'), nodeAddress('b')].sort(), [header.source, header.destination].sort())
  const { sourcePort, destinationPort, payload } = decodeUdp(outer.subarray(headerLength))
  assert.deepEqual([sourcePort, destinationPort], [PORT, PORT])
  assert.equal(decodeIpv4Header(payload).totalLength, payload.length)
  assert.ok(payload.length <= MTU)
  assert.ok(decodeIpv4(payload).ttl < 64)
  assertRight(payload)
}

/** Each given to the kernel with one call, to be cut into datagrams of `size` bytes: UDP_SEGMENT, udp(7). */
function sendInPieces(namespace: string, to: string, port: number, wholes: readonly Uint8Array[], size: number): void {
  const place = Namespace.open(namespacePath(namespace))!
  const socket = place.inside(() => sys.socket(AF_INET, SOCK_DGRAM, 0))
  try {
    assert.equal(sys.setsockopt(socket, SOL_UDP, UDP_SEGMENT, new Uint8Array(Int32Array.of(size).buffer)), 0)
    const address = encodeSocketAddress(AF_INET, parseIpv4(to), port)
    for (const whole of wholes) assert.equal(sys.sendto(socket, whole, whole.length, 0, address), whole.length)
  } finally {
    sys.close(socket)
    place.close()
  }
}
