/** A store in a directory, for tests. What it cannot read fails them, unless they say otherwise. */
import { files } from '../../src/linux/files.ts'
import { type FileStoreOptions, fileStore } from '../../src/store/file/file.ts'
import { nodeFiles } from '../../src/store/file/node-files.ts'
import type { Store } from '../../src/store/store.ts'
import { systemClock } from '../../src/store/system-clock.ts'

export function openDirectory(directory: string, options: Partial<FileStoreOptions> = {}): Store {
  const report = (problem: string) => {
    throw new Error(problem)
  }
  return fileStore({ directory, files: nodeFiles(files.tryLock), clock: systemClock, report, ...options })
}
