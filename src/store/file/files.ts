/** What a store in a directory asks of files. node-files.ts does it in Node; a plugin's executable has its own way. */

export interface StoreFiles {
  /** And those above it. One that is there is no error. */
  makeDirectory(path: string, mode: number): void
  /** Undefined when there is none. */
  openLog(path: string): LogFile | undefined
  /** Replaces the file in one step: whoever reads sees the old text or the new one. One caller at a time. */
  replace(path: string, text: string, mode: number): void
  /** Takes the file's exclusive flock(2), which ends with the process. Undefined while somebody else holds it. */
  tryLock(path: string, mode: number): { release(): void } | undefined
}

export interface LogFile {
  /** The first line, and where it ends; undefined when there is no complete one. */
  first(): { readonly line: string; readonly end: number } | undefined
  /** The complete lines from this byte on, and where they end: what stands behind is being written, or never was finished. */
  lines(from: number): { readonly lines: readonly string[]; readonly end: number }
  /** Writes the text at `end`, in place of what stands there: all of it, or the file is as it was. Answers the new end. */
  append(end: number, text: string): number
  /** Whether the path still leads to this file. */
  isCurrent(): boolean
  close(): void
}
