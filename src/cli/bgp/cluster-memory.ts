/** What the store of a cluster said last, in a file: a node that begins while the store is away goes by it. */
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClusterMemory } from '../../cluster/members.ts'
import { files } from '../../linux/files.ts'

const NAME = 'cluster.json'
const MODE = 0o600

export function clusterMemoryIn(directory: string): ClusterMemory {
  const path = join(directory, NAME)
  return {
    read() {
      try {
        return readFileSync(path, 'utf8')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
    },
    write(text) {
      mkdirSync(directory, { recursive: true, mode: 0o755 })
      files.replace(path, text, MODE)
    },
  }
}
