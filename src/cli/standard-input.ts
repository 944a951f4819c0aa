/** Standard input of this process, to its end, without waking the event loop: stdin(3). */
import { readSync } from 'node:fs'

const STDIN = 0
const CHUNK = 65_536

/** Milliseconds between two looks at an input that somebody else has made non-blocking: open(2), O_NONBLOCK. */
const LOOK_AGAIN = 5

/** All that is left of it, as text. */
export function readStandardInput(): string {
  const chunks: Buffer[] = []
  for (let chunk = readChunk(); chunk.length > 0; chunk = readChunk()) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

/** Empty at the end. */
function readChunk(): Buffer {
  const buffer = Buffer.alloc(CHUNK)
  for (;;) {
    try {
      return buffer.subarray(0, readSync(STDIN, buffer))
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EOF') return buffer.subarray(0, 0) // Windows says so of a pipe that was closed
      if (code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_AGAIN)
    }
  }
}
