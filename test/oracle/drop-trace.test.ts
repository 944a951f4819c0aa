/** Lines of Linux' trace, read: which packet was dropped, where it was seen last, and by what it is known again. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { readDrops } from '../../src/oracle/drop-trace.ts'
import type { Row } from '../../src/oracle/walk.ts'

const row = (at: string, dir: Row['dir'], t: number): Row => ({ t, at, dir, len: 43, hex: '' })
/** Microseconds behind second 100. */
const line = (time: number, event: string) =>
  `    node-17  [001] b.s1.   100.${String(time).padStart(6, '0')}: ${event}`
const received = (device: string, packet: string) => `netif_receive_skb: dev=${device} skbaddr=${packet} len=29`
const dropped = (packet: string, location: string, reason: string) =>
  `kfree_skb: skbaddr=${packet} rx_sk=0000000000000000 protocol=2048 location=${location} reason: ${reason}`

const rows = [row('p1:eth0', 'out', 0), row('n1:eth0', 'in', 0.02), row('p3:eth0', 'in', 0.06)]
/** The walk began at second 100. */
const read = (...lines: string[]) => readDrops(lines.join('\n'), rows, -100_000)

test('a drop is where the packet was seen last, by device, direction and time', () => {
  const drops = read(
    line(21, received('eth0', 'a')),
    line(62, received('eth0', 'b')),
    line(63, dropped('b', '__udp4_lib_rcv+0x3a1/0xb40', 'NO_SOCKET')),
    line(64, dropped('a', 'ip_rcv_core.part.0+0x1f/0x20', 'OTHERHOST')),
  )
  assert.deepEqual(
    drops.map(({ reason, function: name, row: { at } }) => [reason, name, at]),
    [
      ['NO_SOCKET', '__udp4_lib_rcv', 'p3:eth0'],
      ['OTHERHOST', 'ip_rcv_core', 'n1:eth0'],
    ],
  )
})

test('of two devices of one name it is the one that saw a frame of that length', () => {
  const told = { ...row('r1:eth0', 'in', 0.019), len: 590 }
  const lines = [line(19, received('eth0', 'a')), line(20, dropped('a', 'ip_forward+0x1/0x2', 'PKT_TOO_BIG'))]
  assert.equal(readDrops(lines.join('\n'), [told, ...rows], -100_000)[0]?.row.at, 'n1:eth0')
  const [other] = readDrops(lines.join('\n').replace('len=29', 'len=576'), [told, ...rows], -100_000)
  assert.equal(other?.row.at, 'r1:eth0')
})

test('drops of others, and of memory that was used again, are left out', () => {
  const drop = dropped('a', 'f+0x1/0x2', 'NO_SOCKET')
  assert.deepEqual(read(line(21, drop)), [])
  assert.deepEqual(
    read(line(21, received('eth0', 'a')), line(22, 'consume_skb: skbaddr=a location=g+0x1/0x2'), line(23, drop)),
    [],
  )
  assert.deepEqual(read(line(900, received('eth0', 'a')), line(901, drop)), [])
  assert.deepEqual(read(line(21, received('wlan0', 'a')), line(22, drop)), [])
})
