/**
 * A Host that lives in memory, for unit tests: a file tree, a clock that only `sleep` moves, chance that repeats, and programs
 * that are functions.
 */
import type { Host, ProgramResult } from '../../src/cni/host.ts'
import { KernelError } from '../../src/kernel/errors.ts'
import { memoryFiles } from '../../src/lab/memory-files.ts'

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
  /** Path of a unix socket to what answers there, line by line. */
  readonly sockets?: Readonly<Record<string, (line: string) => string>>
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

const EXECUTABLE = '/opt/cni/bin/overlab'

export function memoryHost(options: MemoryHostOptions = {}): MemoryHost {
  const programs = options.programs ?? {}
  const runs: { path: string; command: string | undefined; stdin: string }[] = []
  const encoder = new TextEncoder()
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let stdout = ''
  let stderr = ''
  let exitStatus: number | undefined
  let milliseconds = 1_000_000
  let seed = 1

  const parent = (path: string) => path.slice(0, path.lastIndexOf('/')) || '/'
  const files = memoryFiles(() => milliseconds)

  for (const [path, text] of Object.entries({ [EXECUTABLE]: '', ...options.files })) {
    files.makeDirectory(parent(path), 0o755)
    files.write(path, text, 0o644)
  }
  for (const path of Object.keys(programs)) {
    files.makeDirectory(parent(path), 0o755)
    files.write(path, '', 0o755)
  }
  for (const path of options.ownNames ?? []) {
    files.makeDirectory(parent(path), 0o755)
    files.link(EXECUTABLE, path)
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
    ask(path, line) {
      const answer = options.sockets?.[path]
      if (!answer) throw new KernelError('ENOENT', `ask at "${path}"`)
      return answer(line)
    },
    run(path, _argv, { environment, stdin }): ProgramResult {
      const program = programs[path]
      if (!program) throw new KernelError(files.status(path) ? 'EACCES' : 'ENOENT', `run "${path}"`)
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
    locks: files.locks,
    tree: () => Object.fromEntries(Object.entries(files.tree()).filter(([path]) => path !== EXECUTABLE)),
  }
}
