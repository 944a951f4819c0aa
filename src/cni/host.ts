/**
 * What a plugin reaches outside of the kernel interface: its environment, stdin and stdout, files, time, chance, and
 * other programs. The entry in cni-bin passes the real one; a test passes what it likes.
 */

export interface Host {
  readonly environment: Readonly<Record<string, string>>
  /** All of stdin: waits for its end. */
  readStdin(): Uint8Array
  /** Whether stdin has something to read, or is at its end, before the time is over. Nobody types into a plugin. */
  stdinIsReady(milliseconds: number): boolean
  writeStdout(text: string): void
  writeStderr(text: string): void
  exit(status: number): never
  readonly files: Files
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds from some start, never going back: for timeouts. */
  monotonic(): number
  /** Milliseconds. In the model its events go on meanwhile. */
  sleep(milliseconds: number): void
  random(length: number): Uint8Array
  encode(text: string): Uint8Array
  decode(bytes: Uint8Array): string
  /** Path of the running executable's own file. */
  executable(): string
  /** Runs a program to its end, without a shell. Its stderr goes to ours too. KernelError when it cannot be started. */
  run(
    path: string,
    argv: readonly string[],
    options: { readonly environment: Readonly<Record<string, string>>; readonly stdin: Uint8Array },
  ): ProgramResult
  /**
   * Connects to the unix socket at the path, writes the line, and answers the line that comes back, both without their ends.
   * KernelError: ENOENT or ECONNREFUSED when nobody listens there, ETIMEDOUT when no answer comes in time.
   */
  ask(path: string, line: string, milliseconds: number): string
}

export interface ProgramResult {
  /** Exit status, or 128 and the number of the signal that ended it. */
  readonly status: number
  readonly stdout: Uint8Array
  readonly stderr: Uint8Array
}

export interface FileStatus {
  readonly kind: 'file' | 'directory' | 'link' | 'other'
  readonly size: number
  /** Device and inode: the same for two names of one file. */
  readonly device: bigint
  readonly inode: bigint
  /** Nanoseconds since the epoch. */
  readonly modified: bigint
  readonly mode: number
}

/** Files hold text here. Other errors than those named are KernelError with their errno. */
export interface Files {
  /** Undefined when there is no such file. */
  read(path: string): string | undefined
  /** Writes over the file in place, creating it with `mode` where it is not there. */
  write(path: string, text: string, mode: number): void
  /** Replaces the file in one step: whoever reads sees the old text or the new one. */
  replace(path: string, text: string, mode: number): void
  /** Creates the file with its text in one step: nobody sees it empty. False when the name is taken. */
  create(path: string, text: string, mode: number): boolean
  /** False when there was none. */
  remove(path: string): boolean
  /** False when there was none. The directory must be empty. */
  removeDirectory(path: string): boolean
  rename(from: string, to: string): void
  /** Names in the directory, in no order, without `.` and `..`; undefined when there is none. */
  list(directory: string): string[] | undefined
  /** Makes the directory and those above it. */
  makeDirectory(path: string, mode: number): void
  /** Follows symbolic links. Undefined when there is nothing. */
  status(path: string): FileStatus | undefined
  /** Takes the file's exclusive flock(2), waiting for it; creates the file with `mode`. The kernel releases it when the process dies. */
  lock(path: string, mode: number): { release(): void }
  /** A file of lines that grows at its end; undefined when there is none. */
  openLog(path: string): LogFile | undefined
}

/** Offsets are bytes. */
export interface LogFile {
  /** The first line, and where it ends; undefined when there is no complete one. */
  first(): { readonly line: string; readonly end: number } | undefined
  /** The complete lines from this byte on, and where they end. */
  lines(from: number): { readonly lines: readonly string[]; readonly end: number }
  /** Writes the text at `end`, in place of what stands there: all of it, or the file is as it was. Answers the new end. */
  append(end: number, text: string): number
  /** Whether the path still leads to this file. */
  isCurrent(): boolean
  close(): void
}
