/** What a path leads to, asked without fear. */
import { KernelError } from '../kernel/errors.ts'
import type { FileStatus, Files, Host } from './host.ts'

/** Undefined where there is nothing, or nothing that we may look at. */
export function statusOf(path: string, { files }: Host): FileStatus | undefined {
  try {
    return files.status(path)
  } catch (error) {
    if (error instanceof KernelError) return undefined
    throw error
  }
}

/** Whether both are the same file, whatever their paths. False where either is not there. */
export function sameFile(a: FileStatus | undefined, b: FileStatus | undefined): boolean {
  return a !== undefined && b !== undefined && a.device === b.device && a.inode === b.inode
}

/** What keeps a directory from being made: a file by its name, or by the name of one above it. Undefined when nothing does. */
export function obstacleTo(directory: string, files: Files): string | undefined {
  let path = directory
  while (path !== '' && !files.status(path)) path = path.slice(0, path.lastIndexOf('/'))
  return path !== '' && files.status(path)!.kind !== 'directory' ? path : undefined
}
