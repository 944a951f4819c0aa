/** A host in memory: files are a map, and programs are functions that see what a plugin would see. */
import type { FileStatus, Files, Host } from '../../../src/cni/host.ts'

export interface Call {
  readonly path: string
  readonly environment: Readonly<Record<string, string>>
  readonly config: Record<string, unknown>
}

/** What a plugin answers to an invocation: its stdout, or its status and stdout. */
export type Answer = (call: Call) => string | { readonly status: number; readonly stdout: string }

export interface FakeHost {
  readonly host: Host
  readonly files: Map<string, string>
  readonly modes: Map<string, number>
  readonly calls: Call[]
}

export function fakeHost(
  plugins: Readonly<Record<string, Answer>>,
  environment: Record<string, string> = {},
): FakeHost {
  const files = new Map(Object.keys(plugins).map((type) => [`/bin/${type}`, '']))
  const modes = new Map<string, number>()
  const calls: Call[] = []
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
  const never = () => {
    throw new Error('the runtime does not need this')
  }
  const fakeFiles: Partial<Files> = {
    read: (path) => files.get(path),
    replace(path, text, mode) {
      files.set(path, text)
      modes.set(path, mode)
    },
    remove: (path) => files.delete(path),
    list(directory) {
      const names = [...files.keys()].flatMap((path) => {
        const rest = path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : '/'
        return rest.includes('/') ? [] : rest
      })
      return names.length > 0 ? names : undefined
    },
    makeDirectory: (path, mode) => modes.set(path, mode),
    status: (path) => (files.has(path) ? ({ kind: 'file' } as FileStatus) : undefined),
  }
  const host: Host = {
    environment,
    files: fakeFiles as Files,
    readStdin: never,
    writeStdout: never,
    writeStderr: never,
    exit: never,
    now: never,
    monotonic: never,
    sleep: never,
    random: never,
    executable: never,
    encode,
    decode,
    run(path, _argv, { environment, stdin }) {
      const call = { path, environment, config: JSON.parse(decode(stdin)) }
      calls.push(call)
      const answer = plugins[path.slice('/bin/'.length)]!(call)
      const { status, stdout } = typeof answer === 'string' ? { status: 0, stdout: answer } : answer
      return { status, stdout: encode(stdout), stderr: encode('') }
    },
  }
  return { host, files, modes, calls }
}
