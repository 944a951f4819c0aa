/** A packet that is followed leads to what it caused: replies, errors, what is sent again. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { Journey } from '../../../src/model/observer.ts'
import { World } from '../world.ts'

const A = '10.9.0.1'
const B = '10.9.0.2'

function hosts() {
  const world = new World()
  world.pair('a:e0', '02:00:00:00:00:0a', 'b:e0', '02:00:00:00:00:0b')
  const [a, b] = [world.in('a'), world.in('b')]
  a.addresses.add({ link: 'e0', prefix: `${A}/24` })
  b.addresses.add({ link: 'e0', prefix: `${B}/24` })
  a.neighbours.add({ link: 'e0', address: B, mac: '02:00:00:00:00:0b' })
  b.neighbours.add({ link: 'e0', address: A, mac: '02:00:00:00:00:0a' })
  return { world, a, b, journeys: world.follow() }
}

/** `cause ending`, those that it led to below it, one level deeper each. */
function outline({ cause, ending, children }: Journey, depth = 0): string[] {
  const end =
    ending?.disposition === 'delivered'
      ? `delivered by ${ending.by}`
      : ending?.disposition === 'dropped'
        ? `dropped ${ending.reason}`
        : `${ending?.disposition}`
  return [`${'  '.repeat(depth)}${cause}: ${end}`, ...children.flatMap((child) => outline(child, depth + 1))]
}

test('a SYN leads to the whole conversation, packet by packet', () => {
  const { a, b, journeys } = hosts()
  b.sockets.listenTcp({ port: 80 }, () => ({
    data(connection, bytes) {
      connection.write(bytes)
      connection.end()
    },
  }))
  a.sockets.connectTcp(
    { address: B, port: 80, sourcePort: 5000 },
    {
      established: (connection) => connection.write(new Uint8Array(3)),
      end: (connection) => connection.end(),
    },
  )
  assert.equal(journeys.length, 1)
  assert.deepEqual(outline(journeys[0]!), [
    `sent: delivered by tcp ${B}:80`,
    `  reply: delivered by tcp ${A}:5000`,
    `    reply: delivered by tcp ${B}:80`,
    `    reply: delivered by tcp ${B}:80`,
    `      reply: delivered by tcp ${A}:5000`,
    `      reply: delivered by tcp ${A}:5000`,
    `        reply: delivered by tcp ${B}:80`,
    `      reply: delivered by tcp ${A}:5000`,
    `        reply: delivered by tcp ${B}:80`,
    `        reply: delivered by tcp ${B}:80`,
    `          reply: delivered by tcp ${A}:5000`,
  ])
})

test('what is sent again belongs to what was sent first', () => {
  const { world, a, b, journeys } = hosts()
  b.links.set('e0', { up: false })
  a.sockets.connectTcp({ address: B, port: 80 }, {})
  world.advance(2500)
  assert.deepEqual(
    journeys.map((journey) => outline(journey).map((line) => line.split(':')[0])),
    [['sent', '  retransmission', '    retransmission']],
  )
})

test('a datagram to nobody leads to the error, which its socket hears', () => {
  const { a, journeys } = hosts()
  const socket = a.sockets.bindUdp({ port: 5000 }, {})
  socket.send({ address: B, port: 9 }, new Uint8Array(1))
  assert.deepEqual(
    journeys.flatMap((journey) => outline(journey)),
    ['sent: dropped NO_SOCKET', '  icmp: delivered by udp *:5000'],
  )
})

test('an echo request leads to its reply', () => {
  const { a, journeys } = hosts()
  a.namespace.sockets.ping(B, { identifier: 77 }, () => {})
  assert.deepEqual(
    journeys.flatMap((journey) => outline(journey)),
    ['sent: delivered by icmp_echo', '  reply: delivered by ping 77'],
  )
})
