/**
 * Calls back when a descriptor has something to read, or room to write: epoll(7).
 *
 *   main thread                          a thread of Node's pool
 *   add(fd) ── epoll_ctl ──────────┐
 *   …                              ├──>  epoll_wait          one call, without end
 *   callbacks  <── events ─────────┘       returns: each event has the token of its registration
 *   epoll_wait again
 *
 * One thread waits for all descriptors, and only while there are some: a blocking read each would cost a thread each, and no
 * process ends while one is in a call. The eventfd in the set calls the thread out when the last registration goes and when
 * the process exits. Node's pool has four threads: three are left for files and names while somebody listens.
 *
 * Registrations have tokens because descriptors come again: an event that is on its way for one that was closed meanwhile
 * must not reach the next that got its number. Waiting is level-triggered: a callback takes as much as it likes, and is
 * called again for the rest after the others had their turn.
 */
import { sys } from '#sys'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { succeed } from './errno.ts'
import { fixedMemory, live } from './sys.live.ts'

const EPOLL_CLOEXEC = 0o2000000
const EFD_CLOEXEC = 0o2000000
const EFD_NONBLOCK = 0o4000
const EPOLL_CTL_ADD = 1
const EPOLL_CTL_DEL = 2
/** What a registration waits for; an error it always hears of. sys/epoll.h. */
export const EPOLLIN = 1
export const EPOLLOUT = 4

/** struct epoll_event is packed on x86-64 alone: sys/epoll.h. */
const EVENT = process.arch === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 }
const EVENTS_AT_ONCE = 64
const WAKE_UP = 0
const CALL = 'wait for descriptors'

interface Registration {
  readonly descriptor: number
  readonly onReady: () => void
}

class Reactor {
  readonly #registrations = new Map<number, Registration>()
  readonly #events = fixedMemory(EVENTS_AT_ONCE * EVENT.size)
  readonly #view = new DataView(this.#events.bytes.buffer)
  readonly #onExit = () => this.#wakeUp()
  #epoll = -1
  #eventfd = -1
  #waiting = false
  #lastToken = WAKE_UP

  /**
   * Calls back whenever the descriptor can be read (or written, as `events` has it), or has an error to tell, until the
   * function that it answers is called; no callback comes after that. It must be called before the descriptor is closed.
   */
  add(descriptor: number, onReady: () => void, events = EPOLLIN): () => void {
    if (!this.#waiting) this.#start()
    const token = ++this.#lastToken
    this.#control(EPOLL_CTL_ADD, descriptor, token, events)
    this.#registrations.set(token, { descriptor, onReady })
    return () => {
      if (!this.#registrations.delete(token)) return
      this.#control(EPOLL_CTL_DEL, descriptor, token)
      if (this.#registrations.size === 0) this.#wakeUp()
    }
  }

  #start(): void {
    this.#epoll = succeed(live.epollCreate(EPOLL_CLOEXEC), CALL)
    this.#eventfd = succeed(live.eventfd(EFD_CLOEXEC | EFD_NONBLOCK), CALL)
    this.#control(EPOLL_CTL_ADD, this.#eventfd, WAKE_UP)
    process.on('exit', this.#onExit)
    this.#waiting = true
    this.#wait()
  }

  #wait(): void {
    live.epollWait(this.#epoll, this.#events, EVENTS_AT_ONCE, (count) => this.#dispatch(count))
  }

  #dispatch(count: number): void {
    const tokens = Array.from({ length: Math.max(count, 0) }, (_, i) =>
      this.#view.getUint32(i * EVENT.size + EVENT.data, LITTLE_ENDIAN),
    )
    try {
      for (const token of tokens) {
        if (token === WAKE_UP) sys.read(this.#eventfd, new Uint8Array(8))
        else this.#registrations.get(token)?.onReady()
      }
    } finally {
      // Also after a callback threw: what it is about must not make the others deaf.
      if (this.#registrations.size > 0) this.#wait()
      else this.#stop()
    }
  }

  /** Only here, where no thread is in epoll_wait. */
  #stop(): void {
    this.#waiting = false
    process.off('exit', this.#onExit)
    sys.close(this.#epoll)
    sys.close(this.#eventfd)
  }

  #wakeUp(): void {
    sys.write(this.#eventfd, new Uint8Array(BigUint64Array.of(1n).buffer), 8)
  }

  #control(operation: number, descriptor: number, token: number, events = EPOLLIN): void {
    const event = new Uint8Array(EVENT.size)
    const view = new DataView(event.buffer)
    view.setUint32(0, events, LITTLE_ENDIAN)
    view.setUint32(EVENT.data, token, LITTLE_ENDIAN)
    succeed(live.epollControl(this.#epoll, operation, descriptor, event), CALL)
  }
}

/** One for the process. */
export const reactor = new Reactor()
