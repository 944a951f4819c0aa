/**
 * What the data path does beside carrying packets: who is told what, who is not heard, and what happens when things
 * change.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { startUdpEngine, type UdpEngine } from '../../../src/cli/udp-engine.ts'
import type { EchoAnswer } from '../../../src/kernel/live.ts'
import { EtherType, encodeEthernet } from '../../../src/wire/ethernet.ts'
import { decodeIpv4, encodeIpv4, hasRightChecksum } from '../../../src/wire/ipv4.ts'
import { encodeUdp } from '../../../src/wire/udp.ts'
import { eventually } from '../../contract/kernel/case.ts'
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
  routesOf,
  startEngine,
  startProgram,
  TUN,
  transfer,
  tunAddress,
} from './network.ts'

const ip = (namespace: string, words: string) => run('ip', '-n', namespace, ...words.split(' '))
const heardFrom = (answer: EchoAnswer) =>
  answer.outcome === 'error' ? `${answer.type}/${answer.code} from ${answer.from}` : answer.outcome

/** A packet from pod b to pod a, with as much changed as wanted. */
const { source, destination } = { source: podAddress('b'), destination: podAddress('a') }
function packet(payload: Uint8Array, shape: Partial<Parameters<typeof encodeIpv4>[0]> = {}, port = 7003): Uint8Array {
  const udp = encodeUdp({ sourcePort: 5, destinationPort: port, payload }, { source, destination })
  return encodeIpv4({
    ...{ tos: 0, identification: 7, dontFragment: true, moreFragments: false, fragmentOffset: 0, ttl: 64, options: [] },
    ...{ protocol: 17, source, destination, payload: udp },
    ...shape,
  })
}

/** Sends the datagram to node a as if it came from node b, or from another address there. */
function inject(bytes: Uint8Array, address = nodeAddress('b')): void {
  const socket = inside('node-b').sockets.bindUdp({ address }, {})
  socket.send({ address: nodeAddress('a'), port: PORT }, bytes)
  socket.close()
}

describe('two nodes', () => {
  let a: UdpEngine
  let b: UdpEngine
  beforeAll(async () => {
    buildNetwork()
    a = await startEngine('a')
    b = await startEngine('b')
  })
  afterAll(async () => {
    await a?.stop()
    await b?.stop()
    closeHandles()
    removeNetwork()
  })

  test('each node on the way says when a TTL ends there', async () => {
    const answers: string[] = []
    for (const ttl of [1, 2, 3, 4]) answers.push(heardFrom(await ping(podAddress('b'), { ttl })))
    const near = `11/0 from ${bridgeAddress('a')}`
    const far = `11/0 from ${tunAddress('b')}`
    assert.deepEqual(answers, [near, near, far, far])
    const arrived = await ping(podAddress('b'), { ttl: 5 })
    assert.equal(arrived.outcome === 'reply' && arrived.ttl, 60)
  })

  test('a destination that no node has is unreachable, for pings and for sockets', async () => {
    assert.equal(heardFrom(await ping('10.5.77.10')), `3/0 from ${bridgeAddress('a')}`)
    const socket = listenUdp('pod-a', 0, podAddress('a'))
    socket.send({ address: '10.5.77.10', port: 9 }, Uint8Array.of(1))
    await eventually(() => socket.errors.length > 0, 'the socket hears of it')
    assert.deepEqual(socket.errors, [{ from: bridgeAddress('a'), type: 3, code: 0, mtu: 0 }])
    socket.close()
  })

  test('IPv4 options are kept, and the header is right', async () => {
    const payload = randomBytes(40)
    const slots = 3
    const record = { kind: 7, data: Uint8Array.of(4, ...new Uint8Array(4 * slots)) }
    const outward = { source: destination, destination: source }
    const udp = encodeUdp({ sourcePort: 5, destinationPort: 7001, payload }, outward)
    const bytes = packet(payload, { ...outward, payload: udp, options: [record, { kind: 1, data: new Uint8Array() }] })
    const frames: Uint8Array[] = []
    const capture = inside('pod-b').packets.capture({ link: 'eth0' }, (seen) => frames.push(seen.bytes.subarray(14)))
    const macOf = (namespace: string, link: string) => inside(namespace).links.get(link)!.mac!
    inside('pod-a').packets.send(
      'eth0',
      encodeEthernet({
        source: macOf('pod-a', 'eth0'),
        destination: macOf('node-a', 'cni0'),
        etherType: EtherType.ipv4,
        payload: bytes,
        tags: [],
      } as Parameters<typeof encodeEthernet>[0]),
    )
    const find = () => frames.find((frame) => (frame[0]! & 15) > 5)
    await eventually(() => find() !== undefined, 'it arrives')
    capture.close()
    const arrived = find()!
    assert.ok(hasRightChecksum(arrived))
    const { options, payload: transport } = decodeIpv4(arrived)
    assert.deepEqual(transport.subarray(8), new Uint8Array(payload))
    const recorded = options.find(({ kind }) => kind === 7)!.data.subarray(1)
    // Both kernels have written down where they sent it from.
    assert.deepEqual([...recorded.subarray(0, 8)].join('.'), `${tunAddress('a')}.${bridgeAddress('b')}`)
  })

  test('only nodes are heard', async () => {
    ip('node-b', 'address add 192.168.98.9/24 dev under')
    const receiver = listenUdp('pod-a', 7002)
    const before = a.counters().strangers
    inject(packet(Uint8Array.of(9), {}, 7002), '192.168.98.9')
    inject(packet(Uint8Array.of(1), {}, 7002))
    await eventually(() => receiver.heard.length > 0, 'the node is heard')
    assert.deepEqual(
      receiver.heard.map((each) => [...each]),
      [[1]],
    )
    assert.equal(a.counters().strangers, before + 1)
    receiver.close()
    ip('node-b', 'address delete 192.168.98.9/24 dev under')
  })

  test('what is no packet is not delivered, and the next one is', async () => {
    const receiver = listenUdp('pod-a', 7003)
    const good = packet(new Uint8Array(100).fill(1))
    const changed = (at: number, value: number) => good.with(at, value)
    const bad = [
      changed(10, good[10]! ^ 1), // the header's checksum
      changed(good.length - 1, 2), // UDP's
      changed(0, 0x44),
      changed(0, 0x65),
      changed(3, 60), // shorter than the UDP header says
      changed(2, 0xff), // longer than the datagram
      packet(Uint8Array.of(2), { ttl: 1 }),
      packet(Uint8Array.of(2), { ttl: 0 }),
      Uint8Array.of(0x45),
      new Uint8Array(),
    ]
    for (const bytes of bad) inject(bytes)
    inject(Uint8Array.of(...good, 0, 0, 0, 0, 0, 0, 0, 0, 0)) // what follows is cut off
    await eventually(() => receiver.heard.length > 0, 'the good one is heard')
    assert.deepEqual(receiver.heard, [new Uint8Array(100).fill(1)])
    receiver.close()
  })

  test('a packet that is too long for the next link: the kernel answers, or fragments it', async () => {
    const receiver = listenUdp('pod-a', 7004)
    const messages: Uint8Array[] = []
    const capture = inside('pod-b').packets.capture({ link: 'eth0' }, (seen) => messages.push(seen.bytes.subarray(14)))
    const payload = new Uint8Array(3000).fill(3)
    inject(packet(payload, {}, 7004))
    const find = () => messages.find((bytes) => bytes[9] === 1 && bytes[20] === 3 && bytes[21] === 4)
    await eventually(() => find() !== undefined, 'the sender is told')
    assert.equal(new DataView(find()!.buffer, find()!.byteOffset).getUint16(26), MTU)
    assert.deepEqual(receiver.heard, [])
    inject(packet(payload, { dontFragment: false }, 7004))
    await eventually(() => receiver.heard.length > 0, 'it is delivered')
    assert.deepEqual(receiver.heard, [payload])
    receiver.close()
    capture.close()
  })

  test('a pod with a larger MTU learns that of the overlay', async () => {
    const mtu = (value: number) => {
      for (const link of ['cni0', 'veth0']) ip('node-a', `link set ${link} mtu ${value}`)
      ip('pod-a', `link set eth0 mtu ${value}`)
    }
    mtu(1500)
    const answer = await ping(podAddress('b'), { size: 1472, dontFragment: true })
    assert.deepEqual(answer, { outcome: 'error', from: bridgeAddress('a'), type: 3, code: 4, mtu: MTU })
    assert.equal((await ping(podAddress('b'), { size: 1472, dontFragment: false })).outcome, 'reply')
    ip('pod-a', 'route flush cache')
    mtu(MTU)
  })

  // What says that there is less room than the overlay thinks: the link itself, or what is known of the path.
  for (const { what, less, more } of [
    { what: 'the link below', less: 'link set under mtu 1400', more: 'link set under mtu 1500' },
    {
      what: 'the path between',
      less: 'route add 192.168.98.0/30 dev under mtu 1400',
      more: 'route delete 192.168.98.0/30 dev under',
    },
  ]) {
    test(`when the MTU of ${what} becomes less, everything still arrives`, async () => {
      for (const side of ['a', 'b']) ip(`node-${side}`, less)
      const before = a.counters()
      assert.equal((await ping(podAddress('b'), { size: 1444, dontFragment: true })).outcome, 'reply')
      const sent = [randomBytes(1 << 20), randomBytes(1 << 20)]
      for (const [from, to] of [
        ['a', 'b'],
        ['b', 'a'],
      ] as const) {
        assert.deepEqual(Buffer.from(await transfer(from, to, sent)), Buffer.concat(sent))
      }
      assert.ok(a.counters().messagesSplit > before.messagesSplit)
      assert.equal(a.counters().sendErrors, before.sendErrors)
      for (const side of ['a', 'b']) ip(`node-${side}`, more)
    })
  }

  test('new routes are in effect within some thousand packets, however fast these come', async () => {
    const endFlood = await startProgram('pod-a', 'flood.ts', podAddress('b'), '7007', '900')
    try {
      for (let round = 0; round < 3; round++) {
        const before = a.counters()
        await eventually(() => a.counters().packetsSent > before.packetsSent + 2000, 'the flood flows')
        const then = a.counters()
        a.setRoutes([])
        await eventually(() => a.counters().noRoute > then.noRoute + 2000, 'it flows no more')
        const sent = a.counters().packetsSent - then.packetsSent
        assert.ok(sent < 50_000, `${sent} packets went by the old routes`)
        a.setRoutes(routesOf('a'))
      }
    } finally {
      await endFlood()
    }
    assert.equal((await ping(podAddress('b'))).outcome, 'reply')
  })

  test('routes that are none are refused, and those of before stay', async () => {
    assert.throws(() => a.setRoutes([{ subnet: 'fd00::/64', node: nodeAddress('b') }]), RangeError)
    assert.equal((await ping(podAddress('b'))).outcome, 'reply')
  })

  test('a second engine on the same device, or at the same port, is refused and leaves nothing behind', () => {
    const options = { namespacePath: namespacePath('node-a'), tun: TUN, address: nodeAddress('a'), port: PORT }
    assert.throws(() => startUdpEngine(options), { errno: 'EBUSY' })
    assert.throws(() => startUdpEngine({ ...options, tun: 'other0' }), { errno: 'EADDRINUSE' })
    assert.throws(() => startUdpEngine({ ...options, tun: 'other1', address: '192.0.2.1', port: 8286 }), {
      errno: 'EADDRNOTAVAIL',
    })
    assert.throws(() => startUdpEngine({ ...options, namespacePath: '/run/netns/nowhere' }), { errno: 'ENOENT' })
    assert.throws(() => startUdpEngine({ ...options, tun: 'a name that is too long' }), { errno: 'EINVAL' })
    const links = inside('node-a')
      .links.list()
      .map(({ name }) => name)
    assert.deepEqual(
      links.filter((name) => name.startsWith('other')),
      [],
    )
  })
})

test('killed and started again, it goes on: the device, its address and its routes have stayed', async () => {
  buildNetwork()
  const b = await startEngine('b')
  let endA = await startProgram('node-a', 'engine-process.ts', 'a')
  try {
    ip('node-a', `address add ${tunAddress('a')}/32 dev ${TUN}`)
    ip('node-a', `link set ${TUN} mtu ${MTU} up`)
    ip('node-a', `route add 10.5.0.0/16 dev ${TUN}`)
    assert.equal((await ping(podAddress('b'))).outcome, 'reply')
    const before = ip('node-a', `-j address show ${TUN}`)
    for (let round = 0; round < 2; round++) {
      await endA()
      assert.equal((await ping(podAddress('b'), { timeout: 100 })).outcome, 'timeout')
      endA = await startProgram('node-a', 'engine-process.ts', 'a')
      assert.equal((await ping(podAddress('b'))).outcome, 'reply')
    }
    assert.deepEqual(describeLink(ip('node-a', `-j address show ${TUN}`)), describeLink(before))
  } finally {
    await endA()
    await b.stop()
    closeHandles()
    removeNetwork()
  }
})

function describeLink(json: string): unknown {
  const [{ ifindex, mtu, addr_info }] = JSON.parse(json)
  return { ifindex, mtu, addresses: addr_info.map(({ local }: { local: string }) => local) }
}

test('it takes a device that somebody else has made', async () => {
  buildNetwork()
  const engines: UdpEngine[] = []
  try {
    ip('node-a', `tuntap add ${TUN} mode tun`)
    for (const side of ['a', 'b'] as const) engines.push(await startEngine(side))
    const sent = [randomBytes(1 << 20)]
    assert.deepEqual(Buffer.from(await transfer('a', 'b', sent)), sent[0])
    assert.ok(engines[0]!.counters().superPackets > 0)
  } finally {
    for (const engine of engines) await engine.stop()
    closeHandles()
    removeNetwork()
  }
})

test('stopped, or refused, it leaves no descriptor open', async () => {
  buildNetwork()
  try {
    const startAndStop = async () => (await startEngine('a')).stop()
    const descriptors = () => readdirSync('/proc/self/fd').length
    await startAndStop() // whatever is opened once
    const before = descriptors()
    await startAndStop()
    const wrong = { namespacePath: namespacePath('node-a'), tun: TUN, address: '192.0.2.1', port: PORT }
    assert.throws(() => startUdpEngine(wrong), { errno: 'EADDRNOTAVAIL' })
    assert.equal(descriptors(), before)
  } finally {
    closeHandles()
    removeNetwork()
  }
})

test('it stops when it is told to, and says so when its device is deleted', async () => {
  buildNetwork()
  try {
    const failures: Error[] = []
    const engine = await startEngine('a', (error) => failures.push(error))
    await engine.stop()
    await engine.stop()
    engine.setRoutes([]) // as late as this it means nothing
    assert.equal(failures.length, 0)
    const again = await startEngine('a', (error) => failures.push(error))
    ip('node-a', `link delete ${TUN}`)
    await eventually(() => failures.length > 0, 'the failure is told')
    assert.match(failures[0]!.message, /^Cannot read packets: the TUN device was deleted/)
    await again.stop()
  } finally {
    closeHandles()
    removeNetwork()
  }
})
