/**
 * The system calls that only what waits makes: Node only, by koffi. They answer as those of Sys do; see sys.ts.
 *
 * Memory that the kernel writes to by an address inside a structure must not move, so it is not JavaScript's own.
 */
import koffi from 'koffi'

const libc = koffi.load(null)

const c = {
  close: libc.func('int close(int)'),
  epollCreate1: libc.func('int epoll_create1(int)'),
  epollCtl: libc.func('int epoll_ctl(int, int, int, const uint8_t *)'),
  epollWait: libc.func('int epoll_wait(int, uint8_t *, int, int)'),
  eventfd: libc.func('int eventfd(uint32_t, int)'),
  recvmmsg: libc.func('int recvmmsg(int, uint8_t *, uint32_t, int, uint8_t *)'),
  listen: libc.func('int listen(int, int)'),
  accept4: libc.func('int accept4(int, uint8_t *, uint8_t *, int)'),
  shutdown: libc.func('int shutdown(int, int)'),
  getsockopt: libc.func('int getsockopt(int, int, int, uint8_t *, uint8_t *)'),
  mmap: libc.func('intptr_t mmap(void *, size_t, int, int, int, int64_t)'),
  munmap: libc.func('int munmap(uint8_t *, size_t)'),
}

const PROT_READ_WRITE = 3
const MAP_SHARED = 1
const MAP_FAILED = -1

/** glibc alone has it. */
const mallocTrim = optional('int malloc_trim(size_t)')

/** Since glibc 2.36. */
const mounting = {
  fsopen: optional('int fsopen(const char *, uint32_t)'),
  fsconfig: optional('int fsconfig(int, uint32_t, const char *, const char *, int)'),
  fsmount: optional('int fsmount(int, uint32_t, uint32_t)'),
}

function optional(prototype: string): ReturnType<typeof libc.func> | undefined {
  try {
    return libc.func(prototype)
  } catch {
    return undefined
  }
}

/** Bytes outside of JavaScript's heap. They are kept for the life of the process. */
export interface FixedMemory {
  readonly address: bigint
  readonly bytes: Uint8Array
}

export function fixedMemory(size: number): FixedMemory {
  const address = koffi.address(koffi.alloc('uint8_t', size))
  return { address, bytes: new Uint8Array(koffi.view(address, size)).fill(0) }
}

/** Whether the process waits for it: `unref` lets it end. */
export interface Polled {
  ref(): void
  unref(): void
}

export const live = {
  epollCreate: (flags: number): number => answer(c.epollCreate1(flags)),
  epollControl: (epoll: number, operation: number, descriptor: number, event: Uint8Array): number =>
    answer(c.epollCtl(epoll, operation, descriptor, event)),
  eventfd: (flags: number): number => answer(c.eventfd(0, flags)),
  /** Does not wait. Answers how many events there are. */
  epollWait: (epoll: number, events: FixedMemory, most: number): number =>
    answer(c.epollWait(epoll, events.address, most, 0)),
  /**
   * Node's loop waits for the descriptor, too, and calls back while it can be read: libuv's uv_poll_t. The callback is none of
   * Node's own: neither promises nor process.nextTick have their turn behind it, and nobody hears what it throws.
   */
  whenReadable(descriptor: number, onReadable: () => void): Polled {
    return koffi.node.poll(descriptor, { readable: true }, onReadable)
  },
  /** `messages`: struct mmsghdr, `most` of them. */
  recvmmsg: (descriptor: number, messages: FixedMemory, most: number, flags: number): number =>
    answer(c.recvmmsg(descriptor, messages.address, most, flags, null)),
  listen: (descriptor: number, backlog: number): number => answer(c.listen(descriptor, backlog)),
  /** Fills in the other side's address. */
  accept: (descriptor: number, address: Uint8Array, flags: number): number =>
    answer(c.accept4(descriptor, address, lengthOf(address), flags)),
  /** On a thread of Node's pool: closing a packet socket waits until no processor looks at it any more (synchronize_net). */
  closeInBackground(descriptor: number): void {
    c.close.async(descriptor, () => {})
  },
  /** Memory that the descriptor's owner shares with us: its address, or a negated errno. */
  map(descriptor: number, size: number): FixedMemory | number {
    const result = c.mmap(null, size, PROT_READ_WRITE, MAP_SHARED, descriptor, 0)
    if (Number(result) === MAP_FAILED) return -koffi.errno()
    const address = BigInt(result)
    return { address, bytes: new Uint8Array(koffi.view(address, size)) }
  },
  /** Its bytes must not be touched any more. */
  unmap: ({ address, bytes }: FixedMemory): number => answer(c.munmap(address, bytes.length)),
  /** A file system of this type that is to be mounted. */
  fsopen: (type: string, flags: number): number => answer(mounting.fsopen?.(type, flags) ?? -1),
  /** A command of FSCONFIG_CMD_*, which has neither key nor value. */
  fsconfig: (context: number, command: number): number =>
    answer(mounting.fsconfig?.(context, command, null, null, 0) ?? -1),
  /** A descriptor of the mount, which stands nowhere and goes with it. */
  fsmount: (context: number, flags: number, attributes: number): number =>
    answer(mounting.fsmount?.(context, flags, attributes) ?? -1),
  shutdown: (descriptor: number, how: number): number => answer(c.shutdown(descriptor, how)),
  getsockopt: (descriptor: number, level: number, option: number, value: Uint8Array): number =>
    answer(c.getsockopt(descriptor, level, option, value, lengthOf(value))),
  /** Gives back to the system what the C library has free, malloc_trim(3). */
  trimMemory(): void {
    mallocTrim?.(0)
  },
}

/** socklen_t, which the call writes over. */
function lengthOf({ length }: Uint8Array): Uint8Array {
  return new Uint8Array(Uint32Array.of(length).buffer)
}

function answer(result: number): number {
  return result < 0 ? -koffi.errno() : result
}
