/**
 * Calls back when a descriptor has something to read, or room to write: epoll(7).
 *
 *   add(fd) ── epoll_ctl ──> an epoll of our own ── can be read ──> Node's loop ── setImmediate ──> epoll_wait, callbacks
 *
 * An epoll that has events can be read itself, and Node's loop waits for that beside all that it waits for anyway: no thread waits,
 * and from an event to its callback nobody is woken but who sleeps in the loop. Between two rounds of callbacks timers have
 * their turn. The loop is held, and the process kept from ending, only while there are registrations.
 *
 * Registrations have tokens because descriptors come again: an event that is on its way for one that was closed meanwhile
 * must not reach the next that got its number. Waiting is level-triggered: a callback takes as much as it likes, and is
 * called again for the rest after the others had their turn.
 */
import { LITTLE_ENDIAN } from './byte-order.ts'
import { succeed } from './errno.ts'
import { fixedMemory, live, type Polled } from './sys.live.ts'

const EPOLL_CLOEXEC = 0o2000000
const EPOLL_CTL_ADD = 1
const EPOLL_CTL_DEL = 2
/** What a registration waits for; an error it always hears of. sys/epoll.h. */
export const EPOLLIN = 1
export const EPOLLOUT = 4

/** struct epoll_event is packed on x86-64 alone: sys/epoll.h. */
const EVENT = process.arch === 'x64' ? { size: 12, data: 4 } : { size: 16, data: 8 }
const EVENTS_AT_ONCE = 64
const CALL = 'wait for descriptors'

class Reactor {
  /** What is called back, by token. */
  readonly #registrations = new Map<number, () => void>()
  readonly #events = fixedMemory(EVENTS_AT_ONCE * EVENT.size)
  readonly #view = new DataView(this.#events.bytes.buffer)
  #epoll = -1
  #polled: Polled | undefined
  /** A round of callbacks is on its way. */
  #isDue = false
  #lastToken = 0

  /**
   * Calls back whenever the descriptor can be read (or written, as `events` has it), or has an error to tell, until the
   * function that it answers is called; no callback comes after that. It must be called before the descriptor is closed.
   */
  add(descriptor: number, onReady: () => void, events = EPOLLIN): () => void {
    this.#polled ??= this.#start()
    const token = ++this.#lastToken
    this.#control(EPOLL_CTL_ADD, descriptor, token, events)
    if (this.#registrations.size === 0) this.#polled.ref()
    this.#registrations.set(token, onReady)
    return () => {
      if (!this.#registrations.delete(token)) return
      this.#control(EPOLL_CTL_DEL, descriptor, token)
      if (this.#registrations.size === 0) this.#polled?.unref()
    }
  }

  /** Once in the life of the process. */
  #start(): Polled {
    this.#epoll = succeed(live.epollCreate(EPOLL_CLOEXEC), CALL)
    return live.whenReadable(this.#epoll, () => {
      if (this.#isDue) return
      this.#isDue = true
      setImmediate(() => this.#dispatch())
    })
  }

  #dispatch(): void {
    this.#isDue = false
    const count = live.epollWait(this.#epoll, this.#events, EVENTS_AT_ONCE)
    const tokens = Array.from({ length: Math.max(count, 0) }, (_, i) =>
      this.#view.getUint32(i * EVENT.size + EVENT.data, LITTLE_ENDIAN),
    )
    // Who throws takes the turn of those behind it, for this round.
    for (const token of tokens) this.#registrations.get(token)?.()
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
