/** What TCP sends, how much of it at once, and what it does about what is lost. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { TcpConnection } from '../../../src/kernel/socket.ts'
import { HOST, Peer } from './peer.ts'

const ALL = '020405b40402080a000000050000000001030307'
/** Data in a segment of a connection with timestamps. */
const FULL = 1448

const word = (value: number) => (value >>> 0).toString(16).padStart(8, '0')
const timestamps = '0101080a0000000600000000'
const sack = (from: number, to: number) => `${timestamps}0101050a${word(from)}${word(to)}`

function shaken() {
  const peer = new Peer(3000, 8080)
  let accepted: TcpConnection | undefined
  peer.host.sockets.listenTcp({ address: HOST, port: 8080 }, (connection) => {
    accepted = connection
    return {}
  })
  peer.say({ flags: 'S', sequence: 1000, window: 64240, options: ALL })
  const first = peer.hear()[0]!.sequence + 1
  const acknowledge = (count: number, options = timestamps) =>
    peer.say({ flags: 'A', sequence: 1001, ack: first + count, window: 60_000, options })
  acknowledge(0)
  peer.hear()
  /** `from+length` of what was heard, from the first byte on. */
  const heard = () => peer.hear().map(({ sequence, length }) => `${(sequence - first) >>> 0}+${length}`)
  return { peer, first, connection: accepted!, acknowledge, heard }
}

const segments = (from: number, count: number) => Array.from({ length: count }, (_, i) => `${from + i * FULL}+${FULL}`)

test('ten segments go out at once, then two for each that is acknowledged', () => {
  const { connection, acknowledge, heard } = shaken()
  connection.write(new Uint8Array(100_000))
  assert.deepEqual(heard(), segments(0, 10))
  acknowledge(FULL)
  assert.deepEqual(heard(), segments(10 * FULL, 2))
  acknowledge(3 * FULL)
  assert.deepEqual(heard(), segments(12 * FULL, 4))
})

test('no more goes out than the other side has room for, and nothing that its window would cut short', () => {
  const { peer, first, connection, heard } = shaken()
  /** `window` << 7; a byte of data makes it count. */
  const tell = (sequence: number, ack: number, window: number) =>
    peer.say({ flags: 'PA', sequence, ack: first + ack, window, options: timestamps, data: '.' })
  const withoutAcknowledgements = () => heard().filter((each) => !each.endsWith('+0'))
  tell(1001, 0, 60_000)
  tell(1002, 0, 20)
  connection.write(new Uint8Array(10_000))
  // 2560 bytes of room, tcp_mss_split_point
  assert.deepEqual(withoutAcknowledgements(), ['0+1448', '1448+1112'])
  tell(1003, FULL, 19)
  assert.deepEqual(withoutAcknowledgements(), [])
  tell(1004, 2560, 20)
  assert.deepEqual(withoutAcknowledgements(), ['2560+1448', '4008+1112'])
})

test('a short segment waits while another is on its way; the last of what was written has PSH', () => {
  const { peer, connection, acknowledge, heard } = shaken()
  connection.write(new Uint8Array(2000))
  assert.deepEqual(
    peer.hear().map(({ length, flags }) => `${flags} ${length}`),
    [`A ${FULL}`, `PA ${2000 - FULL}`],
  )
  connection.write(new Uint8Array(10))
  connection.write(new Uint8Array(20))
  assert.deepEqual(heard(), [])
  acknowledge(2000)
  assert.deepEqual(heard(), ['2000+30'])
})

test('the end goes with the data that is not sent yet', () => {
  const { peer, connection, acknowledge } = shaken()
  connection.write(new Uint8Array(10))
  connection.write(new Uint8Array(20))
  connection.end()
  acknowledge(10)
  assert.deepEqual(
    peer.hear().map(({ length, flags }) => `${flags} ${length}`),
    ['PA 10', 'FPA 20'],
  )
})

test('three segments beyond a gap make it a loss: it is sent again, once', () => {
  const { first, connection, acknowledge, heard } = shaken()
  connection.write(new Uint8Array(8 * FULL))
  heard()
  const block = (from: number, to: number) => sack(first + from * FULL, first + to * FULL)
  acknowledge(0, block(1, 2))
  acknowledge(0, block(1, 3))
  assert.deepEqual(heard(), [])
  acknowledge(0, block(1, 4))
  assert.deepEqual(heard(), segments(0, 1))
  acknowledge(0, block(1, 8))
  assert.deepEqual(heard(), [])
  acknowledge(8 * FULL)
  assert.deepEqual(heard(), [])
})

test('after a timeout, what is not known to have come is sent again as acknowledgements come', () => {
  const { peer, first, connection, acknowledge, heard } = shaken()
  connection.write(new Uint8Array(6 * FULL))
  acknowledge(0, sack(first + 2 * FULL, first + 3 * FULL))
  heard()
  peer.world.advance(250)
  assert.deepEqual(heard(), segments(0, 1))
  acknowledge(FULL, sack(first + 2 * FULL, first + 3 * FULL))
  assert.deepEqual(heard(), [...segments(FULL, 1), ...segments(3 * FULL, 1)])
  acknowledge(6 * FULL)
  peer.world.advance(5000)
  assert.deepEqual(heard(), [])
})
