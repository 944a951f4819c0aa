/**
 * Which address and port a new connection gets.
 *
 * The addresses were recorded on Linux 6.18: 10.0.1.2 to 10.0.1.8 each send from UDP port 4000 to 10.0.1.9:53, through a router
 * with the nat rule that the test names; `conntrack -L` told the answers.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { SECOND } from '../../../src/model/clock.ts'
import { Status } from '../../../src/model/netfilter/conntrack/connection.ts'
import { attach } from '../../../src/model/netfilter/conntrack.ts'
import { Hook, type HookNumber, Priority, Verdict } from '../../../src/model/netfilter/hooks.ts'
import { addressRange, type NatKind, type NatRange, RangeFlag } from '../../../src/model/netfilter/nat/range.ts'
import { setupNat } from '../../../src/model/netfilter/nat.ts'
import { Router } from './router.ts'
import { tcpFrame, udpFrame } from './segments.ts'

const SERVICE = '10.0.1.9'
const SERVER = 0x0a000202
const OUTSIDE = 0x0a000201
const CLIENTS = [2, 3, 4, 5, 6, 7, 8].map((last) => `10.0.1.${last}`)

function ports(range: NatRange, minPort: number, maxPort: number): NatRange {
  return { ...range, flags: range.flags | RangeFlag.portsSpecified, minPort, maxPort }
}

function withRule(router: Router, hook: HookNumber, kind: NatKind, range: NatRange): void {
  router.addNatChain(hook, (packet) => setupNat(packet, packet.connection!, kind, range))
}

/** The router with the service's destination translated, and the source as `range` says. */
function masquerading(range: NatRange): Router {
  const router = new Router()
  withRule(router, Hook.prerouting, 'dnat', addressRange(SERVER))
  withRule(router, Hook.postrouting, 'snat', range)
  return router
}

/** What the answers to each client's connection look like; undefined: there is none. */
function repliesOf(router: Router, clients: readonly string[], port = 53) {
  for (const source of clients) router.forward(udpFrame({ source, destination: SERVICE }, [4000, port]), true)
  return clients.map((client) => router.conntrack.list().find(({ original }) => original.source === client)?.reply)
}

test('DNAT to a range of addresses: the client and the service decide which', () => {
  const router = new Router()
  const range = { ...addressRange(SERVER), maxAddress: SERVER + 4 }
  withRule(router, Hook.prerouting, 'dnat', range) // dnat to 10.0.2.2-10.0.2.6
  const chosen = repliesOf(router, CLIENTS).map((reply) => reply?.source)
  assert.deepEqual(
    chosen,
    [6, 4, 5, 6, 2, 5, 5].map((last) => `10.0.2.${last}`),
  )
})

test('persistent: the client alone decides', () => {
  const router = new Router()
  const range = { ...addressRange(SERVER, RangeFlag.persistent), maxAddress: SERVER + 4 }
  withRule(router, Hook.prerouting, 'dnat', range) // dnat to 10.0.2.2-10.0.2.6 persistent
  const chosen = repliesOf(router, CLIENTS).map((reply) => reply?.source)
  assert.deepEqual(
    chosen,
    [6, 5, 6, 5, 4, 4, 3].map((last) => `10.0.2.${last}`),
  )
})

test('DNAT to a range of ports takes the first, or keeps a port of the range', () => {
  for (const [asked, given] of [
    [53, 8080],
    [8082, 8082],
  ] as const) {
    const router = new Router()
    withRule(router, Hook.prerouting, 'dnat', ports(addressRange(SERVER), 8080, 8083))
    const chosen = repliesOf(router, CLIENTS.slice(0, 3), asked).map((reply) => reply?.sourcePort)
    assert.deepEqual(chosen, [given, given, given])
  }
})

test('SNAT to a range of addresses; where the address is taken with this port, another port', () => {
  const range = { ...addressRange(0x0a000264), maxAddress: 0x0a00026b } // snat to 10.0.2.100-10.0.2.107
  const router = masquerading(range)
  router.namespace.model.random.pin('natPort', [34_550 - 1024])
  assert.deepEqual(
    repliesOf(router, CLIENTS).map((reply) => `${reply?.destination}:${reply?.destinationPort}`),
    ['100:4000', '104:4000', '102:4000', '107:4000', '105:4000', '102:34550', '106:4000'].map((end) => `10.0.2.${end}`),
  )
})

test('SNAT to two ports: the third connection gets none and its packet is dropped', () => {
  const router = masquerading(ports(addressRange(OUTSIDE), 5000, 5001))
  router.namespace.model.random.pin('natPort', [0, 0, 0])
  const chosen = repliesOf(router, CLIENTS.slice(0, 3)).map((reply) => reply?.destinationPort)
  assert.deepEqual(chosen, [5000, 5001, undefined])
})

test('fully-random: a free port is not kept', () => {
  const router = masquerading(addressRange(OUTSIDE, RangeFlag.fullyRandom))
  router.namespace.model.random.pin('natPort', [1])
  const [reply] = repliesOf(router, CLIENTS.slice(0, 1))
  assert.equal(reply?.destinationPort, 1025)
})

test('a source that is translated already keeps its translation towards another destination', () => {
  const router = new Router()
  withRule(router, Hook.postrouting, 'snat', { ...addressRange(0x0a000264), maxAddress: 0x0a00026b })
  const source = '10.0.1.2'
  for (let last = 2; last < 18; last++)
    router.forward(udpFrame({ source, destination: `10.0.2.${last}` }, [4000, 53]), true)
  const chosen = new Set(router.conntrack.list().map(({ reply }) => reply.destination))
  assert.equal(chosen.size, 1)
})

test('a connection without a rule moves its port where its answers would be another connection’s', () => {
  const router = new Router()
  router.addNatChain(Hook.postrouting, (packet) =>
    packet.connection!.original.source === 0x0a000102
      ? setupNat(packet, packet.connection!, 'snat', addressRange(0x0a000103))
      : Verdict.accept,
  )
  const destination = '10.0.2.2'
  router.forward(udpFrame({ source: '10.0.1.2', destination }, [4000, 53]), true)
  router.namespace.model.random.pin('natPort', [7])
  router.forward(udpFrame({ source: '10.0.1.3', destination }, [4000, 53]), true)
  const replies = router.conntrack.list().map(({ reply }) => `${reply.destination}:${reply.destinationPort}`)
  assert.deepEqual(replies, ['10.0.1.3:4000', '10.0.1.3:1031'])
})

test('the nat chains see the first packet of a connection, and no other', () => {
  const router = new Router()
  let asked = 0
  router.addNatChain(Hook.prerouting, () => {
    asked++
    return Verdict.accept
  })
  const [client, server] = ['10.0.1.2', '10.0.2.2']
  for (let i = 0; i < 3; i++) router.forward(udpFrame({ source: client, destination: server }, [4000, 53]), true)
  router.forward(udpFrame({ source: server, destination: client }, [53, 4000]), false)
  assert.equal(asked, 1)
})

test('while no rule needs connections, no nat chain is asked', () => {
  const router = new Router()
  router.conntrack.release('ip')
  let asked = 0
  router.addNatChain(Hook.prerouting, () => {
    asked++
    return Verdict.accept
  })
  const packet = router.forward(udpFrame({ source: '10.0.1.2', destination: '10.0.2.2' }, [4000, 53]), true)
  assert.equal(asked, 0)
  assert.equal(packet?.connection, undefined)
})

test('a masqueraded connection that would leave by another device ends, and its packet with it', () => {
  const router = new Router()
  router.addNatChain(Hook.postrouting, (packet, _hook, _input, output) => {
    packet.connection!.masqueradeIndex = output!.index
    return setupNat(packet, packet.connection!, 'snat', addressRange(OUTSIDE))
  })
  const frame = udpFrame({ source: '10.0.1.2', destination: '10.0.2.2' }, [4000, 53])
  router.forward(frame, true)
  const { outside } = router
  const elsewhere = router.packet(frame, true)
  outside.index = 99
  assert.equal(router.forward(elsewhere.frame(), true), undefined)
  assert.equal(router.conntrack.size, 0)
})

for (const [sequence, port] of [
  [9000, 5000],
  [50, 5001],
] as const) {
  const what = sequence > 102 ? 'gives its port to a SYN with a later sequence number' : 'keeps its port otherwise'
  test(`in the last tries for a port, a connection in TIME_WAIT ${what}`, () => {
    const router = masquerading(ports(addressRange(OUTSIDE), 5000, 5001))
    router.namespace.model.random.pin('natPort', [0, 0])
    const send = (source: string, flags: string, sequenceNumber: number, ack: number, outward = true) => {
      const ends = outward ? { source, destination: SERVICE } : { source: '10.0.2.2', destination: '10.0.2.1' }
      const from = outward ? ([1000, 80] as const) : ([80, 5000] as const)
      const tcp = { ports: from, flags, sequence: sequenceNumber, ack, window: 500, length: 0 }
      return router.forward(tcpFrame(ends, tcp), outward)
    }
    send('10.0.1.2', 'S', 100, 0)
    send('', 'SA', 500, 101, false)
    send('10.0.1.2', 'A', 101, 501)
    send('10.0.1.2', 'FA', 101, 501)
    send('', 'FA', 501, 102, false)
    send('10.0.1.2', 'A', 102, 502)
    assert.equal(router.conntrack.list()[0]?.state, 'TIME_WAIT')
    const packet = send('10.0.1.3', 'S', sequence, 0)
    assert.equal(packet?.connection?.reply.destinationPart, port)
    assert.equal(router.conntrack.size, port === 5000 ? 1 : 2)
  })
}

test('what the host answers because of a packet belongs to its connection', () => {
  const router = new Router()
  const cause = router.forward(udpFrame({ source: '10.0.1.2', destination: '10.0.2.2' }, [4000, 53]), true)!
  const answer = router.packet(udpFrame({ source: '10.0.2.2', destination: '10.0.1.2' }, [53, 4000]), false)
  attach(answer, cause)
  assert.equal(answer.connection, cause.connection)
  assert.equal(router.stateOf(answer), 'RELATED')
  assert.equal(answer.connection!.status & Status.seenReply, 0)
})

test('a table that is full of connections in use: the packet of a new one is dropped', () => {
  const router = new Router()
  router.conntrack.settings.nf_conntrack_max = 1
  const [client, server] = ['10.0.1.2', '10.0.2.2']
  router.forward(udpFrame({ source: client, destination: server }, [1, 53]), true)
  router.forward(udpFrame({ source: server, destination: client }, [53, 1]), false)
  router.namespace.model.advance(3 * SECOND)
  router.forward(udpFrame({ source: client, destination: server }, [1, 53]), true)
  assert.equal(router.conntrack.list()[0]?.assured, true)
  assert.equal(router.forward(udpFrame({ source: client, destination: server }, [2, 53]), true), undefined)
  assert.equal(router.conntrack.size, 1)
})

test('a table that is full of connections that nobody has answered gives some up', () => {
  const router = new Router()
  router.conntrack.settings.nf_conntrack_max = 128
  const ends = { source: '10.0.1.2', destination: '10.0.2.2' }
  for (let port = 1; port <= 128; port++) router.forward(udpFrame(ends, [port, 53]), true)
  assert.equal(router.conntrack.size, 128)
  assert.equal(router.stateOf(router.forward(udpFrame(ends, [200, 53]), true)), 'NEW')
  assert.ok(router.conntrack.size <= 128)
})

test('an entry can be found by its original direction only, and deleted', () => {
  const router = new Router()
  router.forward(udpFrame({ source: '10.0.1.2', destination: '10.0.2.2' }, [4000, 53]), true)
  const [entry] = router.conntrack.list({ family: 'ipv4', protocol: 17 })
  assert.deepEqual(router.conntrack.list({ family: 'ipv6' }), [])
  assert.equal(router.conntrack.delete({ ...entry!, original: entry!.reply }), false)
  assert.equal(router.conntrack.delete(entry!), true)
  assert.deepEqual(router.conntrack.list(), [])
})

test('ten thousand connections are each found again, and gone when their time is over', () => {
  const router = new Router()
  const frameOf = (i: number) =>
    udpFrame({ source: `10.0.${1 + (i >> 12)}.2`, destination: '10.9.2.2' }, [1024 + (i & 0xfff), 53])
  for (let i = 0; i < 10_000; i++) router.forward(frameOf(i), true)
  assert.equal(router.conntrack.size, 10_000)
  const found = new Set()
  for (let i = 0; i < 10_000; i++) found.add(router.forward(frameOf(i), true)?.connection)
  assert.equal(found.size, 10_000)
  router.namespace.model.advance(31 * SECOND)
  assert.deepEqual(router.conntrack.list(), [])
  assert.equal(router.conntrack.size, 0)
})

test('one tuple may be a connection in each zone', () => {
  const router = new Router()
  let zone = 0
  router.addChain(Hook.prerouting, Priority.raw, (packet) => {
    packet.zone = zone
    return Verdict.accept
  })
  const [client, server] = ['10.0.1.2', '10.0.2.2']
  const ask = () => router.forward(udpFrame({ source: client, destination: server }, [4000, 53]), true)
  const answer = () => router.forward(udpFrame({ source: server, destination: client }, [53, 4000]), false)
  ask()
  zone = 7
  assert.equal(router.stateOf(answer()), 'NEW')
  assert.equal(router.stateOf(ask()), 'ESTABLISHED')
  zone = 0
  assert.equal(router.stateOf(answer()), 'ESTABLISHED')
  assert.deepEqual(
    router.conntrack.list().map((entry) => `${entry.original.source} ${entry.zone}`),
    ['10.0.1.2 undefined', '10.0.2.2 7'],
  )
})
