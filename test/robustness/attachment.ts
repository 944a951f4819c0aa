/** Calls our executables as a runtime does, and asks `ip`, `nft` and the directory of addresses what is there. */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { run } from '../support/command.ts'

const plugins = join(import.meta.dirname, '../../cni-bin')

export interface Network {
  /** Its executable's name. */
  readonly plugin: string
  readonly name: string
  readonly bridge: string
  readonly dataDir: string
  readonly configuration: string
}

export interface Attachment {
  readonly network: Network
  readonly containerId: string
  /** A name that `ip netns` knows. */
  readonly namespace: string
}

export type Verb = 'ADD' | 'DEL'

export interface Answer {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** bridge with host-local, a gateway and masquerade: links, addresses, routes, nftables and files. */
export function network(name: string, subnet: string): Network {
  const dataDir = '/var/lib/cni/networks'
  const bridge = `${name}-br`
  const ipam = { type: 'host-local', dataDir, ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] }
  const configuration = { cniVersion: '1.1.0', name, type: 'bridge', bridge, isGateway: true, ipMasq: true, ipam }
  return { plugin: 'bridge', name, bridge, dataDir, configuration: JSON.stringify(configuration) }
}

const SUBNET_FILE = '/run/flannel/subnet.env'
export const SCRATCHES = '/var/lib/cni/flannel'

/** The same by way of flannel. */
export function flannelNetwork(name: string, subnet: string): Network {
  const { bridge, dataDir } = network(name, subnet)
  const lines = [`FLANNEL_NETWORK=${subnet}`, `FLANNEL_SUBNET=${subnet}`, 'FLANNEL_MTU=1450', 'FLANNEL_IPMASQ=false']
  mkdirSync(dirname(SUBNET_FILE), { recursive: true })
  writeFileSync(SUBNET_FILE, lines.join('\n'))
  const configuration = { cniVersion: '1.1.0', name, type: 'flannel', delegate: { bridge }, ipam: { dataDir } }
  return { plugin: 'flannel', name, bridge, dataDir, configuration: JSON.stringify(configuration) }
}

function environmentOf(verb: Verb, { containerId, namespace }: Attachment): NodeJS.ProcessEnv {
  return {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: containerId,
    CNI_NETNS: `/run/netns/${namespace}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: plugins,
    PATH: process.env.PATH,
  }
}

/** `by` is a program, with its arguments, that runs the plugin. */
export function call(verb: Verb, attachment: Attachment, by: readonly string[] = []): Answer {
  const [program, ...args] = [...by, join(plugins, attachment.network.plugin)]
  const { status, signal, stdout, stderr, error } = spawnSync(program!, args, {
    input: attachment.network.configuration,
    env: environmentOf(verb, attachment),
    encoding: 'utf8',
    timeout: 30_000,
  })
  // EPIPE: it was killed before it read its configuration.
  if (error && (error as NodeJS.ErrnoException).code !== 'EPIPE') throw error
  return { status, signal, stdout, stderr }
}

/** All at once. */
export function callTogether(verb: Verb, attachments: readonly Attachment[]): Promise<Answer[]> {
  return Promise.all(
    attachments.map(
      (attachment) =>
        new Promise<Answer>((resolve, reject) => {
          const child = spawn(join(plugins, attachment.network.plugin), { env: environmentOf(verb, attachment) })
          const said = { stdout: '', stderr: '' }
          for (const stream of ['stdout', 'stderr'] as const) {
            child[stream].setEncoding('utf8').on('data', (text: string) => {
              said[stream] += text
            })
          }
          child.on('error', reject)
          child.on('close', (status, signal) => resolve({ status, signal, ...said }))
          child.stdin.end(attachment.network.configuration)
        }),
    ),
  )
}

/** What an attachment left behind, in words. A network's bridge, its chains and its lock stay, as the reference's do. */
export function leftovers(network: Network, namespaces: readonly string[]): string[] {
  const here = links().filter((name) => name !== 'lo' && name !== network.bridge)
  const there = namespaces.flatMap((name) =>
    links('-n', name)
      .filter((link) => link !== 'lo')
      .map((link) => `${link} in ${name}`),
  )
  const files = [...reservations(network), ...notes()].map((file) => `file ${file}`)
  return [...here, ...there, ...elements(), ...files]
}

/** Files in the network's directory that are addresses, or what nobody put there on purpose. */
export function reservations({ dataDir, name }: Network): string[] {
  const directory = join(dataDir, name)
  const kept = ['lock', 'last_reserved_ip.0']
  return existsSync(directory) ? readdirSync(directory).filter((file) => !kept.includes(file)) : []
}

/** What flannel wrote down: its scratch files, and whose they are. */
function notes(): string[] {
  const owners = '/run/overlab/flannel'
  const folders = existsSync(owners) ? readdirSync(owners).map((folder) => join(owners, folder)) : []
  return [SCRATCHES, ...folders].filter((folder) => existsSync(folder)).flatMap((folder) => readdirSync(folder))
}

function links(...options: string[]): string[] {
  const rows = JSON.parse(run('ip', ...options, '-j', 'link')) as { readonly ifname: string }[]
  return rows.map(({ ifname }) => ifname)
}

interface NftObject {
  readonly set?: NftSet
  readonly map?: NftSet
}

interface NftSet {
  readonly name: string
  readonly elem?: readonly unknown[]
}

function elements(): string[] {
  const { nftables } = JSON.parse(run('nft', '-j', 'list', 'ruleset')) as { readonly nftables: readonly NftObject[] }
  return nftables.flatMap(({ set, map }) => {
    const { name, elem = [] } = set ?? map ?? { name: '' }
    return elem.map((element) => `${JSON.stringify(element)} in ${name}`)
  })
}
