/** The transport in memory does what TCP does. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { type MemoryHost, MemoryNetwork } from '../../src/bgp/memory-transport.ts'
import { type Connection, type ConnectionEvents, type Listener, PLAIN } from '../../src/bgp/transport.ts'
import { StepClock } from './step-clock.ts'

const A = '10.0.0.1'
const B = '10.0.0.2'

/** One end, and what it has been told. */
class Ear implements ConnectionEvents {
  readonly told: string[] = []
  octets = 0
  connected(): void {
    this.told.push('connected')
  }
  received(octets: Uint8Array): void {
    this.octets += octets.length
    this.told.push(Buffer.from(octets).toString())
  }
  taken(): void {
    this.told.push('taken')
  }
  closed(why: string): void {
    this.told.push(`closed: ${why}`)
  }
}

interface Ends {
  readonly clock: StepClock
  readonly network: MemoryNetwork
  readonly a: MemoryHost
  readonly b: MemoryHost
  readonly listener: Listener
  readonly caller: Connection
  readonly ear: Ear
  readonly called: Connection[]
  readonly ears: Ear[]
}

function ends(): Ends {
  const clock = new StepClock()
  const network = new MemoryNetwork(clock, () => 10)
  const a = network.host(A)
  const b = network.host(B)
  const called: Connection[] = []
  const ears: Ear[] = []
  const listener = b.listen({ address: undefined, port: 179 }, (connection) => {
    called.push(connection)
    ears.push(new Ear())
    return ears.at(-1)
  })
  const ear = new Ear()
  const caller = a.connect({ ...PLAIN, remote: { address: B, port: 179 }, localAddress: undefined }, ear)
  clock.advance(20)
  return { clock, network, a, b, listener, caller, ear, called, ears }
}

const text = (octets: string) => new Uint8Array(Buffer.from(octets))

test('a connection takes a round trip, what is said arrives in order, and the last thing heard is the end', () => {
  const { clock, caller, ear, called, ears } = ends()
  assert.deepEqual(ear.told, ['connected'])
  caller.send(text('one'))
  caller.send(text('two'))
  caller.close()
  called[0]!.send(text('lost'))
  clock.advance(9)
  assert.deepEqual(ears[0]!.told, [])
  clock.advance(1)
  assert.deepEqual(ears[0]!.told, ['one', 'two', 'closed: closed by the peer'])
  clock.advance(100)
  assert.deepEqual(ear.told, ['connected'])
})

test('both ends know both addresses', () => {
  const { caller, called } = ends()
  assert.deepEqual(caller.remote, { address: B, port: 179 })
  assert.deepEqual([called[0]!.remote, called[0]!.local], [caller.local, caller.remote])
})

test('where nobody listens a connection is refused; where nobody is it is waited for', () => {
  const { clock, a, listener } = ends()
  const [refused, waiting] = [new Ear(), new Ear()]
  listener.close()
  a.connect({ ...PLAIN, remote: { address: B, port: 179 }, localAddress: A }, refused)
  a.connect({ ...PLAIN, remote: { address: '10.0.0.3', port: 179 }, localAddress: A }, waiting)
  clock.advance(100_000)
  assert.deepEqual([refused.told, waiting.told], [['closed: connection refused'], []])
})

test('a cut link delays, and loses nothing', () => {
  const { clock, network, caller, ears } = ends()
  network.link(B, A).cut()
  caller.send(text('one'))
  caller.send(text('two'))
  clock.advance(100_000)
  assert.deepEqual(ears[0]!.told, [])
  network.link(A, B).heal()
  clock.advance(10)
  assert.deepEqual(ears[0]!.told, ['one', 'two'])
})

test('a host that has crashed resets a connection when it is spoken to, and not before', () => {
  const { clock, a, caller, called, ears } = ends()
  caller.send(text('in flight'))
  a.crash()
  clock.advance(100_000)
  assert.deepEqual(ears[0]!.told, [])
  called[0]!.send(text('hello'))
  clock.advance(20)
  assert.deepEqual(ears[0]!.told, ['closed: connection reset by peer'])
})

test('a caller that has gone before the answer resets what was accepted', () => {
  const { clock, a, ears } = ends()
  a.connect({ ...PLAIN, remote: { address: B, port: 179 }, localAddress: A }, new Ear()).close()
  clock.advance(100)
  assert.deepEqual(ears[1]!.told, ['closed: connection reset by peer'])
})

test('a reader that pauses fills its window and then the sender’s backlog; nothing is lost when it reads on', () => {
  const { clock, caller, ear, called, ears } = ends()
  called[0]!.pause()
  for (let i = 0; i < 10; i++) caller.send(new Uint8Array(20_000))
  clock.advance(1000)
  assert.deepEqual([ears[0]!.octets, caller.backlog], [0, 200_000 - 65_536])
  called[0]!.resume()
  clock.advance(1000)
  assert.deepEqual([ears[0]!.octets, caller.backlog], [200_000, 0])
  assert.ok(ear.told.includes('taken'))
})

test('the end of a connection waits behind what a paused reader has not read', () => {
  const { clock, caller, called, ears } = ends()
  called[0]!.pause()
  caller.send(text('one'))
  caller.close()
  clock.advance(1000)
  assert.deepEqual(ears[0]!.told, [])
  called[0]!.resume()
  clock.advance(1)
  assert.deepEqual(ears[0]!.told, ['one', 'closed: closed by the peer'])
})

test('a link may cut messages as small as it likes', () => {
  const { clock, network, caller, ears } = ends()
  network.link(A, B).segment = 1
  caller.send(text('abc'))
  clock.advance(10)
  assert.deepEqual(ears[0]!.told, ['a', 'b', 'c'])
})

test('what is sent is the receiver’s own', () => {
  const { clock, caller, ears } = ends()
  const octets = text('one')
  caller.send(octets)
  octets[0] = 0
  clock.advance(10)
  assert.deepEqual(ears[0]!.told, ['one'])
})

test('a connection whose links have no carrier ends at this end alone', () => {
  const { clock, a, ear, ears } = ends()
  a.loseConnections()
  clock.advance(100)
  assert.deepEqual([ear.told.at(-1), ears[0]!.told, a.connections], ['closed: network is down', [], 0])
})
