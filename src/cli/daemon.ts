/**
 * `overlab daemon`: keeps this node in an overlay network. Its flags are read as flanneld's are, which commander cannot:
 * daemon/flags.ts. What it needs is loaded when it runs.
 */
import { setFlagsFromString } from 'node:v8'
import type { Command } from 'commander'

export function declareDaemon(command: Command, version: string): void {
  command
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[flags...]', 'as of flanneld; --help lists them')
    .action(async (argv: string[]) => {
      // Else the young generation grows to 16 MB with the first burst of leases, and stays so large.
      setFlagsFromString('--semi-space-growth-factor=1')
      const { runDaemon } = await import('./daemon/run.ts')
      process.exitCode = await runDaemon(argv, version)
    })
}
