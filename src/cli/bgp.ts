/**
 * `overlab bgp`: a BGP speaker, and what one can ask it while it runs. What a command needs is loaded when it runs: of twenty
 * speakers that begin at once, each waits for all the others.
 */
import { setFlagsFromString } from 'node:v8'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Listen } from './bgp/run.ts'
import type { Asked } from './bgp/show.ts'
import { DEFAULT_SOCKET } from './bgp/socket-path.ts'
import { type Format, outputOption } from './output.ts'

type Show = typeof import('./bgp/show.ts')

export function declareBgp(bgp: Command, version: string): void {
  bgp
    .command('run')
    .description('speak BGP as a configuration says, until somebody ends it; SIGHUP reads it again')
    .requiredOption('--config <file>', 'configuration: YAML or JSON, schema/bgp.schema.json')
    .option('--state <directory>', 'where announcements are kept over a restart; left out, they are not')
    .option('--graceful-restart', 'the speaker was killed, and packets have gone on by its routes: RFC 4724')
    .option('--no-kernel', 'write no routes, whatever the configuration says')
    .addOption(socketOption())
    .option('--metrics <address:port>', 'serve /healthz, /readyz and /metrics there', parseListen)
    .addOption(new Option('--log-format <format>', 'on stderr').choices(['text', 'json']).default('text'))
    .addOption(new Option('--log-level <level>', 'least').choices(['debug', 'info', 'warn', 'error']).default('info'))
    .option('--check', 'only say whether the configuration can be used')
    .action(async (options) => {
      // V8 forgets what it has compiled when that was not used for a while, and what comes after hours is to be as fast as ever.
      setFlagsFromString('--no-flush-bytecode')
      const { runSpeaker } = await import('./bgp/run.ts')
      process.exitCode = await runSpeaker(options, version)
    })

  asking(bgp, 'status', 'the speaker, and whether all of its sessions are there', (show) => show.status)
  const show = bgp.command('show').description('what a running speaker knows')
  asking(show, 'neighbors', 'all neighbors, and why one has no session', (show) => show.neighbors)
  asking(show, 'neighbor <address>', 'one neighbor, with all that is set and negotiated', (show) => show.neighbor)
  asking(show, 'routes [prefix]', 'routes; those inside a prefix, or for an address', (show) => show.routes)
  asking(show, 'why <prefix>', 'what decided between the routes of a prefix, or for an address', (show) => show.why)
  asking(show, 'adj-in <address>', 'what a neighbor has announced, as it came', (show) => show.adjIn)
  asking(show, 'adj-out <address>', 'what a neighbor has been sent', (show) => show.adjOut)
  asking(show, 'kernel', 'routes that the kernel does not take, and why', (show) => show.kernel)

  asking(bgp, 'announce <prefixes...>', 'announce prefixes beside those of the configuration', (show) => show.announce)
    .option('--community <community>', 'that they are announced with; may be repeated', collect, [])
    .option('--blackhole', 'addresses without a longer route go nowhere: for blocks of pods')
  asking(bgp, 'withdraw <prefixes...>', 'withdraw what was announced so', (show) => show.withdraw)
  asking(bgp, 'refresh <address>', 'ask a neighbor for its routes again', (show) => show.refresh)
  asking(bgp, 'enable <address>', 'let a session come up again', (show) => show.enable)
  asking(bgp, 'disable <address>', 'end a session, and let no other begin', (show) => show.disable).addOption(told())
  asking(bgp, 'reset <address>', 'end a session, and begin another', (show) => show.reset).addOption(told())
  asking(bgp, 'drain <address>', 'let packets go other ways, before its session ends', (show) => show.drain).option(
    '--undo',
    'use its routes as before',
  )
  asking(bgp, 'dump <file>', 'write all routes to a file in MRT', (show) => show.dump)
  asking(bgp, 'reload', 'read the configuration again, and apply what differs', (show) => show.reload)

  bgp
    .command('mrt <file>')
    .description('what an MRT file says: tables, messages, changes of state')
    .addOption(outputOption())
    .action(async (file: string, { output }: { readonly output: Format }) => {
      const { showMrt } = await import('./bgp/mrt.ts')
      process.exitCode = showMrt(file, output)
    })
}

/** A command that a running speaker answers. */
function asking(
  parent: Command,
  usage: string,
  summary: string,
  choose: (show: Show) => (asked: Asked, ...args: never[]) => Promise<number>,
): Command {
  return parent
    .command(usage)
    .description(summary)
    .addOption(socketOption())
    .addOption(outputOption())
    .action(async (...given: unknown[]) => {
      const command = given.at(-1) as Command
      const run = choose(await import('./bgp/show.ts'))
      process.exitCode = await run(command.opts<Asked>(), ...(command.processedArgs as never[]))
    })
}

function socketOption(): Option {
  return new Option('--socket <path>', 'of the speaker').default(DEFAULT_SOCKET).env('OVERLAB_BGP_SOCKET')
}

function told(): Option {
  return new Option('--text <text>', 'what the neighbor is told: RFC 9003')
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value]
}

/** `127.0.0.1:9179`, `[::1]:9179`. */
function parseListen(text: string): Listen {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):(\d{1,5})$/i.exec(text) ?? []
  const ip = bracketed ?? plain
  if (ip !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return { ip, port: Number(port) }
  throw new InvalidArgumentError('It is an address and a port, as 127.0.0.1:9179 or [::1]:9179.')
}
