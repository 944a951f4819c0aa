/** MRT files that are written beside a speaker, which must not wait for a disk. */
import { createWriteStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'

/** Octets that wait for the disk, above which records are left out. */
const MOST_WAITING = 16 << 20

/**
 * Writes one block after the other, and the loop turns in between. The file has its name when it is whole. Answers how many octets
 * it has.
 */
export async function writeMrtFile(path: string, blocks: Iterable<Uint8Array>): Promise<number> {
  const temporary = `${path}.${process.pid}`
  let octets = 0
  try {
    const file = await open(temporary, 'wx', 0o644)
    try {
      for (const block of blocks) {
        await file.writeFile(block)
        octets += block.length
      }
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    return octets
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

export interface MrtLogFile {
  /** Takes the record at once, or leaves it out. */
  write(record: Uint8Array): void
  /** When all is written. */
  close(): Promise<void>
}

/** Goes on behind what is there. `troubled` is told of what cannot be written, and of records that were left out. */
export function openMrtLog(path: string, troubled: (text: string) => void): MrtLogFile {
  const stream = createWriteStream(path, { flags: 'a', mode: 0o644 })
  let leftOut = 0
  let isBroken = false
  stream.on('error', ({ message }) => {
    isBroken = true
    troubled(`Cannot write "${path}": ${message}`)
  })
  stream.on('drain', () => {
    if (leftOut > 0) troubled(`"${path}": ${leftOut} records were left out, the disk was too slow`)
    leftOut = 0
  })
  return {
    write(record) {
      if (isBroken) return
      if (stream.writableLength > MOST_WAITING) leftOut++
      else stream.write(record)
    },
    close: () => new Promise((resolve) => (isBroken ? resolve() : stream.end(resolve))),
  }
}
