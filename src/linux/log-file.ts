/** A file of lines that grows at its end, as cni/host.ts describes it. */
import { sys } from '#sys'
import { ENOENT, succeed } from './errno.ts'
import { O_APPEND, O_CLOEXEC, O_RDONLY, O_RDWR } from './fcntl.ts'
import { closing, files, readAll, writeAll } from './files.ts'

const NEWLINE = 0x0a

/** Undefined when there is none. */
export function openLog(path: string) {
  const file = sys.open(path, O_RDWR | O_APPEND | O_CLOEXEC, 0)
  if (file === -ENOENT) return undefined
  succeed(file, `open "${path}"`)
  const own = `/proc/self/fd/${file}`
  // As long as it is open no other file gets its number.
  const status = files.status(own)

  /** All of it: opened once more, it is read from its beginning. */
  const read = () => {
    const reader = succeed(sys.open(own, O_RDONLY | O_CLOEXEC, 0), `read "${path}"`)
    return closing(reader, () => readAll(reader, 'file', `read "${path}"`))
  }

  return {
    first() {
      const bytes = read()
      const length = bytes.indexOf(NEWLINE)
      return length < 0 ? undefined : { line: sys.decode(bytes.subarray(0, length)), end: length + 1 }
    },

    lines(from: number) {
      const bytes = read()
      const end = Math.max(from, bytes.lastIndexOf(NEWLINE) + 1)
      const lines = sys.decode(bytes.subarray(from, end)).split('\n').slice(0, -1)
      return { lines, end }
    },

    append(end: number, text: string) {
      const bytes = sys.encode(text)
      succeed(sys.ftruncate(file, end), `write to "${path}"`)
      try {
        writeAll(file, bytes, `write to "${path}"`)
      } catch (error) {
        sys.ftruncate(file, end)
        throw error
      }
      return end + bytes.length
    },

    isCurrent() {
      const now = files.status(path)
      return now !== undefined && now.inode === status?.inode && now.device === status.device
    },

    close: () => void sys.close(file),
  }
}
