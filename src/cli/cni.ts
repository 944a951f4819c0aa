/**
 * `overlab cni`: what a container runtime does with a network configuration list, for people and scripts. Arguments and
 * variables are cnitool's where it has them, so that what somebody wrote for that works here.
 */
import { createHash } from 'node:crypto'
import { join, resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { CniError } from '../cni/errors.ts'
import type { Attachment } from '../cni/plugin.ts'
import { CACHE_DIRECTORY, resultCache } from '../cni/runtime/cache.ts'
import { isMap, type Json, type JsonMap, parseJson } from '../cni/runtime/json.ts'
import { networkFiles, requireNetwork } from '../cni/runtime/network.ts'
import {
  type AttachmentRequest,
  addNetwork,
  checkNetwork,
  collectGarbage,
  deleteNetwork,
  type Runtime,
  requireReady,
} from '../cni/runtime/runtime.ts'
import { attachmentTable, describeAttachment, describeNetwork, formatResult, networkTable } from './cni-tables.ts'
import { CommandError, Exit } from './exit.ts'
import { type Format, outputOption, print } from './output.ts'

/** Built beside the sources, and beside what these are compiled to. */
export const OWN_PLUGINS = join(import.meta.dirname, '../../cni-bin')

/** Where `ip netns` keeps namespaces by name. */
const NAMESPACES = '/run/netns'

interface Options {
  readonly confDir: string
  readonly cacheDir: string
  readonly binDir: string
  readonly output: Format
}

interface AttachmentOptions extends Options {
  readonly containerId?: string
  readonly ifname: string
  readonly args: AttachmentRequest['args']
  readonly capabilityArgs: JsonMap
}

interface GarbageOptions extends Options {
  readonly valid: readonly Attachment[]
  readonly all?: true
}

export function declareCni(cni: Command): void {
  attachmentCommand(cni, 'add', 'attach a namespace to a network').action(telling(add))
  attachmentCommand(cni, 'check', 'ask the plugins whether an attachment is as ADD promised').action(telling(check))
  attachmentCommand(cni, 'del', 'detach a namespace; succeeds twice').action(telling(del))
  command(cni, 'gc <network>', 'remove whatever belongs to no valid attachment')
    .option(
      '--valid <container/ifname>',
      'an attachment that lives on; may be given several times',
      parseAttachment,
      [],
    )
    .option('--all', 'no attachment lives on')
    .action(telling(gc))
  command(cni, 'status <network>', 'ask the plugins whether they could attach now').action(telling(status))
  command(cni, 'list', 'networks that are configured, and what is attached').action(telling(list))
}

/** Scripts that asked for JSON are told an error as the specification's object, on stdout, as a plugin tells it. */
function telling<A extends unknown[]>(action: (...given: A) => Promise<void>): (...given: A) => Promise<void> {
  return async (...given) => {
    try {
      await action(...given)
    } catch (error) {
      const { output } = (given.at(-1) as unknown as Command).opts<Options>()
      if (error instanceof CniError && output === 'json') {
        const { code, message: msg, details } = error
        print(output, { code, msg, ...(details !== undefined && { details }) }, () => '')
      }
      throw error
    }
  }
}

function command(cni: Command, usage: string, summary: string): Command {
  return cni
    .command(usage)
    .description(summary)
    .addOption(
      new Option('--conf-dir <directory>', 'where configuration lists are')
        .default('/etc/cni/net.d')
        .env('NETCONFPATH'),
    )
    .addOption(
      new Option('--bin-dir <directories>', 'where plugins are, as a path').default(OWN_PLUGINS).env('CNI_PATH'),
    )
    .option('--cache-dir <directory>', 'where results are kept until DEL', CACHE_DIRECTORY)
    .addOption(outputOption())
}

function attachmentCommand(cni: Command, verb: string, summary: string): Command {
  return command(cni, `${verb} <network> <netns>`, summary)
    .option(
      '--container-id <id>',
      "the container's id; by default one made of the namespace's path, as cnitool makes it",
    )
    .addOption(new Option('--ifname <name>', 'interface in the container').default('eth0').env('CNI_IFNAME'))
    .addOption(
      new Option('--args <K=V;…>', 'CNI_ARGS for the plugins').argParser(parseArgs).default([], 'none').env('CNI_ARGS'),
    )
    .addOption(
      new Option('--capability-args <json>', 'by capability, such as {"portMappings":[…]}')
        .argParser(parseCapabilityArgs)
        .default({}, 'none')
        .env('CAP_ARGS'),
    )
    .addHelpText(
      'after',
      '\nThe network is a name, or a file where it has a slash; netns is a path, or a name of `ip netns`.',
    )
}

async function add(network: string, netns: string, options: AttachmentOptions): Promise<void> {
  const runtime = await runtimeFor(options)
  const result = addNetwork(findNetwork(network, options, runtime), requestFor(netns, options), runtime)
  print(options.output, result, () => formatResult(result))
}

async function check(network: string, netns: string, options: AttachmentOptions): Promise<void> {
  const runtime = await runtimeFor(options)
  const request = requestFor(netns, options)
  checkNetwork(findNetwork(network, options, runtime), request, runtime)
  print(options.output, { asPromised: true }, () => `"${request.ifName}" of "${request.containerId}" is as promised`)
}

async function del(network: string, netns: string, options: AttachmentOptions): Promise<void> {
  const runtime = await runtimeFor(options)
  const request = requestFor(netns, options)
  deleteNetwork(findNetwork(network, options, runtime), request, runtime)
  print(options.output, { detached: true }, () => `"${request.ifName}" of "${request.containerId}" is detached`)
}

async function gc(network: string, options: GarbageOptions): Promise<void> {
  if (options.valid.length === 0 && !options.all) {
    throw new CommandError(Exit.usage, 'gc removes all but what is valid: name that by --valid, or say --all')
  }
  const runtime = await runtimeFor(options)
  collectGarbage(findNetwork(network, options, runtime), options.valid, runtime)
  print(
    options.output,
    { valid: options.valid },
    () => `"${network}" has no more than ${options.valid.length} attachments`,
  )
}

async function status(network: string, options: Options): Promise<void> {
  const runtime = await runtimeFor(options)
  requireReady(findNetwork(network, options, runtime), runtime)
  print(options.output, { ready: true }, () => `"${network}" is ready`)
}

async function list(options: Options): Promise<void> {
  const { host, cacheDirectory } = await runtimeFor(options)
  const networks = networkFiles(resolve(options.confDir), host.files).map((path) => describeNetwork(path, host))
  const attachments = resultCache(cacheDirectory, host).list().map(describeAttachment)
  print(options.output, { networks, attachments }, () =>
    [
      networks.length > 0 ? networkTable(networks) : `No network is configured in "${options.confDir}"`,
      attachments.length > 0 ? attachmentTable(attachments) : 'Nothing is attached',
    ].join('\n\n'),
  )
}

async function runtimeFor({ binDir, cacheDir }: Options): Promise<Runtime> {
  const { host } = await import('../linux/host.ts')
  return { host, pluginDirectories: binDir.split(':').filter(Boolean), cacheDirectory: resolve(cacheDir) }
}

function findNetwork(network: string, { confDir }: Options, { host }: Runtime) {
  return requireNetwork(network.includes('/') ? resolve(network) : network, resolve(confDir), host.files)
}

function requestFor(
  netns: string,
  { containerId, ifname, args, capabilityArgs }: AttachmentOptions,
): AttachmentRequest {
  const path = netns.includes('/') ? resolve(netns) : `${NAMESPACES}/${netns}`
  return { containerId: containerId ?? containerIdFor(path), ifName: ifname, netns: path, args, capabilityArgs }
}

/** cnitool's: ten bytes of the path's hash. */
export function containerIdFor(netns: string): string {
  return `cnitool-${createHash('sha512').update(netns).digest('hex').slice(0, 20)}`
}

/** CNI_ARGS, as cnitool reads it. */
export function parseArgs(text: string): [string, string][] {
  if (text === '') return []
  return text.split(';').map((pair) => {
    const at = pair.indexOf('=')
    if (at < 1 || at === pair.length - 1) throw new InvalidArgumentError(`"${pair}" is not of the form KEY=VALUE.`)
    return [pair.slice(0, at), pair.slice(at + 1)]
  })
}

export function parseCapabilityArgs(text: string): JsonMap {
  if (text === '') return {}
  let json: Json
  try {
    json = parseJson(text)
  } catch {
    throw new InvalidArgumentError('It is not JSON.')
  }
  if (!isMap(json)) throw new InvalidArgumentError('It is not a JSON object.')
  return json
}

export function parseAttachment(text: string, others: readonly Attachment[]): Attachment[] {
  const [containerId, ifName, ...more] = text.split('/')
  if (!containerId || !ifName || more.length > 0) {
    throw new InvalidArgumentError('It is not of the form container/ifname, such as 4711/eth0.')
  }
  return [...others, { containerId, ifName }]
}
