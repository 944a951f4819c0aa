/**
 * A node that plugins are called on, whichever kernel it has: what the plugin's process would see, and what people type there.
 */
import type { Host } from '../../../src/cni/host.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'

export interface Node {
  readonly kernel: LiveKernel
  readonly host: Host
  /** Has bridge and host-local in it, which are the host's own executable by other names. */
  readonly pluginDirectory: string
  /** The program's stdout. Rejects with its stderr where it fails. */
  run(program: string, ...args: string[]): Promise<string>
  /** Waits until it is so; fails where it does not come to pass. */
  eventually(holds: () => boolean, what: string): Promise<void>
  /** Takes away what the test has left. */
  tearDown(): void
}

/** A kernel with a node of its own for each test. */
export interface Nodes {
  readonly name: string
  /** Whether its nodes have iptables, for plugins that run it. */
  readonly hasIptables: boolean
  /** Titles of bridge's cases with known differences, each with its reason. They must fail. */
  readonly known?: Readonly<Record<string, string>>
  setUp(): Node
}
