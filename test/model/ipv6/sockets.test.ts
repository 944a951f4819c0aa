/**
 * Sockets over IPv6, through a router whose second link is narrower:
 *
 *      a fd01::2 ── 1500 ── fd01::1 r fd02::1 ── 1400 ── fd02::2 b
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { EchoAnswer, LiveKernel } from '../../../src/kernel/live.ts'
import { createModel } from '../../../src/model/create.ts'

const SECOND = 1_000_000

class Net {
  readonly machine = createModel()
  readonly a = this.#enter('a')
  readonly r = this.#enter('r')
  readonly b = this.#enter('b')
  /** Lengths of frames that a sent and got, and their first bytes. */
  readonly sent: Uint8Array[] = []
  readonly got: Uint8Array[] = []

  /** `own`: the MTU of b's own end of its link. */
  constructor(own = 1400) {
    this.#connect(this.a, 'fd01::2', 'r0', 'fd01::1', 1500, 1500)
    this.#connect(this.b, 'fd02::2', 'r1', 'fd02::1', 1400, own)
    this.r.sysctl.set('net/ipv6/conf/all/forwarding', '1')
    this.a.routes.add({ destination: '::/0', gateway: 'fd01::1' })
    this.b.routes.add({ destination: '::/0', gateway: 'fd02::1' })
    // A router asks for neighbours from its link-local addresses, which are asked for first.
    this.advance(3)
    this.a.packets.capture({ link: 'eth0' }, ({ bytes, packetType }) => {
      if (bytes[20] === 0) return
      if (packetType === 'outgoing') this.sent.push(bytes)
      else this.got.push(bytes)
    })
  }

  #enter(name: string): LiveKernel {
    const kernel = this.machine.enter(this.machine.namespaces.add(name))!
    kernel.sysctl.set('net/ipv6/conf/default/router_solicitations', '0')
    kernel.links.set('lo', { up: true })
    return kernel
  }

  #connect(host: LiveKernel, address: string, peer: string, gateway: string, mtu: number, own: number): void {
    host.links.add({ kind: 'veth', name: 'eth0', mtu: own, peer: { name: peer, namespace: this.r, mtu } })
    host.links.set('eth0', { up: true })
    this.r.links.set(peer, { up: true })
    host.addresses.add({ link: 'eth0', prefix: `${address}/64`, noDad: true })
    this.r.addresses.add({ link: peer, prefix: `${gateway}/64`, noDad: true })
  }

  advance(seconds = 1): void {
    this.machine.model.advance(seconds * SECOND)
  }

  ping(destination: string, request = {}): EchoAnswer | undefined {
    let answer: EchoAnswer | undefined
    this.a.sendPing(destination, request, (heard) => {
      answer = heard
    })
    this.advance(2)
    return answer
  }
}

test('TCP over IPv6 announces 1440, is told that 1400 fit, and sends all', () => {
  const net = new Net(1500)
  let received = 0
  let closed = 'open'
  net.b.sockets.listenTcp({ address: 'fd02::2', port: 80 }, () => ({
    data: (_, bytes) => {
      received += bytes.length
    },
    end: (connection) => connection.end(),
  }))
  net.a.sockets.connectTcp(
    { address: 'fd02::2', port: 80 },
    {
      established(connection) {
        connection.write(new Uint8Array(6000))
        connection.end()
      },
      closed: (_, errno) => {
        closed = errno ?? 'in order'
      },
    },
  )
  net.advance(5)
  assert.equal(received, 6000)
  assert.equal(closed, 'in order')
  const segments = net.sent.filter((bytes) => bytes[20] === 6)
  const [syn] = segments
  assert.equal(Buffer.from(syn!.subarray(74, 78)).toString('hex'), '020405a0')
  const lengths = segments.map(({ length }) => length)
  assert.ok(lengths.includes(1514) && lengths.indexOf(1414) > lengths.lastIndexOf(1514), `${lengths}`)
  assert.equal(new Set(segments.map((bytes) => ((bytes[15]! & 15) << 16) | (bytes[16]! << 8) | bytes[17]!)).size, 1)
})

test('a path MTU that was learned shows in the route, and goes after ten minutes', () => {
  const net = new Net()
  assert.deepEqual(net.ping('fd02::2', { size: 1452 }), {
    outcome: 'error',
    from: 'fd01::1',
    type: 2,
    code: 0,
    mtu: 1400,
  })
  assert.equal(net.a.routes.lookup('fd02::2')?.metrics?.mtu, 1400)
  assert.equal(net.a.routes.lookup('fd02::3')?.metrics?.mtu, undefined)
  assert.equal(net.ping('fd02::2', { size: 1452 })?.outcome, 'reply')
  net.advance(600)
  assert.equal(net.a.routes.lookup('fd02::2')?.metrics?.mtu, undefined)
})

test('pings hear what became of them', () => {
  const net = new Net()
  assert.equal(net.ping('fd02::2')?.outcome, 'reply')
  assert.equal(net.ping('fd01::2')?.outcome, 'reply')
  assert.equal(net.ping('::1')?.outcome, 'reply')
  assert.deepEqual(net.ping('fd02::2', { ttl: 1 }), { outcome: 'error', from: 'fd01::1', type: 3, code: 0 })
  assert.deepEqual(net.ping('2001:db8::1'), { outcome: 'error', from: 'fd01::1', type: 1, code: 0 })
  net.a.routes.delete({ destination: '::/0' })
  assert.deepEqual(net.ping('fd02::2'), { outcome: 'refused', errno: 'ENETUNREACH' })
})

test('a datagram to a port that is closed is an ECONNREFUSED, to an open one it comes from our address', () => {
  const net = new Net()
  const heard: string[] = []
  const socket = net.a.sockets.bindUdp(
    { port: 1000 },
    {
      datagram: ({ address, port }, bytes) => heard.push(`${bytes.length} from ${address} ${port}`),
      error: ({ errno, from, type, code }) => heard.push(`${errno} from ${from} ${type}/${code}`),
    },
  )
  const server = net.b.sockets.bindUdp({ port: 53 }, { datagram: (from, bytes) => server.send(from, bytes) })
  socket.send({ address: 'fd02::2', port: 54 }, new Uint8Array(3))
  net.advance()
  socket.send({ address: 'fd02::2', port: 53 }, new Uint8Array(3000))
  net.advance()
  // Two fragments were too big for the second link. Of the later one nobody knows whose it was.
  socket.send({ address: 'fd02::2', port: 53 }, new Uint8Array(3000))
  net.advance()
  assert.deepEqual(heard, ['ECONNREFUSED from fd02::2 1/4', 'EMSGSIZE from fd01::1 2/0', '3000 from fd02::2 53'])
})

test('one socket listens for both families', () => {
  const net = new Net()
  const peers: string[] = []
  net.a.sockets.listenTcp({ port: 80 }, ({ remote }) => {
    peers.push(remote.address)
    return {}
  })
  for (const address of ['::1', '127.0.0.1']) net.a.sockets.connectTcp({ address, port: 80 }, {})
  net.advance()
  assert.deepEqual(peers, ['::1', '127.0.0.1'])
})
