/** A file tree that lives in memory: what a host without a disk has for files. */
import type { FileStatus, Files } from '../cni/host.ts'
import { KernelError } from '../kernel/errors.ts'

export interface MemoryFiles extends Files {
  /** Paths that are locked now. */
  readonly locks: ReadonlySet<string>
  /** Every file with its text, by path. */
  tree(): Record<string, string>
  /** Gives a file that is there a further name: a hard link. */
  link(from: string, to: string): void
}

interface Entry {
  readonly kind: 'file' | 'directory'
  text: string
  mode: number
  readonly inode: bigint
  modified: bigint
}

const DEVICE = 1n
const NEWLINE = 0x0a

/** `now` gives milliseconds since the epoch: files have times. */
export function memoryFiles(now: () => number): MemoryFiles {
  const entries = new Map<string, Entry>()
  const locks = new Set<string>()
  const encoder = new TextEncoder()
  let inodes = 0n

  const stamp = () => BigInt(now()) * 1_000_000n + inodes++
  const parent = (path: string) => path.slice(0, path.lastIndexOf('/')) || '/'

  function put(path: string, text: string, mode: number, call: string): Entry {
    if (entries.get(parent(path))?.kind !== 'directory') throw new KernelError('ENOENT', `${call} "${path}"`)
    if (entries.get(path)?.kind === 'directory') throw new KernelError('EISDIR', `${call} "${path}"`)
    const entry: Entry = { kind: 'file', text, mode, inode: ++inodes, modified: stamp() }
    entries.set(path, entry)
    entries.get(parent(path))!.modified = stamp()
    return entry
  }

  function makeDirectory(path: string, mode: number): void {
    const there = entries.get(path)
    if (there?.kind === 'file') throw new KernelError('ENOTDIR', `make directory "${path}"`)
    if (there) return
    if (path !== '/') makeDirectory(parent(path), mode)
    entries.set(path, { kind: 'directory', text: '', mode, inode: ++inodes, modified: stamp() })
  }

  function list(directory: string): string[] | undefined {
    const there = entries.get(directory)
    if (there?.kind === 'file') throw new KernelError('ENOTDIR', `list "${directory}"`)
    if (!there) return undefined
    const prefix = directory === '/' ? '/' : `${directory}/`
    return [...entries.keys()]
      .filter((path) => path !== '/' && path.startsWith(prefix) && !path.slice(prefix.length).includes('/'))
      .map((path) => path.slice(prefix.length))
  }

  function remove(path: string, kind: Entry['kind'], wrongKind: string): boolean {
    const there = entries.get(path)
    if (!there) return false
    if (there.kind !== kind) throw new KernelError(wrongKind, `remove "${path}"`)
    entries.delete(path)
    entries.get(parent(path))!.modified = stamp()
    return true
  }

  makeDirectory('/', 0o755)

  return {
    read(path) {
      const there = entries.get(path)
      if (there?.kind === 'directory') throw new KernelError('EISDIR', `read "${path}"`)
      return there?.text
    },
    write(path, text, mode) {
      const there = entries.get(path)
      if (there?.kind !== 'file') {
        put(path, text, mode, 'write')
        return
      }
      there.text = text
      there.modified = stamp()
    },
    replace(path, text, mode) {
      put(path, text, mode, 'replace')
    },
    create(path, text, mode) {
      if (entries.has(path)) return false
      put(path, text, mode, 'create')
      return true
    },
    remove: (path) => remove(path, 'file', 'EISDIR'),
    removeDirectory(path) {
      if (list(path)?.length) throw new KernelError('ENOTEMPTY', `remove directory "${path}"`)
      return remove(path, 'directory', 'ENOTDIR')
    },
    rename(from, to) {
      if (!entries.has(from)) throw new KernelError('ENOENT', `rename "${from}"`)
      if (entries.get(parent(to))?.kind !== 'directory') throw new KernelError('ENOENT', `rename "${from}" to "${to}"`)
      if (entries.get(to)?.kind === 'directory' && list(to)!.length > 0)
        throw new KernelError('ENOTEMPTY', `rename "${from}" to "${to}"`)
      for (const [path, entry] of [...entries]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue
        entries.delete(path)
        entries.set(to + path.slice(from.length), entry)
      }
      for (const directory of [parent(from), parent(to)]) entries.get(directory)!.modified = stamp()
    },
    list,
    makeDirectory,
    status(path): FileStatus | undefined {
      const there = entries.get(path)
      if (!there) return undefined
      const { kind, inode, modified, mode } = there
      return { kind, inode, modified, mode, device: DEVICE, size: encoder.encode(there.text).length }
    },
    lock(path, mode) {
      if (locks.has(path)) throw new Error(`Deadlock: "${path}" is locked by this very process`)
      if (!entries.has(path)) put(path, '', mode, 'lock')
      locks.add(path)
      return {
        release() {
          locks.delete(path)
        },
      }
    },
    openLog(path) {
      const entry = entries.get(path)
      if (!entry) return undefined
      const bytes = () => encoder.encode(entry.text)
      const decoder = new TextDecoder()
      return {
        first() {
          const length = bytes().indexOf(NEWLINE)
          return length < 0 ? undefined : { line: decoder.decode(bytes().subarray(0, length)), end: length + 1 }
        },
        lines(from) {
          const end = Math.max(from, bytes().lastIndexOf(NEWLINE) + 1)
          return { lines: decoder.decode(bytes().subarray(from, end)).split('\n').slice(0, -1), end }
        },
        append(end, text) {
          entry.text = decoder.decode(bytes().subarray(0, end)) + text
          entry.modified = stamp()
          return bytes().length
        },
        isCurrent: () => entries.get(path) === entry,
        close() {},
      }
    },
    locks,
    tree: () =>
      Object.fromEntries(
        [...entries].filter(([, { kind }]) => kind === 'file').map(([path, { text }]) => [path, text]),
      ),
    link(from, to) {
      const there = entries.get(from)
      if (!there) throw new KernelError('ENOENT', `link "${from}" to "${to}"`)
      entries.set(to, there)
    },
  }
}
