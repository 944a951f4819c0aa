/**
 * The system calls of a data path: memory is named by its address, and nothing is made or copied on the way. Node only, by
 * koffi. They answer as those of Sys do; see sys.ts.
 *
 * Nobody checks an address. The memory must be the caller's, and must not move: arena.ts in src/overlay/udp.
 */
import koffi from 'koffi'

const libc = koffi.load(null)

/** The C function, answering as the kernel does. */
function call(prototype: string): (...values: number[]) => number {
  const invoke: (...values: number[]) => number = libc.func(prototype)
  return (...values) => {
    const result = invoke(...values)
    return result < 0 ? -koffi.errno() : result
  }
}

export const addressed = {
  read: call('int64_t read(int, uintptr_t, size_t)') as (fd: number, to: number, length: number) => number,
  writev: call('int64_t writev(int, uintptr_t, int)') as (fd: number, iovecs: number, count: number) => number,
  sendmmsg: call('int sendmmsg(int, uintptr_t, unsigned int, int)') as (
    fd: number,
    messages: number,
    count: number,
    flags: number,
  ) => number,
  recvmmsg: call('int recvmmsg(int, uintptr_t, unsigned int, int, uintptr_t)') as (
    fd: number,
    messages: number,
    count: number,
    flags: number,
    timeout: number,
  ) => number,
  sendto: call('int64_t sendto(int, uintptr_t, size_t, int, uintptr_t, uint32_t)') as (
    fd: number,
    bytes: number,
    length: number,
    flags: number,
    address: number,
    addressLength: number,
  ) => number,
  poll: call('int poll(uintptr_t, unsigned long, int)') as (fds: number, count: number, timeout: number) => number,
}

/** Where these bytes are. Only of memory that does not move, such as WebAssembly's of a fixed size. */
export function addressOf(bytes: Uint8Array): number {
  return Number(koffi.address(bytes))
}
