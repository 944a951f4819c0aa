/** What a lab is built on. The CLI passes the real one; nothing else in this room chooses a kernel. */
import type { Host } from '../cni/host.ts'
import type { Outcome } from '../command/command.ts'
import type { LiveKernel } from '../kernel/live.ts'
import type { Daemons } from './daemons.ts'
import type { Speakers } from './speakers.ts'
import type { Impair } from './topology.ts'

export interface Machine {
  readonly kernel: LiveKernel
  readonly host: Host
  /** The same host, but the programs that it runs find themselves in the network namespace at this path. */
  hostIn(namespacePath: string): Host
  /** Runs a line of commands (command/run.ts) in the network namespace at this path. `readStdin`: what they find to read. */
  runLine(namespacePath: string, line: string, readStdin?: () => string): Promise<Outcome>
  /** Delays, loses or slows what the link sends from now on. UnsupportedError that names what the kernel cannot do. */
  impair(namespacePath: string, link: string, impair: Impair): void | Promise<void>
  /**
   * From now on something answers at these ports (`tcp/8080`) in the namespace, with what it is sent, until it is closed or
   * the namespace ends. RangeError when one of the ports cannot be opened.
   */
  listen(namespacePath: string, ports: readonly string[]): Promise<Listener>
  /** Lets things happen until `done`, but no longer than this. Answers `done()`. */
  until(done: () => boolean, milliseconds: number): Promise<boolean>
  /** Where every lab keeps a directory of its name. */
  readonly stateDirectory: string
  /** CNI_PATH. */
  readonly pluginDirectories: readonly string[]
  readonly processes: Processes
  readonly daemons: Daemons
  readonly speakers: Speakers
}

export interface Listener {
  /** Nothing answers any more when it has come back. */
  close(): void | Promise<void>
}

export interface Processes {
  /** The process that asks. */
  readonly own: ProcessIdentity
  isAlive(process: ProcessIdentity): boolean
  /** Ids of those whose network namespace is this one. */
  inNamespace(path: string): number[]
  /** SIGTERM asks it to tidy up and end, also one that is stopped; SIGKILL ends it. That there is none any more is as good. */
  end(id: number, signal: 'SIGTERM' | 'SIGKILL'): void
}

/** Ids come round again; one of a certain start does not. */
export interface ProcessIdentity {
  readonly id: number
  /** Clock ticks from the machine's boot: field 22 of /proc/<id>/stat, proc(5). */
  readonly started: string
}
