/** TCP: who listens, and who connects. tcp(7), socket(7), connect(2). Connections that are there: tcp-connection.ts. */
import { sys } from '#sys'
import { familyOf, parseIp } from '../address/ip.ts'
import { hostPrefix, parsePrefix } from '../address/prefix.ts'
import { KernelError } from '../kernel/errors.ts'
import type { Listener, Sockets, TcpConnection, TcpEvents, TcpTarget } from '../kernel/socket.ts'
import { EINPROGRESS, succeed } from './errno.ts'
import type { Namespace } from './netns.ts'
import {
  bindingAddress,
  bindSocket,
  localEndpoint,
  openSocket,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_IP,
  SOL_SOCKET,
  setOption,
} from './open-socket.ts'
import { reactor } from './reactor.ts'
import { decodeSocketAddress, encodeSocketAddress, SOCKET_ADDRESS_SIZE } from './socket-address.ts'
import { SOL_TCP, setTcpOptions } from './socket-options.ts'
import { live } from './sys.live.ts'
import { LinuxTcpConnection } from './tcp-connection.ts'
import { setMd5Key } from './tcp-md5.ts'

const SO_REUSEADDR = 2
/** The port is chosen when the other side is known, so that others may have it, too. */
const IP_BIND_ADDRESS_NO_PORT = 24
/** Keeps the headers of a connection's first segment until they are asked for. */
const TCP_SAVE_SYN = 27
const BACKLOG = 128
/** So many before others have their turn. */
const ACCEPTS_AT_ONCE = 64

export function listenTcp(
  namespace: Namespace,
  { address: text, family, port, options }: Parameters<Sockets['listenTcp']>[0],
  accept: (connection: TcpConnection) => TcpEvents,
): Listener {
  const call = `listen on ${text ?? 'any address'}, TCP port ${port}`
  const address = bindingAddress(text)
  const socket = openSocket(namespace, SOCK_STREAM, address ?? family, call)
  const { descriptor } = socket
  try {
    // Connections of before that are in TIME_WAIT do not hold the port.
    setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
    setOption(descriptor, SOL_TCP, TCP_SAVE_SYN, 1)
    if (options) setTcpOptions(socket, options, call)
    succeed(bindSocket(socket, address, port), call)
    succeed(live.listen(descriptor, BACKLOG), call)
    const local = localEndpoint(descriptor, call)
    let open = true
    const remove = reactor.add(descriptor, () => {
      for (let i = 0; i < ACCEPTS_AT_ONCE && open; i++) {
        const peer = new Uint8Array(SOCKET_ADDRESS_SIZE)
        const accepted = live.accept(descriptor, peer, SOCK_NONBLOCK | SOCK_CLOEXEC)
        if (accepted < 0) return // EAGAIN, or a connection that is gone already: accept(2)
        const remote = decodeSocketAddress(new DataView(peer.buffer))
        const connection = new LinuxTcpConnection(
          { ...socket, descriptor: accepted },
          localEndpoint(accepted, call),
          remote,
        )
        connection.begin(accept(connection))
      }
    })
    const required = (setting: string) => {
      if (!open) throw new KernelError('EBADF', setting, 'the listener is closed')
      return setting
    }
    return {
      local,
      set: (next) => setTcpOptions(socket, next, required(`set options of the listener on TCP port ${local.port}`)),
      setMd5Key: (from, key) =>
        setMd5Key(socket, parsePrefix(from), key, required(`set the TCP MD5 key for connections from ${from}`)),
      close() {
        if (!open) return
        open = false
        remove()
        sys.close(descriptor)
      },
    }
  } catch (error) {
    sys.close(descriptor)
    throw error
  }
}

export function connectTcp(namespace: Namespace, to: TcpTarget, events: TcpEvents): TcpConnection {
  const call = `connect to ${to.address}, TCP port ${to.port}`
  const remote = parseIp(to.address)
  const socket = openSocket(namespace, SOCK_STREAM, remote, call)
  const { descriptor, domain } = socket
  try {
    setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
    if (to.options) setTcpOptions(socket, to.options, call)
    if (to.md5 !== undefined) setMd5Key(socket, hostPrefix(remote), to.md5, call)
    if (to.source !== undefined || to.sourcePort) {
      if (!to.sourcePort) setOption(descriptor, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
      const source = to.source === undefined ? undefined : parseIp(to.source)
      if (source && familyOf(source) !== familyOf(remote)) throw new KernelError('EAFNOSUPPORT', call)
      succeed(bindSocket(socket, source, to.sourcePort ?? 0), call)
    }
    const result = sys.connect(descriptor, encodeSocketAddress(domain, remote, to.port))
    if (result !== -EINPROGRESS) succeed(result, call)
    const connection = new LinuxTcpConnection(socket, localEndpoint(descriptor, call), {
      address: to.address,
      port: to.port,
    })
    connection.connecting(events)
    return connection
  } catch (error) {
    sys.close(descriptor)
    throw error
  }
}
