/** The system calls under Node: koffi calls the C library. `#sys` leads here; see sys.ts for what each call promises. */
import { spawnSync } from 'node:child_process'
import { realpathSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import koffi from 'koffi'
import type { Sys } from './sys.ts'

const AT_FDCWD = -100
/** STATX_BASIC_STATS, linux/stat.h. */
const STATX_BASIC_STATS = 0x7ff
const STATX_SIZE = 256
const POLLFD_SIZE = 8

const libc = koffi.load(null)

/** The C function, answering as the kernel does: the result, or the negated errno. */
function call(prototype: string): (...values: (number | string | Uint8Array)[]) => number {
  const invoke = libc.func(prototype)
  return (...values) => {
    const result = Number(invoke(...values))
    return result < 0 ? -koffi.errno() : result
  }
}

const c = {
  socket: call('int socket(int, int, int)'),
  bind: call('int bind(int, const uint8_t *, uint32_t)'),
  connect: call('int connect(int, const uint8_t *, uint32_t)'),
  getsockname: call('int getsockname(int, uint8_t *, uint8_t *)'),
  send: call('int64_t send(int, const uint8_t *, size_t, int)'),
  sendto: call('int64_t sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)'),
  recv: call('int64_t recv(int, uint8_t *, size_t, int)'),
  recvfrom: call('int64_t recvfrom(int, uint8_t *, size_t, int, uint8_t *, uint8_t *)'),
  setsockopt: call('int setsockopt(int, int, int, const uint8_t *, uint32_t)'),
  setns: call('int setns(int, int)'),
  unshare: call('int unshare(int)'),
  ioctl: call('int ioctl(int, unsigned long, uint8_t *)'),
  ioctlNumber: call('int ioctl(int, unsigned long, unsigned long)'),
  poll: call('int poll(uint8_t *, unsigned long, int)'),
  open: call('int open(const char *, int, uint32_t)'),
  close: call('int close(int)'),
  read: call('int64_t read(int, uint8_t *, size_t)'),
  write: call('int64_t write(int, const uint8_t *, size_t)'),
  fsync: call('int fsync(int)'),
  flock: call('int flock(int, int)'),
  ftruncate: call('int ftruncate(int, int64_t)'),
  fchmod: call('int fchmod(int, uint32_t)'),
  mkdir: call('int mkdir(const char *, uint32_t)'),
  rmdir: call('int rmdir(const char *)'),
  unlink: call('int unlink(const char *)'),
  rename: call('int rename(const char *, const char *)'),
  linkat: call('int linkat(int, const char *, int, const char *, int)'),
  readlink: call('int64_t readlink(const char *, uint8_t *, size_t)'),
  statx: call('int statx(int, const char *, int, unsigned int, uint8_t *)'),
  getdents64: call('int64_t getdents64(int, uint8_t *, size_t)'),
  mount: call('int mount(const char *, const char *, const char *, unsigned long, const char *)'),
  umount2: call('int umount2(const char *, int)'),
  getrandom: call('int64_t getrandom(uint8_t *, size_t, unsigned int)'),
  clockGettime: call('int clock_gettime(int, uint8_t *)'),
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

export const sys: Sys = {
  socket: c.socket,
  bind: (fd, address) => c.bind(fd, address, address.length),
  connect: (fd, address) => c.connect(fd, address, address.length),
  getsockname: (fd, address) => {
    const length = new Uint32Array([address.length])
    const result = c.getsockname(fd, address, bytesOf(length))
    return result < 0 ? result : length[0]!
  },
  send: (fd, bytes, length, flags) => c.send(fd, bytes, within(bytes, length), flags),
  sendto: (fd, bytes, length, flags, address) =>
    c.sendto(fd, bytes, within(bytes, length), flags, address, address.length),
  recv: (fd, bytes, flags) => c.recv(fd, bytes, bytes.length, flags),
  recvfrom: (fd, bytes, flags, address) =>
    c.recvfrom(fd, bytes, bytes.length, flags, address, bytesOf(new Uint32Array([address.length]))),
  setsockopt: (fd, level, option, value) => c.setsockopt(fd, level, option, value, value.length),
  setns: c.setns,
  unshare: c.unshare,
  ioctl: (fd, request, argument) =>
    typeof argument === 'number' ? c.ioctlNumber(fd, request, argument) : c.ioctl(fd, request, argument),
  poll: (fds, timeout) => c.poll(fds, Math.floor(fds.length / POLLFD_SIZE), timeout),
  open: (path, flags, mode) => c.open(whole(path), flags, mode),
  close: c.close,
  read: (fd, bytes) => c.read(fd, bytes, bytes.length),
  write: (fd, bytes, length) => c.write(fd, bytes, within(bytes, length)),
  fsync: c.fsync,
  flock: c.flock,
  ftruncate: c.ftruncate,
  fchmod: c.fchmod,
  mkdir: (path, mode) => c.mkdir(whole(path), mode),
  rmdir: (path) => c.rmdir(whole(path)),
  unlink: (path) => c.unlink(whole(path)),
  rename: (from, to) => c.rename(whole(from), whole(to)),
  link: (from, to, flags) => c.linkat(AT_FDCWD, whole(from), AT_FDCWD, whole(to), flags),
  readlink: (path, bytes) => c.readlink(whole(path), bytes, bytes.length),
  statx: (path, flags, bytes) => {
    within(bytes, STATX_SIZE)
    return c.statx(AT_FDCWD, whole(path), flags, STATX_BASIC_STATS, bytes)
  },
  getdents64: (fd, bytes) => c.getdents64(fd, bytes, bytes.length),
  mount: (source, target, type, flags, data) => c.mount(whole(source), whole(target), whole(type), flags, whole(data)),
  umount2: (target, flags) => c.umount2(whole(target), flags),
  getrandom: (bytes) => c.getrandom(bytes, bytes.length, 0),
  clock: (id) => {
    const time = new BigInt64Array(2) // struct timespec
    c.clockGettime(id, bytesOf(time))
    return time[0]! * 1_000_000_000n + time[1]!
  },
  sleep: (milliseconds) => {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds)
  },
  getpid: () => process.pid,
  encode: (text) => encoder.encode(text),
  decode: (bytes) => decoder.decode(bytes),
  environment: () => process.env as Record<string, string>,
  executable: () => realpathSync(process.argv[1] ?? process.execPath),
  run: (path, argv, environment, stdin) => {
    const { pid, status, signal, error, stdout, stderr } = spawnSync(
      path.includes('/') ? path : `./${path}`, // or else execvp(3) would search PATH
      argv.slice(1),
      { argv0: argv[0] ?? path, env: { ...environment }, input: stdin, maxBuffer: Infinity },
    )
    // An error with a process is EPIPE: the program did not read all of its stdin, as is its right.
    if (pid === 0 || !stdout) {
      const { errno } = error as NodeJS.ErrnoException
      return { status: errno ?? -constants.errno.ENOENT, stdout: new Uint8Array(), stderr: new Uint8Array() }
    }
    if (stderr.length > 0) writeSync(2, stderr)
    return { status: status ?? 128 + constants.signals[signal!], stdout, stderr }
  },
  exit: (status) => process.exit(status),
}

/** `length`, which must lie within the bytes. */
function within(bytes: Uint8Array, length: number): number {
  if (length >= 0 && length <= bytes.length) return length
  throw new RangeError(`Cannot use ${length} bytes of a buffer of ${bytes.length}`)
}

/** `text`, which must not have a NUL. */
function whole(text: string): string {
  if (!text.includes('\0')) return text
  throw new RangeError(`Cannot use "${text.replaceAll('\0', '\\0')}": it has a NUL in it`)
}

function bytesOf(array: Uint32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(array.buffer)
}
