/**
 * The system calls of a data path: memory is named by its address, and nothing is made or copied on the way. Node only, by
 * koffi. They answer as those of Sys do; see sys.ts.
 *
 * Nobody checks an address. The memory must be the caller's, and must not move: arena.ts in src/overlay/udp.
 */
import koffi from 'koffi'

const libc = koffi.load(null)

const c = {
  read: libc.func('int64_t read(int, uintptr_t, size_t)'),
  writev: libc.func('int64_t writev(int, uintptr_t, int)'),
  sendmmsg: libc.func('int sendmmsg(int, uintptr_t, unsigned int, int)'),
  recvmmsg: libc.func('int recvmmsg(int, uintptr_t, unsigned int, int, uintptr_t)'),
  sendto: libc.func('int64_t sendto(int, uintptr_t, size_t, int, uintptr_t, uint32_t)'),
  poll: libc.func('int poll(uintptr_t, unsigned long, int)'),
}

export const addressed = {
  read: (fd: number, to: number, length: number): number => answer(c.read(fd, to, length)),
  writev: (fd: number, iovecs: number, count: number): number => answer(c.writev(fd, iovecs, count)),
  sendmmsg: (fd: number, messages: number, count: number, flags: number): number =>
    answer(c.sendmmsg(fd, messages, count, flags)),
  recvmmsg: (fd: number, messages: number, count: number, flags: number): number =>
    answer(c.recvmmsg(fd, messages, count, flags, 0)),
  sendto: (fd: number, from: number, length: number, flags: number, address: number, addressLength: number): number =>
    answer(c.sendto(fd, from, length, flags, address, addressLength)),
  /** Milliseconds; -1 waits for ever. */
  poll: (fds: number, count: number, timeout: number): number => answer(c.poll(fds, count, timeout)),
}

/** Where these bytes are. Only of memory that does not move, such as WebAssembly's of a fixed size. */
export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes))
}

function answer(result: number): number {
  return result < 0 ? -koffi.errno() : result
}
