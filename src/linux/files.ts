/**
 * Files as a plugin uses them: small, read and written whole, found by others at any moment, also while we are killed.
 *
 *   create    O_TMPFILE makes a file without a name, linkat(2) gives it one: with its text, or not at all
 *   replace   a file beside it, then rename(2)
 *   lock      flock(2): the kernel lets go of it when the process ends, however it ends
 *
 * No fsync: these files tell what containers run now, and after a crash of the machine none does.
 */
import { sys } from '#sys'
import { KernelError } from '../kernel/errors.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { EAGAIN, EEXIST, EINTR, EINVAL, EISDIR, ENOENT, ENOTDIR, EOPNOTSUPP, succeed } from './errno.ts'
import {
  LOCK_EX,
  LOCK_NB,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
} from './fcntl.ts'

const AT_SYMLINK_FOLLOW = 0x400
const POLLIN = 1
const POLLOUT = 4

/** Nobody but owner and group writes to what we make, whatever the umask is. */
const NOT_FOR_ALL = ~0o002

/** S_IFMT and the kinds below it, linux/stat.h. */
const S_IFMT = 0o170000
const KINDS: ReadonlyMap<number, FileStatus['kind']> = new Map([
  [0o040000, 'directory'],
  [0o100000, 'file'],
  [0o120000, 'link'],
])
const STATX_SIZE = 256
const READ_SIZE = 4096
const LIST_SIZE = 32768
/** struct linux_dirent64: inode (8), offset (8), record length (2), type (1), then the name. */
const DIRENT_TYPE = 18
const DT_DIR = 4
const DIRENT_NAME = 19

export interface FileStatus {
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly size: number
  readonly device: bigint
  readonly inode: bigint
  /** Nanoseconds since the epoch. */
  readonly modified: bigint
  readonly mode: number
}

/** What cni/host.ts asks of files; the promises are told there. */
export const files = {
  read(path: string): string | undefined {
    const file = getFile(path, `read "${path}"`)
    return file === undefined ? undefined : closing(file, () => sys.decode(readAll(file, 'file', `read "${path}"`)))
  },

  write(path: string, text: string, mode: number): void {
    const file = openFile(path, O_WRONLY | O_CREAT | O_TRUNC, mode, `write "${path}"`)
    closing(file, () => writeAll(file, sys.encode(text), `write "${path}"`))
  },

  replace(path: string, text: string, mode: number): void {
    const beside = writeBeside(path, text, mode, `replace "${path}"`)
    const result = sys.rename(beside, path)
    if (result < 0) sys.unlink(beside)
    succeed(result, `replace "${path}"`)
  },

  create(path: string, text: string, mode: number): boolean {
    const call = `create "${path}"`
    const file = sys.open(parentOf(path), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode & NOT_FOR_ALL)
    // The file system has no O_TMPFILE, or the kernel does not know it.
    if (file === -EOPNOTSUPP || file === -EISDIR || file === -EINVAL) return createBeside(path, text, mode, call)
    succeed(file, call)
    const linked = closing(file, () => {
      writeAll(file, sys.encode(text), call)
      return sys.link(`/proc/self/fd/${file}`, path, AT_SYMLINK_FOLLOW)
    })
    if (linked === -ENOENT) return createBeside(path, text, mode, call) // no /proc here
    return isNew(linked, call)
  },

  remove: (path: string): boolean => isThere(sys.unlink(path), `remove "${path}"`),

  removeDirectory: (path: string): boolean => isThere(sys.rmdir(path), `remove directory "${path}"`),

  rename(from: string, to: string): void {
    succeed(sys.rename(from, to), `rename "${from}" to "${to}"`)
  },

  list(directory: string): string[] | undefined {
    const call = `list "${directory}"`
    const file = getFile(directory, call)
    return file === undefined ? undefined : closing(file, () => readDirectory(file, call))
  },

  makeDirectory(path: string, mode: number): void {
    const call = `make directory "${path}"`
    let result = sys.mkdir(path, mode & NOT_FOR_ALL)
    if (result === -ENOENT && parentOf(path) !== path) {
      files.makeDirectory(parentOf(path), mode)
      result = sys.mkdir(path, mode & NOT_FOR_ALL)
    }
    if (result === -EEXIST) {
      if (files.status(path)?.kind !== 'directory') throw new KernelError('ENOTDIR', call)
      return
    }
    succeed(result, call)
  },

  status(path: string): FileStatus | undefined {
    const bytes = new Uint8Array(STATX_SIZE)
    return isThere(sys.statx(path, 0, bytes), `look at "${path}"`) ? decodeStatus(bytes) : undefined
  },

  lock(path: string, mode: number): { release(): void } {
    return takeLock(path, mode, LOCK_EX)!
  },

  /** As lock, but undefined while somebody else holds it. */
  tryLock(path: string, mode: number): { release(): void } | undefined {
    return takeLock(path, mode, LOCK_EX | LOCK_NB)
  },
}

function takeLock(path: string, mode: number, operation: number): { release(): void } | undefined {
  const call = `lock "${path}"`
  let file: number | undefined = openFile(path, O_RDWR | O_CREAT, mode, call)
  let result: number
  do result = sys.flock(file, operation)
  while (result === -EINTR)
  if (result < 0) sys.close(file)
  if (result === -EAGAIN) return undefined
  succeed(result, call)
  return {
    release() {
      if (file !== undefined) sys.close(file)
      file = undefined
    },
  }
}

/**
 * All that can still be read from the descriptor. Of a file, a read that does not fill the buffer is the last one; of a
 * pipe, only one that brings nothing.
 */
export function readAll(descriptor: number, kind: 'file' | 'pipe', call: string): Uint8Array {
  let bytes = new Uint8Array(READ_SIZE)
  let length = 0
  for (;;) {
    const room = bytes.length - length
    const result = sys.read(descriptor, bytes.subarray(length))
    if (result === -EAGAIN) {
      waitFor(descriptor, POLLIN)
      continue
    }
    const count = succeed(result, call)
    length += count
    if (count === 0 || (kind === 'file' && count < room)) return bytes.subarray(0, length)
    if (count < room) continue
    const grown = new Uint8Array(2 * length)
    grown.set(bytes)
    bytes = grown
  }
}

export function writeAll(descriptor: number, bytes: Uint8Array, call: string): void {
  let rest = bytes
  while (rest.length > 0) {
    const result = sys.write(descriptor, rest, rest.length)
    if (result === -EAGAIN) waitFor(descriptor, POLLOUT)
    else rest = rest.subarray(succeed(result, call))
  }
}

/** Waits until the descriptor is ready: a pipe that somebody gave us may have been set not to block. */
function waitFor(descriptor: number, events: number): void {
  const pollfd = new DataView(new ArrayBuffer(8))
  pollfd.setInt32(0, descriptor, LITTLE_ENDIAN)
  pollfd.setInt16(4, events, LITTLE_ENDIAN)
  sys.poll(new Uint8Array(pollfd.buffer), -1)
}

/** Does with the open descriptor what is to be done, and closes it. */
export function closing<T>(descriptor: number, use: (descriptor: number) => T): T {
  try {
    return use(descriptor)
  } finally {
    sys.close(descriptor)
  }
}

function openFile(path: string, flags: number, mode: number, call: string): number {
  return succeed(sys.open(path, flags | O_CLOEXEC, mode & NOT_FOR_ALL), call)
}

/** Undefined when there is no such file. */
function getFile(path: string, call: string): number | undefined {
  const file = sys.open(path, O_RDONLY | O_CLOEXEC, 0)
  return isThere(file, call) ? file : undefined
}

/** As create, by way of a file beside it. */
function createBeside(path: string, text: string, mode: number, call: string): boolean {
  const beside = writeBeside(path, text, mode, call)
  const linked = sys.link(beside, path, 0)
  sys.unlink(beside)
  return isNew(linked, call)
}

/** A file in the same directory with this text; its path. */
function writeBeside(path: string, text: string, mode: number, call: string): string {
  for (let attempt = 0; ; attempt++) {
    const beside = `${path}.${sys.getpid()}-${attempt}`
    const file = sys.open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & NOT_FOR_ALL)
    if (file === -EEXIST) continue // of a process that was killed and had our number
    succeed(file, call)
    try {
      closing(file, () => writeAll(file, sys.encode(text), call))
      return beside
    } catch (error) {
      sys.unlink(beside)
      throw error
    }
  }
}

function readDirectory(file: number, call: string): string[] {
  return readEntries(file, call).map(({ name }) => name)
}

/** What stands in a directory that is open. */
export function readEntries(file: number, call: string): { name: string; isDirectory: boolean }[] {
  const entries: { name: string; isDirectory: boolean }[] = []
  const bytes = new Uint8Array(LIST_SIZE)
  const view = new DataView(bytes.buffer)
  for (;;) {
    const length = succeed(sys.getdents64(file, bytes), call)
    if (length === 0) return entries
    for (let at = 0; at < length; at += view.getUint16(at + 16, LITTLE_ENDIAN)) {
      const name = sys.decode(bytes.subarray(at + DIRENT_NAME, bytes.indexOf(0, at + DIRENT_NAME)))
      if (name !== '.' && name !== '..') entries.push({ name, isDirectory: bytes[at + DIRENT_TYPE] === DT_DIR })
    }
  }
}

/** struct statx, linux/stat.h. */
function decodeStatus(bytes: Uint8Array): FileStatus {
  const view = new DataView(bytes.buffer)
  const mode = view.getUint16(0x1c, LITTLE_ENDIAN)
  return {
    kind: KINDS.get(mode & S_IFMT) ?? 'other',
    size: Number(view.getBigUint64(0x28, LITTLE_ENDIAN)),
    device: (BigInt(view.getUint32(0x88, LITTLE_ENDIAN)) << 32n) | BigInt(view.getUint32(0x8c, LITTLE_ENDIAN)),
    inode: view.getBigUint64(0x20, LITTLE_ENDIAN),
    modified: view.getBigInt64(0x70, LITTLE_ENDIAN) * 1_000_000_000n + BigInt(view.getUint32(0x78, LITTLE_ENDIAN)),
    mode: mode & ~S_IFMT,
  }
}

/** Whether the call found what it was to work on. KernelError when it failed otherwise. */
function isThere(result: number, call: string): boolean {
  if (result === -ENOENT || result === -ENOTDIR) return false
  succeed(result, call)
  return true
}

/** Whether the name was free. */
function isNew(result: number, call: string): boolean {
  if (result === -EEXIST) return false
  succeed(result, call)
  return true
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash > 0 ? path.slice(0, slash) : slash === 0 ? '/' : '.'
}
