/**
 * The plugins against the reference plugins, with the same configuration and the same environment, in turns.
 *
 *   VERSION                  what starting costs
 *   ADD, DEL                 bridge with host-local; also with masquerade
 *   10,000 addresses         ADD where so many are taken, against ADD where 10 are
 *   50 at once               from the first start to the last end
 *   flannel                  ADD by way of flannel, against ADD of the same by bridge itself
 *
 * Each side has a bridge, a directory of addresses and a network namespace of its own. DEL leaves a namespace empty, so the
 * next ADD finds it as the first one did.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { bundleForExecutable, pluginEntries } from '../scripts/build-bundle.ts'
import { referencePlugins } from '../test/support/peers.ts'
import type { Options } from './bench.ts'
import { type Batch, compileLauncher, type Launcher, type Start } from './launcher.ts'
import { type Comparison, compare, figures, medianRun } from './statistics.ts'
import type { Row } from './table.ts'

const TOGETHER = 50
const ROUNDS_TOGETHER = 5
const FEW = 10
const MANY = 10_000
/** The first pair makes the bridge, the chains and the index: it does not count. */
const WARM_UP = 1

interface Side {
  readonly name: 'ours' | 'theirs'
  readonly path: string
}

interface Network {
  readonly name: string
  readonly subnet: string
  readonly ipMasq?: boolean
  /** Addresses that others hold already. */
  readonly taken?: number
  /** Has bridge do it, by way of this plugin. */
  readonly by?: 'flannel'
}

/** Of bridge. */
interface Configuration {
  readonly cniVersion: string
  readonly name: string
  readonly type: string
  readonly bridge: string
  readonly isGateway: boolean
  readonly ipMasq: boolean
  readonly ipam: Readonly<Record<'type' | 'dataDir', string>> & {
    readonly ranges: readonly (readonly { readonly subnet: string }[])[]
    readonly routes: readonly { readonly dst: string }[]
  }
}

export async function benchCni(options: Options): Promise<Row[]> {
  const ours: Side = { name: 'ours', path: join(import.meta.dirname, '../cni-bin') }
  const theirs: Side = { name: 'theirs', path: process.env.CNI_REFERENCE ?? referencePlugins() }
  for (const { path } of [ours, theirs])
    if (!existsSync(join(path, 'bridge'))) throw new Error(`Cannot find the plugins in "${path}": run "npm run build"`)
  makeGround()
  const launch = compileLauncher()
  const sides = [ours, theirs] as const
  const runs = Array.from({ length: options.runs }, (_, run) => {
    options.say(`run ${run + 1} of ${options.runs}`)
    return oneRun(launch, sides, options.pairs, run)
  })
  return [...rowsOf(runs), ...(await sizes(ours))]
}

/** Mounts of our own, so that nothing of the machine is touched, and the namespaces to attach. */
function makeGround(): void {
  for (const directory of ['/run', '/var/lib']) execFileSync('mount', ['-t', 'tmpfs', 'bench', directory])
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  for (let i = 0; i < TOGETHER; i++) execFileSync('ip', ['netns', 'add', `bench-${i}`])
}

interface Run {
  readonly comparisons: Readonly<Record<string, Comparison>>
  readonly floor: number
  readonly growth: number
  readonly detour: number
  readonly peak: number
}

function oneRun(launch: Launcher, [ours, theirs]: readonly [Side, Side], pairs: number, run: number): Run {
  const asked = new Map([ours, theirs].map((side) => [side, network(`v${run}`, side)]))
  const version = inTurns(launch, ours, theirs, pairs, (side) => [verb('VERSION', side, asked.get(side)!, 0)])
  const plain = attachments(launch, ours, theirs, pairs, `p${run}`, {})
  const masquerade = attachments(launch, ours, theirs, pairs, `m${run}`, { ipMasq: true })
  const few = { taken: FEW }
  const many = { taken: MANY }
  const taken = attachments(launch, ours, theirs, pairs, `t${run}`, many)
  const growth = againstItself(launch, ours, pairs, `g${run}`, few, many)
  const detour = againstItself(launch, ours, pairs, `d${run}`, {}, { by: 'flannel' })
  const together = atOnce(launch, ours, theirs, `c${run}`)
  const nothing: Start = { batch: 'true', program: '/bin/true', stdin: '/dev/null', environment: {} }
  const floor = launch(Array.from({ length: pairs }, (_, i) => ({ ...nothing, batch: `true ${i}` })))
  return {
    comparisons: {
      VERSION: compareOf(version, 0),
      ADD: compareOf(plain, 0),
      DEL: compareOf(plain, 1),
      'ADD, masquerade': compareOf(masquerade, 0),
      'DEL, masquerade': compareOf(masquerade, 1),
      'ADD, 10,000 addresses taken': compareOf(taken, 0),
      '50 ADDs at once': compareOf(together, 0),
      '50 DELs at once': compareOf(together, 1),
    },
    floor: figures(floor.map(({ milliseconds }) => milliseconds)).median,
    growth,
    detour,
    peak: Math.max(
      ...plain.ours.map(([add]) => add!.peakKilobytes),
      ...masquerade.ours.map(([add]) => add!.peakKilobytes),
    ),
  }
}

/** Batches of both sides, pair by pair; in each pair the steps in order. */
interface Pairs {
  readonly ours: readonly (readonly Batch[])[]
  readonly theirs: readonly (readonly Batch[])[]
}

/** Both sides do the same steps, turn by turn; whose turn is first changes with every pair. */
function inTurns(
  launch: Launcher,
  a: Side,
  b: Side,
  pairs: number,
  steps: (side: Side, pair: number) => readonly (Start | readonly Start[])[],
): Pairs {
  const plan: Start[] = []
  const order: [Side, number][] = []
  let width = 0
  for (let pair = 0; pair < pairs + WARM_UP; pair++) {
    for (const side of pair % 2 ? [b, a] : [a, b]) {
      const batches = steps(side, pair)
      width = batches.length
      order.push([side, pair])
      batches.forEach((batch, step) => {
        for (const start of [batch].flat()) plan.push({ ...start, batch: `${side.name} ${pair} ${step}` })
      })
    }
  }
  const results = launch(plan)
  const of = (side: Side) =>
    order.flatMap(([whose, pair], at) =>
      whose === side && pair >= WARM_UP ? [results.slice(at * width, (at + 1) * width)] : [],
    )
  return { ours: of(a), theirs: of(b) }
}

function attachments(launch: Launcher, a: Side, b: Side, pairs: number, name: string, extra: Partial<Network>): Pairs {
  const networks = new Map([a, b].map((side) => [side, network(name, side, extra)]))
  return inTurns(launch, a, b, pairs, (side, pair) => addAndDelete(side, networks.get(side)!, pair))
}

function addAndDelete(side: Side, configuration: string, pair: number): Start[] {
  return [verb('ADD', side, configuration, pair), verb('DEL', side, configuration, pair)]
}

/** Our ADD to the one network, as a ratio to our ADD to the other. */
function againstItself(
  launch: Launcher,
  side: Side,
  pairs: number,
  name: string,
  base: Partial<Network>,
  compared: Partial<Network>,
): number {
  const other: Side = { ...side, name: 'theirs' }
  const networks = new Map([
    [side, network(`${name}a`, side, compared)],
    [other, network(`${name}b`, side, base)],
  ])
  return compareOf(
    inTurns(launch, side, other, pairs, (which, pair) => addAndDelete(which, networks.get(which)!, pair)),
    0,
  ).ratio
}

function atOnce(launch: Launcher, a: Side, b: Side, name: string): Pairs {
  const networks = new Map([a, b].map((side) => [side, network(name, side)]))
  const all = (what: string, side: Side, pair: number) =>
    Array.from({ length: TOGETHER }, (_, i) => verb(what, side, networks.get(side)!, pair * TOGETHER + i, i))
  return inTurns(launch, a, b, ROUNDS_TOGETHER, (side, pair) => [all('ADD', side, pair), all('DEL', side, pair)])
}

function compareOf({ ours, theirs }: Pairs, step: number): Comparison {
  const milliseconds = (side: Pairs['ours']) => side.map((steps) => steps[step]!.milliseconds)
  return compare(milliseconds(ours), milliseconds(theirs))
}

let networks = 0

/** Writes the configuration, and the addresses that are taken; answers the configuration's file, which is called by its plugin. */
function network(name: string, side: Side, { ipMasq = false, taken = 0, by }: Partial<Network> = {}): string {
  const number = networks++
  const dataDir = `/var/lib/cni/${side.name}-${number}`
  const subnet = `10.${number}.0.0/16`
  const configuration: Configuration = {
    cniVersion: '1.0.0',
    name: `bench-${name}`,
    type: 'bridge',
    bridge: `b${number}`,
    isGateway: true,
    ipMasq,
    ipam: { type: 'host-local', dataDir, ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] },
  }
  const addresses = join(dataDir, configuration.name)
  mkdirSync(addresses, { recursive: true })
  for (let i = 0; i < taken; i++) {
    const last = i + 2
    writeFileSync(join(addresses, `10.${number}.${last >> 8}.${last & 255}`), `taken-${i}\r\neth0`)
  }
  if (taken)
    writeFileSync(join(addresses, 'last_reserved_ip.0'), `10.${number}.${(taken + 1) >> 8}.${(taken + 1) & 255}`)
  const file = join(dataDir, `${by ?? 'bridge'}.json`)
  writeFileSync(file, JSON.stringify(by ? overlay(configuration, dataDir, subnet) : configuration))
  return file
}

/** A network of flannel whose delegate gets the same configuration. */
function overlay(
  { cniVersion, name, type: _, ipMasq, ipam: { ranges, ...ipam }, ...delegate }: Configuration,
  dataDir: string,
  subnet: string,
): object {
  const subnetFile = join(dataDir, 'subnet.env')
  const lines = [
    'FLANNEL_NETWORK=10.0.0.0/8',
    `FLANNEL_SUBNET=${subnet}`,
    'FLANNEL_MTU=1500',
    `FLANNEL_IPMASQ=${!ipMasq}`,
  ]
  writeFileSync(subnetFile, lines.join('\n'))
  return { cniVersion, name, type: 'flannel', subnetFile, dataDir: join(dataDir, 'scratch'), delegate, ipam }
}

function verb(command: string, side: Side, configuration: string, container: number, namespace = 0): Start {
  return {
    batch: '',
    program: join(side.path, basename(configuration, '.json')),
    stdin: configuration,
    environment: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: `container-${side.name}-${container}`,
      CNI_NETNS: `/run/netns/bench-${namespace}`,
      CNI_IFNAME: 'eth0',
      CNI_PATH: side.path,
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    },
  }
}

const targets: Readonly<Record<string, number>> = {
  VERSION: 0.75,
  ADD: 0.4,
  DEL: 0.75,
  'ADD, masquerade': 0.2,
  'DEL, masquerade': 0.3,
  '50 ADDs at once': 0.5,
  '50 DELs at once': 0.5,
}

function rowsOf(runs: readonly Run[]): Row[] {
  const middle = (values: readonly number[]) => figures(values).median
  const compared = Object.keys(runs[0]!.comparisons).map((name): Row => {
    const comparison = medianRun(runs.map(({ comparisons }) => comparisons[name]!))
    const target = targets[name]
    return { name, value: comparison.ratio, unit: 'ratio', comparison, ...(target === undefined ? {} : { target }) }
  })
  return [
    { name: '/bin/true', value: middle(runs.map(({ floor }) => floor)), unit: 'ms' },
    ...compared,
    {
      name: 'our ADD, 10,000 against 10 taken',
      value: middle(runs.map(({ growth }) => growth)),
      unit: 'ratio',
      target: 1.3,
    },
    { name: "our flannel's ADD against our bridge's", value: middle(runs.map(({ detour }) => detour)), unit: 'ratio' },
    { name: 'peak memory of an ADD', value: Math.max(...runs.map(({ peak }) => peak)) / 1024, unit: 'MB', target: 5 },
  ]
}

async function sizes({ path }: Side): Promise<Row[]> {
  const bundles = await bundleForExecutable(pluginEntries())
  return [
    { name: 'executable', value: statSync(join(path, 'bridge')).size / 2 ** 20, unit: 'MB', target: 4 },
    ...bundles.map(
      ({ name, text }): Row => ({ name: `bundle of ${name}`, value: Buffer.byteLength(text) / 1000, unit: 'kB' }),
    ),
  ]
}
