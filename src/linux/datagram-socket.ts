/** One datagram to a socket of AF_UNIX, unix(7): how systemd is told things, sd_notify(3). */
import { sys } from '#sys'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { succeed } from './errno.ts'
import { closing } from './files.ts'

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
/** struct sockaddr_un: the family, then the path. */
const PATH = 2
const LONGEST_PATH = 108

/** A path that begins with @ is abstract. KernelError when nobody receives it; RangeError when the path is too long. */
export function sendDatagram(path: string, text: string): void {
  const call = `send to "${path}"`
  const name = sys.encode(path)
  if (name.length >= LONGEST_PATH) throw new RangeError(`Cannot ${call}: a path has less than ${LONGEST_PATH} bytes`)
  const address = new Uint8Array(PATH + name.length)
  new DataView(address.buffer).setUint16(0, AF_UNIX, LITTLE_ENDIAN)
  address.set(name, PATH)
  if (path.startsWith('@')) address[PATH] = 0
  const bytes = sys.encode(text)
  closing(succeed(sys.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), call), (socket) =>
    succeed(sys.sendto(socket, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, address), call),
  )
}
