#!/usr/bin/env node
/**
 * `overlab`: the command line. Here are only the names of the commands; each is declared in a file of its own, which is
 * loaded when it is asked for, and loads in turn what it needs when it runs.
 */
import { readFileSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { inlineMore } from '../lab/inlining.ts'
import { Exit, explain, statusOf } from './exit.ts'
import { complain } from './output.ts'

interface LazyCommand {
  readonly summary: string
  declare(command: Command): Promise<void>
}

const commands: Readonly<Record<string, LazyCommand>> = {
  bgp: {
    summary: 'a BGP speaker, and what it knows',
    declare: async (command) => (await import('./bgp.ts')).declareBgp(command, version),
  },
  cni: {
    summary: 'run CNI plugins as a container runtime does',
    declare: async (command) => (await import('./cni.ts')).declareCni(command),
  },
  daemon: {
    summary: 'this node in an overlay network, as flanneld does it',
    declare: async (command) => (await import('./daemon.ts')).declareDaemon(command, version),
  },
  lab: {
    summary: 'nodes and pods as network namespaces on this machine',
    declare: async (command) => (await import('./lab.ts')).declareLab(command),
  },
  pool: {
    summary: 'pools of addresses that all nodes share',
    declare: async (command) => (await import('./pool.ts')).declarePool(command, version),
  },
  test: {
    summary: 'the tests of topology files, in the model or on the kernel',
    declare: async (command) => (await import('./test.ts')).declareTest(command),
  },
  trace: {
    summary: 'the way of a packet, decision by decision',
    declare: async (command) => (await import('./trace.ts')).declareTrace(command, version),
  },
}

inlineMore()
keepCompiledCode()
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

process.exitCode = await main(process.argv.slice(2))

/** The exit status. */
async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('overlab')
    .description('container networking that can be taken apart')
    .version(version, '-V, --version')
    .enablePositionalOptions() // what stands behind `lab exec` belongs to the program that is run
    .exitOverride()
    .addHelpText('after', '\nCompletion: source <(overlab complete bash), or zsh, fish, powershell')
  const declared = new Set<string>()
  const declare = async (command: Command) => {
    if (declared.has(command.name())) return
    declared.add(command.name())
    await commands[command.name()]?.declare(command)
  }
  for (const [name, { summary }] of Object.entries(commands)) program.command(name).description(summary)
  program.hook('preSubcommand', (_program, command) => declare(command))

  try {
    if (argv[0] === 'complete') {
      for (const command of program.commands) await declare(command)
      const { completeWith } = await import('./completion.ts')
      completeWith(program)
    }
    await program.parseAsync(argv, { from: 'user' })
    return Number(process.exitCode ?? Exit.yes)
  } catch (error) {
    // Commander has printed its message; help and version come as errors too, with the code 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? Exit.yes : Exit.usage
    complain(explain(error, { version, argv }))
    return statusOf(error)
  }
}

/**
 * What V8 made of the files of a command is kept for the next call: a fifth of the time of most. It lies in the home of the
 * user that the process runs as, whatever HOME says, for who can write there can have any code run.
 */
function keepCompiledCode(): void {
  try {
    enableCompileCache(join(userInfo().homedir, '.cache/overlab'))
  } catch {
    // A user that /etc/passwd does not know has no home: all is compiled each time.
  }
}
