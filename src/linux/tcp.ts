/** TCP listeners and connections, none of which blocks: tcp(7), socket(7), connect(2). */
import { sys } from '#sys'
import { familyOf, parseIp } from '../address/ip.ts'
import { KernelError } from '../kernel/errors.ts'
import type { Endpoint, Listener, TcpConnection, TcpEvents } from '../kernel/socket.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { EAGAIN, EINPROGRESS, errnoName, succeed } from './errno.ts'
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
import { EPOLLIN, EPOLLOUT, reactor } from './reactor.ts'
import { decodeSocketAddress, encodeSocketAddress, SOCKET_ADDRESS_SIZE } from './socket-address.ts'
import { live } from './sys.live.ts'

const SO_REUSEADDR = 2
const SO_ERROR = 4
const SO_LINGER = 13
/** The port is chosen when the other side is known, so that others may have it, too. */
const IP_BIND_ADDRESS_NO_PORT = 24
const MSG_NOSIGNAL = 0x4000
const SHUT_WR = 1
const BACKLOG = 128

const MAX_READ = 65_536
/** So much before others have their turn. */
const READS_AT_ONCE = 16
const ACCEPTS_AT_ONCE = 64

export function listenTcp(
  namespace: Namespace,
  { address: text, port }: { readonly address?: string; readonly port: number },
  accept: (connection: TcpConnection) => TcpEvents,
): Listener {
  const call = `listen on ${text ?? 'any address'}, TCP port ${port}`
  const address = bindingAddress(text)
  const socket = openSocket(namespace, SOCK_STREAM, address, call)
  const { descriptor } = socket
  try {
    // Connections of before that are in TIME_WAIT do not hold the port.
    setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
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
        const connection = new LinuxTcpConnection(accepted, localEndpoint(accepted, call), remote)
        connection.begin(accept(connection))
      }
    })
    return {
      local,
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

export function connectTcp(
  namespace: Namespace,
  to: Endpoint & { readonly source?: string; readonly sourcePort?: number },
  events: TcpEvents,
): TcpConnection {
  const call = `connect to ${to.address}, TCP port ${to.port}`
  const remote = parseIp(to.address)
  const socket = openSocket(namespace, SOCK_STREAM, remote, call)
  const { descriptor, domain } = socket
  try {
    setOption(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
    if (to.source !== undefined || to.sourcePort) {
      if (!to.sourcePort) setOption(descriptor, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1)
      const source = to.source === undefined ? undefined : parseIp(to.source)
      if (source && familyOf(source) !== familyOf(remote)) throw new KernelError('EAFNOSUPPORT', call)
      succeed(bindSocket(socket, source, to.sourcePort ?? 0), call)
    }
    const result = sys.connect(descriptor, encodeSocketAddress(domain, remote, to.port))
    if (result !== -EINPROGRESS) succeed(result, call)
    const connection = new LinuxTcpConnection(descriptor, localEndpoint(descriptor, call), {
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

class LinuxTcpConnection implements TcpConnection {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly #descriptor: number
  #events: TcpEvents = {}
  #isConnected = false
  #isClosed = false
  /** They have sent everything; we have. */
  #theyEnded = false
  #weEnded = false
  /** FIN is behind everything written. */
  #hasShutDown = false
  /** What did not fit. */
  #pending: Uint8Array[] = []
  #remove: (() => void) | undefined = undefined
  /** What the registration waits for. */
  #waitsFor = 0

  constructor(descriptor: number, local: Endpoint, remote: Endpoint) {
    this.#descriptor = descriptor
    this.local = local
    this.remote = remote
  }

  /** The handshake is on its way: the socket can be written when it is done. */
  connecting(events: TcpEvents): void {
    this.#events = events
    this.#wait()
  }

  /** The handshake is done. */
  begin(events: TcpEvents): void {
    this.#events = events
    this.#isConnected = true
    this.#flush()
  }

  write(bytes: Uint8Array): void {
    if (this.#weEnded || this.#isClosed) {
      throw new KernelError('EPIPE', `write to ${this.remote.address}, port ${this.remote.port}`)
    }
    if (bytes.length === 0) return
    this.#pending.push(bytes.slice())
    if (this.#isConnected) this.#flush()
  }

  end(): void {
    if (this.#weEnded || this.#isClosed) return
    this.#weEnded = true
    if (this.#isConnected) this.#flush()
  }

  abort(): void {
    if (this.#isClosed) return
    // SO_LINGER with no time to linger: close(2) sends RST.
    setOption(this.#descriptor, SOL_SOCKET, SO_LINGER, 1, 0)
    this.#close()
  }

  #ready(): void {
    if (!this.#isConnected) {
      const errno = this.#takeError()
      if (errno) {
        this.#fail(errno)
        return
      }
      this.#isConnected = true
      this.#events.established?.(this)
    }
    if (!this.#isClosed) this.#flush()
    if (!this.#isClosed) this.#read()
  }

  /** Sends what was written, and FIN behind the last of it. */
  #flush(): void {
    while (this.#pending.length > 0) {
      const bytes = this.#pending[0]!
      const sent = sys.send(this.#descriptor, bytes, bytes.length, MSG_NOSIGNAL)
      if (sent === -EAGAIN) break
      if (sent < 0) {
        this.#fail(-sent)
        return
      }
      if (sent < bytes.length) this.#pending[0] = bytes.subarray(sent)
      else this.#pending.shift()
    }
    if (this.#weEnded && this.#pending.length === 0 && !this.#hasShutDown) {
      this.#hasShutDown = true
      live.shutdown(this.#descriptor, SHUT_WR)
    }
    this.#closeWhenDone()
  }

  #read(): void {
    if (this.#theyEnded) {
      const errno = this.#takeError()
      if (errno) this.#fail(errno)
      return
    }
    const buffer = new Uint8Array(MAX_READ)
    for (let i = 0; i < READS_AT_ONCE && !this.#isClosed; i++) {
      const length = sys.recv(this.#descriptor, buffer, 0)
      if (length === -EAGAIN) return
      if (length < 0) {
        this.#fail(-length)
        return
      }
      if (length === 0) {
        this.#theyEnded = true
        this.#events.end?.(this)
        this.#closeWhenDone()
        return
      }
      this.#events.data?.(this, buffer.slice(0, length))
    }
  }

  /** What both sides have ended is the kernel's to bring to its end. */
  #closeWhenDone(): void {
    if (this.#isClosed) return
    if (this.#hasShutDown && this.#theyEnded) {
      this.#close()
      this.#events.closed?.(this, undefined)
    } else this.#wait()
  }

  #fail(errno: number): void {
    this.#close()
    this.#events.closed?.(this, errnoName(errno))
  }

  /** SO_ERROR, which reading clears; 0: there is none. */
  #takeError(): number {
    const value = new Uint8Array(4)
    succeed(live.getsockopt(this.#descriptor, SOL_SOCKET, SO_ERROR, value), 'ask a socket for its error')
    return new DataView(value.buffer).getInt32(0, LITTLE_ENDIAN)
  }

  #wait(): void {
    const wanted = this.#isConnected
      ? (this.#theyEnded ? 0 : EPOLLIN) | (this.#pending.length > 0 ? EPOLLOUT : 0)
      : EPOLLOUT
    if (this.#remove && wanted === this.#waitsFor) return
    this.#remove?.()
    this.#waitsFor = wanted
    this.#remove = reactor.add(this.#descriptor, () => this.#ready(), wanted)
  }

  #close(): void {
    this.#isClosed = true
    this.#remove?.()
    sys.close(this.#descriptor)
  }
}
