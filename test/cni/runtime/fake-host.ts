/** Plugins that are functions, on a host in memory; every invocation is kept. */
import { type MemoryHost, memoryHost } from '../../support/memory-host.ts'

export interface Call {
  readonly path: string
  readonly environment: Readonly<Record<string, string>>
  readonly config: Record<string, unknown>
}

/** What a plugin answers to an invocation: its stdout, or its status and stdout. */
export type Answer = (call: Call) => string | { readonly status: number; readonly stdout: string }

export interface FakeHost {
  readonly host: MemoryHost
  readonly calls: Call[]
}

/** The plugins stand in /bin; `files` are path to text. */
export function fakeHost(
  plugins: Readonly<Record<string, Answer>> = {},
  { environment = {}, files = {} }: { environment?: Record<string, string>; files?: Record<string, string> } = {},
): FakeHost {
  const calls: Call[] = []
  const programs = Object.fromEntries(
    Object.entries(plugins).map(([type, answer]) => {
      const path = `/bin/${type}`
      return [
        path,
        (environment: Readonly<Record<string, string>>, stdin: string) => {
          const call = { path, environment, config: JSON.parse(stdin) }
          calls.push(call)
          const said = answer(call)
          return typeof said === 'string' ? { stdout: said } : said
        },
      ]
    }),
  )
  return { host: memoryHost({ environment, files, programs }), calls }
}
