/**
 * `overlab pool`: the pools that all nodes take addresses from, what of them is in use, and the socket by which a node's plugin
 * asks for them. What a command needs is loaded when it runs.
 */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { outputOption } from './output.ts'
import type { PoolFlags, SettingFlags, StoreFlags } from './pool/flags.ts'

type Actions = typeof import('./pool/actions.ts')

export const DEFAULT_STORE = 'file:/var/lib/overlab/store'
export const DEFAULT_SOCKET = '/run/overlab/pool.sock'

export function declarePool(pool: Command, version: string): void {
  acting(pool, 'list', 'all pools, and how much of them is in use', (actions) => actions.list)
  poolOptions(acting(pool, 'create <cidr>', 'make a pool', (actions) => actions.create))
    .option('--block-size <length>', 'prefix length of its blocks: 26, or 122', length)
    .option('--disabled', 'give out none of its addresses yet')
  poolOptions(acting(pool, 'set <cidr>', 'change what a pool is for', (actions) => actions.set))
    .option('--disable', 'give out none of its addresses any more, and announce none')
    .option('--enable', 'give them out again')
    .option('--bgp-export', 'announce its blocks again')
    .option('--no-nat-outgoing', 'let packets leave with their own address')
  acting(pool, 'delete <cidr>', 'disable a pool, and delete it when none of it is in use', (actions) => actions.remove)
  acting(pool, 'show [address]', 'blocks and whose they are; or who has an address', (actions) => actions.show)
  acting(pool, 'release <address>', 'take an address back from whoever has it', (actions) => actions.release)
  acting(pool, 'nodes', 'nodes that are there, as each tells of itself', (actions) => actions.nodes)
  acting(
    pool,
    'remove-node <node>',
    'take everything back from a node that will not return',
    (actions) => actions.removeNode,
  )
  acting(pool, 'settings', 'what holds for all pools; with options, change it', (actions) => actions.settings)
    .addOption(
      new Option('--strict-affinity <yes|no>', 'no node uses an address of another node’s block').argParser(yesNo),
    )
    .addOption(
      new Option('--auto-allocate-blocks <yes|no>', 'a node whose blocks are full claims another').argParser(yesNo),
    )
    .option('--max-blocks-per-host <number>', 'of one family', positive)
  storeOptions(pool.command('serve'))
    .description("answer this node's plugin by a socket: for stores that a plugin cannot speak to, as etcd")
    .requiredOption('--node <name>', 'which node this is')
    .option('--label <key=value>', 'that pools select the node by; may be repeated', collect, [])
    .option('--socket <path>', 'where the plugin asks', DEFAULT_SOCKET)
    .addOption(new Option('--log-format <format>', 'on stderr').choices(['text', 'json']).default('text'))
    .addOption(new Option('--log-level <level>', 'least').choices(['debug', 'info', 'warn', 'error']).default('info'))
    .action(async (options) => {
      const { serve } = await import('./pool/serve.ts')
      process.exitCode = await serve(options, version)
    })
}

function acting(
  parent: Command,
  usage: string,
  summary: string,
  choose: (actions: Actions) => (flags: StoreFlags & PoolFlags & SettingFlags, ...args: never[]) => Promise<number>,
): Command {
  return storeOptions(parent.command(usage).description(summary))
    .addOption(outputOption())
    .action(async (...given: unknown[]) => {
      const command = given.at(-1) as Command
      const act = choose(await import('./pool/actions.ts'))
      process.exitCode = await act(command.opts(), ...(command.processedArgs as never[]))
    })
}

function poolOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--vxlan-mode <mode>', 'how packets go to other nodes').choices(['Never', 'Always', 'CrossSubnet']),
    )
    .option('--nat-outgoing', 'packets to outside of all pools leave with the node’s address')
    .option('--disable-bgp-export', 'announce none of its blocks')
    .option('--node-selector <selector>', 'nodes that use it, as "rack == \'r1\'"')
}

function storeOptions(command: Command): Command {
  return command
    .addOption(new Option('--store <store>', 'etcd, or file:DIRECTORY').default(DEFAULT_STORE).env('OVERLAB_STORE'))
    .addOption(
      new Option('--etcd-endpoints <urls>', 'separated by commas')
        .default('http://127.0.0.1:2379')
        .env('OVERLAB_ETCD_ENDPOINTS'),
    )
    .addOption(
      new Option('--etcd-cafile <file>', 'authorities that its certificate is checked with').env('OVERLAB_ETCD_CAFILE'),
    )
    .addOption(new Option('--etcd-certfile <file>', 'our certificate').env('OVERLAB_ETCD_CERTFILE'))
    .addOption(new Option('--etcd-keyfile <file>', 'its key').env('OVERLAB_ETCD_KEYFILE'))
    .addOption(new Option('--etcd-username <name>', 'user of etcd').env('OVERLAB_ETCD_USERNAME'))
    .addOption(new Option('--etcd-password <text>', 'better by OVERLAB_ETCD_PASSWORD').env('OVERLAB_ETCD_PASSWORD'))
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value]
}

function length(text: string): number {
  const number = Number(text.replace(/^\//, ''))
  if (Number.isInteger(number) && number >= 0 && number <= 128) return number
  throw new InvalidArgumentError('It is a prefix length, as 26.')
}

function positive(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number > 0) return number
  throw new InvalidArgumentError('It is a whole number, 1 or more.')
}

function yesNo(text: string): boolean {
  if (text === 'yes' || text === 'no') return text === 'yes'
  throw new InvalidArgumentError('It is yes or no.')
}
