/**
 * Load between two places, one process at each end: blocking calls on large buffers, so that what is measured is the
 * way between.
 *
 *   load.ts tcp-sink ADDRESS PORT              reads one connection to its end, writes {"bytes", "seconds"}
 *   load.ts tcp-source ADDRESS PORT SECONDS
 *   load.ts udp-sink ADDRESS PORT SECONDS      counts what comes within so many seconds from the first on, writes {"packets", "seconds"}
 *   load.ts udp-source ADDRESS PORT SECONDS SIZE [RATE]     as fast as it goes, or so many a second; writes {"packets"}
 *
 * A sink writes `ready` first.
 */
import { writeSync } from 'node:fs'
import { sys } from '#sys'
import { parseIpv4 } from '../src/address/ipv4.ts'
import { AF_INET, encodeSocketAddress, SOCKET_ADDRESS_SIZE } from '../src/linux/socket-address.ts'
import { fixedMemory, live } from '../src/linux/sys.live.ts'

const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const SO_RCVBUFFORCE = 33
const MSG_WAITFORONE = 0x10000
const BUFFER = 256 << 10
const RECEIVE_BUFFER = 3 << 20
/** Datagrams received with one call. */
const AT_ONCE = 64
const MESSAGE = 64
const IOVEC = 16
const DATAGRAM = 2048
/** Packets between two looks at the clock. */
const BURST = 20
/** Seconds without a packet after which none is waited for. */
const PATIENCE = 1
const PATIENCE_AT_FIRST = 10

const [mode, address, port, seconds, size, rate = 'Infinity'] = process.argv.slice(2)
const endpoint = encodeSocketAddress(AF_INET, parseIpv4(address!), Number(port))
const now = () => performance.now() / 1000
const modes: Readonly<Record<string, () => void>> = {
  'tcp-sink': tcpSink,
  'tcp-source': tcpSource,
  'udp-sink': udpSink,
  'udp-source': udpSource,
}
modes[mode!]!()

function tcpSink(): void {
  const listener = must('socket', sys.socket(AF_INET, SOCK_STREAM, 0))
  must('bind', sys.bind(listener, endpoint))
  must('listen', live.listen(listener, 1))
  writeSync(1, 'ready\n')
  const connection = must('accept', live.accept(listener, new Uint8Array(SOCKET_ADDRESS_SIZE), 0))
  const buffer = new Uint8Array(BUFFER)
  let [bytes, start] = [0, 0]
  for (let got = 1; got > 0; bytes += Math.max(0, got)) {
    got = sys.recv(connection, buffer, 0)
    start ||= now()
  }
  writeSync(1, `${JSON.stringify({ bytes, seconds: now() - start })}\n`)
}

function tcpSource(): void {
  const socket = must('socket', sys.socket(AF_INET, SOCK_STREAM, 0))
  must('connect', sys.connect(socket, endpoint))
  const buffer = new Uint8Array(BUFFER).fill(0x61)
  const end = now() + Number(seconds)
  while (now() < end) must('send', sys.send(socket, buffer, buffer.length, 0))
  sys.close(socket)
}

function udpSink(): void {
  const socket = must('socket', sys.socket(AF_INET, SOCK_DGRAM, 0))
  const option = (name: number, ...values: number[]) =>
    must(
      'setsockopt',
      sys.setsockopt(socket, SOL_SOCKET, name, new Uint8Array(new BigInt64Array(values.map(BigInt)).buffer)),
    )
  option(SO_RCVBUFFORCE, RECEIVE_BUFFER)
  option(SO_RCVTIMEO, PATIENCE, 0)
  must('bind', sys.bind(socket, endpoint))
  const messages = prepareMessages()
  writeSync(1, 'ready\n')
  let [packets, end, last, start] = [0, Infinity, 0, 0]
  const giveUp = now() + PATIENCE_AT_FIRST
  while (now() < end) {
    const got = live.recvmmsg(socket, messages, AT_ONCE, MSG_WAITFORONE)
    if (got <= 0 && (packets > 0 || now() > giveUp)) break
    if (got <= 0) continue
    if (packets === 0) {
      start = now()
      end = start + Number(seconds)
    }
    packets += got
    last = now()
  }
  writeSync(1, `${JSON.stringify({ packets, seconds: last - start })}\n`)
}

function prepareMessages() {
  const memory = fixedMemory(AT_ONCE * (MESSAGE + IOVEC) + DATAGRAM)
  const view = new DataView(memory.bytes.buffer, memory.bytes.byteOffset)
  const address = (offset: number) => memory.address + BigInt(offset)
  for (let i = 0; i < AT_ONCE; i++) {
    const iovec = AT_ONCE * MESSAGE + i * IOVEC
    view.setBigUint64(i * MESSAGE + 16, address(iovec), true)
    view.setBigUint64(i * MESSAGE + 24, 1n, true)
    view.setBigUint64(iovec, address(AT_ONCE * (MESSAGE + IOVEC)), true) // all into one buffer: nobody looks
    view.setBigUint64(iovec + 8, BigInt(DATAGRAM), true)
  }
  return memory
}

function udpSource(): void {
  const socket = must('socket', sys.socket(AF_INET, SOCK_DGRAM, 0))
  must('connect', sys.connect(socket, endpoint))
  const bytes = new Uint8Array(Number(size)).fill(0x62)
  const start = now()
  let packets = 0
  for (let passed = 0; passed < Number(seconds); passed = now() - start) {
    for (let i = 0; i < BURST && packets < passed * Number(rate); i++, packets++) {
      // ENOBUFS: the link's queue is full, which is a packet lost.
      sys.send(socket, bytes, bytes.length, 0)
    }
  }
  writeSync(1, `${JSON.stringify({ packets })}\n`)
}

function must(call: string, result: number): number {
  if (result < 0) throw new Error(`Cannot ${call}: errno ${-result}`)
  return result
}
