/** Notifications: a netlink socket that hears groups, netlink(7). */
import { sys } from '#sys'
import { LITTLE_ENDIAN } from '../byte-order.ts'
import { succeed } from '../errno.ts'

const AF_NETLINK = 16
const SOCKADDR_NL_SIZE = 12
const SOL_SOCKET = 1
const SO_RCVBUFFORCE = 33
/** Bytes that wait for us while we are busy. */
const RECEIVE_BUFFER = 8 << 20

/** `groups`: sockaddr_nl's bits. `call` is for the error. KernelError. */
export function joinGroups(descriptor: number, groups: number, call: string): void {
  const size = new Uint8Array(Int32Array.of(RECEIVE_BUFFER).buffer)
  // Without CAP_NET_ADMIN the buffer stays as it is.
  sys.setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, size)
  const address = new Uint8Array(SOCKADDR_NL_SIZE)
  const view = new DataView(address.buffer)
  view.setUint16(0, AF_NETLINK, LITTLE_ENDIAN)
  view.setUint32(8, groups >>> 0, LITTLE_ENDIAN)
  succeed(sys.bind(descriptor, address), call)
}
