/**
 * A Host that lives in memory, for unit tests: a file tree, a clock that only `sleep` moves, chance that repeats, and programs
 * that are functions.
 */
import type { FileStatus, Host, ProgramResult } from '../../src/cni/host.ts'
import { KernelError } from '../../src/kernel/errors.ts'

/** What a program does, given its environment and stdin. */
export type Program = (environment: Readonly<Record<string, string>>, stdin: string) => Answer

interface Answer {
  readonly status?: number | undefined
  readonly stdout?: string
  readonly stderr?: string
}

export interface MemoryHostOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly stdin?: string | Uint8Array
  /** Path to text. The directories above are made. */
  readonly files?: Readonly<Record<string, string>>
  /** Path to program. */
  readonly programs?: Readonly<Record<string, Program>>
  /** Paths of further hard links to the running executable, such as `/opt/cni/bin/host-local`. */
  readonly ownNames?: readonly string[]
}

export interface MemoryHost extends Host {
  readonly stdout: string
  readonly stderr: string
  /** What exit was called with. */
  readonly exitStatus: number | undefined
  /** Programs that were run: path, CNI_COMMAND and stdin. */
  readonly runs: readonly { readonly path: string; readonly command: string | undefined; readonly stdin: string }[]
  /** Paths that are locked now. */
  readonly locks: ReadonlySet<string>
  /** Every file with its text, by path. */
  tree(): Record<string, string>
}

/** Thrown by exit, as the process would end there. */
export class Exit extends Error {
  override name = 'Exit'
}

interface Entry {
  readonly kind: 'file' | 'directory'
  text: string
  mode: number
  readonly inode: bigint
  modified: bigint
}

const EXECUTABLE = '/opt/cni/bin/overlab'
const DEVICE = 1n

export function memoryHost(options: MemoryHostOptions = {}): MemoryHost {
  const programs = options.programs ?? {}
  const entries = new Map<string, Entry>()
  const runs: { path: string; command: string | undefined; stdin: string }[] = []
  const locks = new Set<string>()
  const encoder = new TextEncoder()
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let stdout = ''
  let stderr = ''
  let exitStatus: number | undefined
  let milliseconds = 1_000_000
  let inodes = 0n
  let seed = 1

  const stamp = () => BigInt(milliseconds) * 1_000_000n + inodes++
  const parent = (path: string) => path.slice(0, path.lastIndexOf('/')) || '/'

  function put(path: string, text: string, mode: number, call: string): Entry {
    if (entries.get(parent(path))?.kind !== 'directory') throw new KernelError('ENOENT', `${call} "${path}"`)
    if (entries.get(path)?.kind === 'directory') throw new KernelError('EISDIR', `${call} "${path}"`)
    const entry: Entry = { kind: 'file', text, mode, inode: ++inodes, modified: stamp() }
    entries.set(path, entry)
    entries.get(parent(path))!.modified = stamp()
    return entry
  }

  function makeDirectory(path: string, mode: number): void {
    const there = entries.get(path)
    if (there?.kind === 'file') throw new KernelError('ENOTDIR', `make directory "${path}"`)
    if (there) return
    if (path !== '/') makeDirectory(parent(path), mode)
    entries.set(path, { kind: 'directory', text: '', mode, inode: ++inodes, modified: stamp() })
  }

  function list(directory: string): string[] | undefined {
    const there = entries.get(directory)
    if (there?.kind === 'file') throw new KernelError('ENOTDIR', `list "${directory}"`)
    if (!there) return undefined
    const prefix = directory === '/' ? '/' : `${directory}/`
    return [...entries.keys()]
      .filter((path) => path !== '/' && path.startsWith(prefix) && !path.slice(prefix.length).includes('/'))
      .map((path) => path.slice(prefix.length))
  }

  function remove(path: string, kind: Entry['kind'], wrongKind: string): boolean {
    const there = entries.get(path)
    if (!there) return false
    if (there.kind !== kind) throw new KernelError(wrongKind, `remove "${path}"`)
    entries.delete(path)
    entries.get(parent(path))!.modified = stamp()
    return true
  }

  const files: Host['files'] = {
    read(path) {
      const there = entries.get(path)
      if (there?.kind === 'directory') throw new KernelError('EISDIR', `read "${path}"`)
      return there?.text
    },
    write(path, text, mode) {
      const there = entries.get(path)
      if (there?.kind !== 'file') {
        put(path, text, mode, 'write')
        return
      }
      there.text = text
      there.modified = stamp()
    },
    replace(path, text, mode) {
      put(path, text, mode, 'replace')
    },
    create(path, text, mode) {
      if (entries.has(path)) return false
      put(path, text, mode, 'create')
      return true
    },
    remove: (path) => remove(path, 'file', 'EISDIR'),
    removeDirectory(path) {
      if (list(path)?.length) throw new KernelError('ENOTEMPTY', `remove directory "${path}"`)
      return remove(path, 'directory', 'ENOTDIR')
    },
    rename(from, to) {
      if (!entries.has(from)) throw new KernelError('ENOENT', `rename "${from}"`)
      if (entries.get(parent(to))?.kind !== 'directory') throw new KernelError('ENOENT', `rename "${from}" to "${to}"`)
      if (entries.get(to)?.kind === 'directory' && list(to)!.length > 0)
        throw new KernelError('ENOTEMPTY', `rename "${from}" to "${to}"`)
      for (const [path, entry] of [...entries]) {
        if (path !== from && !path.startsWith(`${from}/`)) continue
        entries.delete(path)
        entries.set(to + path.slice(from.length), entry)
      }
      for (const directory of [parent(from), parent(to)]) entries.get(directory)!.modified = stamp()
    },
    list,
    makeDirectory,
    status(path): FileStatus | undefined {
      const there = entries.get(path)
      if (!there) return undefined
      const { kind, inode, modified, mode } = there
      return { kind, inode, modified, mode, device: DEVICE, size: encoder.encode(there.text).length }
    },
    lock(path, mode) {
      if (locks.has(path)) throw new Error(`Deadlock: "${path}" is locked by this very process`)
      if (!entries.has(path)) put(path, '', mode, 'lock')
      locks.add(path)
      return {
        release() {
          locks.delete(path)
        },
      }
    },
  }

  makeDirectory('/', 0o755)
  for (const [path, text] of Object.entries({ [EXECUTABLE]: '', ...options.files })) {
    makeDirectory(parent(path), 0o755)
    put(path, text, 0o644, 'write')
  }
  for (const path of Object.keys(programs)) {
    makeDirectory(parent(path), 0o755)
    put(path, '', 0o755, 'write')
  }
  for (const path of options.ownNames ?? []) {
    makeDirectory(parent(path), 0o755)
    entries.set(path, entries.get(EXECUTABLE)!)
  }

  return {
    environment: options.environment ?? {},
    // Left out, stdin is a terminal at which nobody types.
    stdinIsReady(duration) {
      if (options.stdin === undefined) milliseconds += duration
      return options.stdin !== undefined
    },
    readStdin() {
      const stdin = options.stdin ?? ''
      return typeof stdin === 'string' ? encoder.encode(stdin) : stdin
    },
    writeStdout(text) {
      stdout += text
    },
    writeStderr(text) {
      stderr += text
    },
    exit(status) {
      exitStatus = status
      throw new Exit(`exit ${status}`)
    },
    files,
    now: () => milliseconds,
    monotonic: () => milliseconds,
    sleep(duration) {
      milliseconds += duration
    },
    // A linear congruential generator (Numerical Recipes, §7.1): repeats in every run.
    random: (length) =>
      Uint8Array.from({ length }, () => {
        seed = (seed * 1_664_525 + 1_013_904_223) >>> 0
        return seed >>> 24
      }),
    encode: (text) => encoder.encode(text),
    decode: (bytes) => decoder.decode(bytes),
    executable: () => EXECUTABLE,
    run(path, _argv, { environment, stdin }): ProgramResult {
      const program = programs[path]
      if (!program) throw new KernelError(entries.has(path) ? 'EACCES' : 'ENOENT', `run "${path}"`)
      const input = decoder.decode(stdin)
      runs.push({ path, command: environment.CNI_COMMAND, stdin: input })
      const answer = program(environment, input)
      stderr += answer.stderr ?? ''
      return {
        status: answer.status ?? 0,
        stdout: encoder.encode(answer.stdout ?? ''),
        stderr: encoder.encode(answer.stderr ?? ''),
      }
    },
    get stdout() {
      return stdout
    },
    get stderr() {
      return stderr
    },
    get exitStatus() {
      return exitStatus
    },
    runs,
    locks,
    tree() {
      return Object.fromEntries(
        [...entries]
          .filter(([path, { kind }]) => kind === 'file' && path !== EXECUTABLE)
          .map(([path, { text }]) => [path, text]),
      )
    },
  }
}
