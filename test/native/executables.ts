/** Builds executables of programs that are no plugins, as the build does, and runs them. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bundle, bundleForExecutable } from '../../scripts/build-bundle.ts'
import {
  buildExecutable,
  type ExecutableOptions,
  findToolchain,
  linkExecutable,
} from '../../scripts/build-executable.ts'

export interface Answer {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly input?: string | Uint8Array
  readonly environment?: Readonly<Record<string, string>>
  /** A shell command that runs the program, which is `"$0"`. */
  readonly shell?: string
  /** Of that command; sh where left out. */
  readonly interpreter?: string
}

export interface Executables {
  run(program: string, options?: RunOptions): Answer
  remove(): void
}

/** The two builds that every claim about the C files is tried on. */
export const builds: readonly { readonly build: string; readonly options: ExecutableOptions }[] = [
  { build: 'as released', options: {} },
  { build: 'under AddressSanitizer', options: { sanitized: true } },
]

/** Programs of test/native/programs, or bundles. `names` are further ones that the file can be called by. */
export async function buildPrograms(
  programs: readonly (string | Bundle)[],
  { names = [], ...options }: ExecutableOptions & { readonly names?: readonly string[] } = {},
): Promise<Executables> {
  const toolchain = findToolchain()
  if (typeof toolchain === 'string') throw new Error(`Cannot build an executable: ${toolchain}`)
  const entries = programs.filter((program) => typeof program === 'string')
  const bundles = [
    ...(entries.length > 0
      ? await bundleForExecutable(entries.map((name) => join(import.meta.dirname, 'programs', `${name}.ts`)))
      : []),
    ...programs.filter((program) => typeof program !== 'string'),
  ]
  const directory = mkdtempSync(join(tmpdir(), 'overlab-native-'))
  const file = join(directory, 'all')
  const detach = join(import.meta.dirname, 'detach.c')
  buildExecutable(toolchain, bundles, file, { ...options, extra: [detach, '-Wl,--wrap=add_calls'] })
  for (const name of [...bundles.map((bundle) => bundle.name), ...names]) linkExecutable(file, join(directory, name))
  return {
    run(program, { input = '', environment = {}, shell = 'exec "$0"', interpreter = 'sh' } = {}) {
      const { status, signal, stdout, stderr, error } = spawnSync(
        interpreter,
        ['-c', shell, join(directory, program)],
        {
          input,
          env: { PATH: process.env.PATH, ASAN_OPTIONS: 'detect_leaks=0', ...environment },
          encoding: 'utf8',
          timeout: 60_000,
          maxBuffer: 1 << 28,
        },
      )
      if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
      return { status, signal, stdout, stderr }
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}
