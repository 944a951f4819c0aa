/** A TCP connection that does not block: tcp(7), socket(7). */
import { sys } from '#sys'
import { KernelError } from '../kernel/errors.ts'
import type { Endpoint, TcpConnection, TcpEvents, TcpOptions } from '../kernel/socket.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { EAGAIN, errnoName, succeed } from './errno.ts'
import { type OpenSocket, SOL_SOCKET, setOption } from './open-socket.ts'
import { EPOLLIN, EPOLLOUT, reactor } from './reactor.ts'
import { SOL_TCP, setTcpOptions } from './socket-options.ts'
import { live } from './sys.live.ts'

const SO_ERROR = 4
const SO_LINGER = 13
const TCP_SAVED_SYN = 28
const MSG_NOSIGNAL = 0x4000
const SHUT_WR = 1

/** So much before others have their turn. */
const READS_AT_ONCE = 16
/** What is read is copied from here at once, as long as it is: memory of this size for every short message would cost more. */
const readBuffer = new Uint8Array(65_536)

/** A header of IPv4 or IPv6 with all its options, and one of TCP. */
const SAVED_SYN_SIZE = 512
const TTL_AT = 8
const HOP_LIMIT_AT = 7

export class LinuxTcpConnection implements TcpConnection {
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly #socket: OpenSocket
  readonly #descriptor: number
  #events: TcpEvents = {}
  #isConnected = false
  #isClosed = false
  #isPaused = false
  /** They have sent everything; we have. */
  #theyEnded = false
  #weEnded = false
  /** FIN is behind everything written. */
  #hasShutDown = false
  /** Nothing can be sent any more; what they sent before may wait to be read. 0: none. */
  #failure = 0
  /** What did not fit. */
  #pending: Uint8Array[] = []
  #backlog = 0
  #remove: (() => void) | undefined = undefined
  /** What the registration waits for; undefined: there is none. */
  #waitsFor: number | undefined = undefined

  constructor(socket: OpenSocket, local: Endpoint, remote: Endpoint) {
    this.#socket = socket
    this.#descriptor = socket.descriptor
    this.local = local
    this.remote = remote
  }

  get backlog(): number {
    return this.#backlog
  }

  get synTtl(): number | undefined {
    if (this.#isClosed) return undefined
    const syn = new Uint8Array(SAVED_SYN_SIZE)
    succeed(live.getsockopt(this.#descriptor, SOL_TCP, TCP_SAVED_SYN, syn), 'ask a connection for its SYN')
    const version = syn[0]! >> 4
    return version === 4 ? syn[TTL_AT] : version === 6 ? syn[HOP_LIMIT_AT] : undefined
  }

  /** The handshake is on its way: the socket can be written when it is done. */
  connecting(events: TcpEvents): void {
    this.#events = events
    this.#wait()
  }

  /** The handshake is done. */
  begin(events: TcpEvents): void {
    if (this.#isClosed) return
    this.#events = events
    this.#isConnected = true
    this.#flush()
  }

  set(options: TcpOptions): void {
    const call = `set options of the connection with ${this.remote.address}, port ${this.remote.port}`
    if (this.#isClosed) throw new KernelError('EBADF', call, 'it is closed')
    setTcpOptions(this.#socket, options, call)
  }

  write(bytes: Uint8Array): void {
    if (this.#weEnded || this.#isClosed || this.#failure) {
      throw new KernelError('EPIPE', `write to ${this.remote.address}, port ${this.remote.port}`)
    }
    const waits = !this.#isConnected || this.#pending.length > 0
    const sent = waits ? 0 : this.#send(bytes)
    if (sent === bytes.length || this.#failure) return
    this.#pending.push(bytes.slice(sent))
    this.#backlog += bytes.length - sent
    this.#wait()
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

  pause(): void {
    this.#isPaused = true
    if (!this.#isClosed) this.#wait()
  }

  resume(): void {
    this.#isPaused = false
    if (!this.#isClosed) this.#wait()
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
    if (this.#isClosed) return
    const before = this.#backlog
    this.#flush()
    if (this.#backlog < before && !this.#isClosed && !this.#failure) this.#events.taken?.(this)
    if (!this.#isClosed && !this.#isPaused) this.#read()
  }

  /** Sends what was written, and FIN behind the last of it. */
  #flush(): void {
    while (this.#pending.length > 0) {
      const bytes = this.#pending[0]!
      const sent = this.#send(bytes)
      if (this.#failure) return
      this.#backlog -= sent
      if (sent < bytes.length) {
        this.#pending[0] = bytes.subarray(sent)
        break
      }
      this.#pending.shift()
    }
    if (this.#weEnded && this.#pending.length === 0 && !this.#hasShutDown) {
      this.#hasShutDown = true
      live.shutdown(this.#descriptor, SHUT_WR)
    }
    this.#closeWhenDone()
  }

  /** How many of the bytes the kernel has taken. */
  #send(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0
    const sent = sys.send(this.#descriptor, bytes, bytes.length, MSG_NOSIGNAL)
    if (sent >= 0) return sent
    if (sent !== -EAGAIN) {
      this.#failure = -sent
      this.#pending = []
      this.#backlog = 0
      this.#wait()
    }
    return 0
  }

  #read(): void {
    if (this.#theyEnded) {
      const errno = this.#failure || this.#takeError()
      if (errno) this.#fail(errno)
      return
    }
    for (let i = 0; i < READS_AT_ONCE && !this.#isClosed && !this.#isPaused; i++) {
      const length = sys.recv(this.#descriptor, readBuffer, 0)
      if (length > 0) {
        this.#events.data?.(this, readBuffer.slice(0, length))
        // A next call would find nothing, or tell more of the end than is known yet.
        if (length < readBuffer.length && !this.#failure) return
      } else {
        if (this.#failure) this.#fail(this.#failure)
        else if (length === 0) this.#ended()
        else if (length !== -EAGAIN) this.#fail(-length)
        return
      }
    }
  }

  #ended(): void {
    this.#theyEnded = true
    this.#events.end?.(this)
    this.#closeWhenDone()
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
    const wanted = this.#wanted()
    if (wanted === this.#waitsFor) return
    this.#remove?.()
    this.#waitsFor = wanted
    this.#remove = wanted === undefined ? undefined : reactor.add(this.#descriptor, () => this.#ready(), wanted)
  }

  #wanted(): number | undefined {
    if (!this.#isConnected) return EPOLLOUT
    const toSend = this.#pending.length > 0 ? EPOLLOUT : 0
    // A registration would hear of an error whatever it waits for, and that has to wait behind what was not read.
    if (this.#isPaused) return toSend || undefined
    return toSend | (this.#theyEnded ? 0 : EPOLLIN)
  }

  #close(): void {
    this.#isClosed = true
    this.#pending = []
    this.#backlog = 0
    this.#remove?.()
    sys.close(this.#descriptor)
  }
}
