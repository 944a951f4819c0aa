/** Runs a plugin in memory as a runtime would execute it, and tells what came out. */
import type { Plugin } from '../../src/cni/plugin.ts'
import { type PluginOptions, runPlugin } from '../../src/cni/skel.ts'
import type { Kernel } from '../../src/kernel/kernel.ts'
import { Exit, type MemoryHost, type MemoryHostOptions, memoryHost } from './memory-host.ts'

export interface Outcome {
  readonly status: number | undefined
  readonly stdout: string
  readonly stderr: string
  /** stdout as JSON; undefined when there is nothing on it. */
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was printed
  readonly json: any
  readonly host: MemoryHost
}

export interface Call extends Omit<MemoryHostOptions, 'stdin'> {
  /** Text, bytes, or what is written as JSON. */
  readonly stdin?: string | Uint8Array | object | undefined
  readonly kernel?: Kernel
  readonly options?: PluginOptions
}

export function call(plugin: Plugin, { stdin, kernel, options, ...rest }: Call): Outcome {
  const written = typeof stdin === 'object' && !(stdin instanceof Uint8Array) ? JSON.stringify(stdin) : stdin
  const host = memoryHost({ ...rest, ...(written !== undefined && { stdin: written }) })
  try {
    runPlugin(plugin, kernel, host, options)
  } catch (error) {
    if (!(error instanceof Exit)) throw error
  }
  const { stdout, stderr, exitStatus: status } = host
  return { status, stdout, stderr, json: stdout === '' ? undefined : JSON.parse(stdout), host }
}
