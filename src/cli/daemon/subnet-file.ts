/** subnet.env on disk. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { files } from '../../linux/files.ts'
import type { SubnetFileAccess } from '../../overlay/subnet-writer.ts'

/** For all to read: plugins may run as anybody. */
const MODE = 0o644

export function subnetFileAt(path: string): SubnetFileAccess & { remove(): void } {
  return {
    read() {
      try {
        return readFileSync(path, 'utf8')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw new Error(`Cannot read "${path}": ${(error as Error).message}`, { cause: error })
      }
    },
    write(text) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
      files.replace(path, text, MODE)
    },
    remove: () => rmSync(path, { force: true }),
  }
}
