/** A question to a daemon of this machine, and its answer: unix(7), a stream. */
import { sys } from '#sys'
import { KernelError } from '../kernel/errors.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { EINTR, succeed } from './errno.ts'
import { closing } from './files.ts'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
/** A daemon that is gone answers EPIPE; without it the process would end by SIGPIPE. */
const MSG_NOSIGNAL = 0x4000
const POLLIN = 1
const CLOCK_MONOTONIC = 1
const NANOSECONDS_PER_MILLISECOND = 1_000_000n
/** Of sun_path, with its NUL: linux/un.h. */
const PATH_SIZE = 108
const READ_SIZE = 4096
const NEWLINE = 0x0a

/** See Host.ask, cni/host.ts. */
export function ask(path: string, line: string, milliseconds: number): string {
  const call = `ask at "${path}"`
  const end = sys.clock(CLOCK_MONOTONIC) + BigInt(milliseconds) * NANOSECONDS_PER_MILLISECOND
  const address = encodeUnixAddress(path, call)
  return closing(succeed(sys.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), call), (socket) => {
    succeed(sys.connect(socket, address), call)
    for (let rest = sys.encode(`${line}\n`); rest.length > 0; ) {
      rest = rest.subarray(succeed(sys.send(socket, rest, rest.length, MSG_NOSIGNAL), call))
    }
    return readLine(socket, end, call)
  })
}

/** struct sockaddr_un. */
function encodeUnixAddress(path: string, call: string): Uint8Array {
  const name = sys.encode(path)
  if (name.length >= PATH_SIZE)
    throw new KernelError('ENAMETOOLONG', call, `a socket's path has ${PATH_SIZE - 1} bytes at most`)
  const bytes = new Uint8Array(2 + name.length + 1)
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, LITTLE_ENDIAN)
  bytes.set(name, 2)
  return bytes
}

function readLine(socket: number, end: bigint, call: string): string {
  const parts: Uint8Array[] = []
  for (;;) {
    awaitInput(socket, end, call)
    const bytes = new Uint8Array(READ_SIZE)
    const count = succeed(sys.recv(socket, bytes, 0), call)
    if (count === 0) throw new KernelError('ECONNRESET', call, 'the connection was closed before an answer came')
    const newline = bytes.subarray(0, count).indexOf(NEWLINE)
    parts.push(bytes.subarray(0, newline < 0 ? count : newline))
    if (newline >= 0) return sys.decode(joined(parts))
  }
}

function awaitInput(socket: number, end: bigint, call: string): void {
  const pollfd = new DataView(new ArrayBuffer(8))
  pollfd.setInt32(0, socket, LITTLE_ENDIAN)
  pollfd.setInt16(4, POLLIN, LITTLE_ENDIAN)
  for (;;) {
    const left = Number((end - sys.clock(CLOCK_MONOTONIC)) / NANOSECONDS_PER_MILLISECOND)
    if (left <= 0) throw new KernelError('ETIMEDOUT', call, 'no answer came in time')
    const ready = sys.poll(new Uint8Array(pollfd.buffer), left)
    if (ready !== -EINTR && succeed(ready, call) > 0) return
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
