/** The files of a store, by Node; flock(2), which Node does not have, by whoever opens the store. */
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
  writeSync,
} from 'node:fs'
import type { LogFile, StoreFiles } from './files.ts'

const NEWLINE = 0x0a
/** Bytes; lines.ts writes less than a hundred. */
const LONGEST_FIRST_LINE = 1024

export function nodeFiles(tryLock: StoreFiles['tryLock']): StoreFiles {
  return {
    tryLock,

    makeDirectory(path, mode) {
      mkdirSync(path, { recursive: true, mode })
    },

    openLog(path) {
      const file = unlessMissing(() => openSync(path, 'r+'))
      return file === undefined ? undefined : logFile(path, file)
    },

    replace(path, text, mode) {
      const beside = `${path}.new`
      rmSync(beside, { force: true }) // of one that was killed on the way
      const file = openSync(beside, 'wx', mode)
      try {
        writeFileSync(file, text)
        fsyncSync(file) // or a crash of the machine might leave the new name and no text
        renameSync(beside, path)
      } finally {
        closeSync(file)
      }
    },
  }
}

function logFile(path: string, file: number): LogFile {
  // As long as it is open no other file gets its number.
  const { dev, ino } = fstatSync(file, { bigint: true })

  return {
    first() {
      const bytes = Buffer.alloc(LONGEST_FIRST_LINE)
      const length = bytes.subarray(0, readSync(file, bytes, 0, bytes.length, 0)).indexOf(NEWLINE)
      return length < 0 ? undefined : { line: bytes.toString('utf8', 0, length), end: length + 1 }
    },

    lines(from) {
      const bytes = Buffer.alloc(Math.max(0, fstatSync(file).size - from))
      const read = readSync(file, bytes, 0, bytes.length, from)
      const length = bytes.subarray(0, read).lastIndexOf(NEWLINE) + 1
      const text = bytes.toString('utf8', 0, length)
      return { lines: text.split('\n').slice(0, -1), end: from + length }
    },

    append(end, text) {
      const bytes = Buffer.from(text, 'utf8')
      try {
        ftruncateSync(file, end)
        if (writeSync(file, bytes, 0, bytes.length, end) < bytes.length) throw new Error('the disk is full')
      } catch (error) {
        ftruncateSync(file, end)
        throw error
      }
      return end + bytes.length
    },

    isCurrent() {
      const now = unlessMissing(() => statSync(path, { bigint: true }))
      return now?.ino === ino && now.dev === dev
    },

    close: () => closeSync(file),
  }
}

export interface DirectoryWatch {
  /** Whether the path still leads to the directory that is watched. */
  isCurrent(): boolean
  close(): void
}

/** By inotify(7). `changed` is also called when the directory itself goes. */
export function watchDirectory(path: string, changed: () => void): DirectoryWatch {
  const watcher = watch(path, changed)
  watcher.on('error', changed)
  const { dev, ino } = statSync(path, { bigint: true })
  return {
    isCurrent() {
      const now = unlessMissing(() => statSync(path, { bigint: true }))
      return now?.ino === ino && now.dev === dev
    },
    close: () => watcher.close(),
  }
}

function unlessMissing<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
