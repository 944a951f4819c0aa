/** `overlab trace`: the way of a packet, decision by decision. */
import { writeFileSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Outcome } from '../command/command.ts'
import { didYouMean } from '../json/near.ts'
import { bringUp, type Step, takeDown } from '../lab/lab.ts'
import type { Machine } from '../lab/machine.ts'
import { namespacePath } from '../lab/node.ts'
import { findOrigin } from '../lab/origin.ts'
import { findDestination, findPlace } from '../lab/place.ts'
import type { LabPlan } from '../lab/plan.ts'
import type { ProbeSpec } from '../lab/probe.ts'
import { readState } from '../lab/state.ts'
import type { Fault, Topology } from '../lab/topology.ts'
import type { TraceRequest } from '../lab/trace.ts'
import type { TraceDocument } from '../trace/document.ts'
import type { TextOptions } from '../trace/text.ts'
import { OWN_PLUGINS } from './cni.ts'
import { asUsage, CommandError, Exit } from './exit.ts'
import { abortable, interruptible } from './interrupt.ts'
import { readModel } from './model-state.ts'
import { complain } from './output.ts'
import { runSteps } from './progress.ts'
import { type ChosenTopology, chooseTopology } from './topology.ts'

interface Options {
  readonly tcp?: number
  readonly udp?: number
  readonly icmp?: true
  readonly size?: number
  readonly ttl?: number
  readonly df?: true
  readonly engine?: 'model' | 'kernel' | 'both'
  readonly file?: string
  readonly fault: readonly string[]
  readonly seed?: number
  readonly json?: true
  readonly pcap?: string
  readonly why?: true
  readonly verbose?: true
  readonly hex?: true
}

export function declareTrace(trace: Command, version: string): void {
  const port = (text: string) => {
    const number = Number(text)
    if (Number.isInteger(number) && number > 0 && number < 65536) return number
    throw new InvalidArgumentError('A port is a number from 1 to 65535.')
  }
  const inRange = (least: number, most: number) => (text: string) => {
    const number = Number(text)
    if (/^[0-9]+$/.test(text) && number >= least && number <= most) return number
    throw new InvalidArgumentError(`It is a number from ${least} to ${most}.`)
  }
  const seed = (text: string) => {
    const number = Number(text)
    if (/^[0-9]+$/.test(text) && Number.isSafeInteger(number)) return number
    throw new InvalidArgumentError('A seed is a whole number.')
  }
  trace
    .argument('<from>', 'node or pod: web-0, pod/web-0, node/n1')
    .argument('<to>', 'node, pod, service or address: api-0, svc/api, 10.96.0.10')
    .addOption(new Option('--tcp <port>', 'open a connection').argParser(port).conflicts(['udp', 'icmp']))
    .addOption(new Option('--udp <port>', 'send a datagram').argParser(port).conflicts(['tcp', 'icmp']))
    .addOption(
      new Option('--icmp', 'send an echo request; so where nothing else is asked for').conflicts(['tcp', 'udp']),
    )
    .addOption(
      new Option('--size <bytes>', 'that an echo or datagram carries; of a connection, there and back').argParser(
        inRange(0, 65507),
      ),
    )
    .addOption(new Option('--ttl <hops>', 'of the packet').argParser(inRange(1, 255)))
    .addOption(new Option('--df', 'an echo that may not be cut up').conflicts(['tcp', 'udp']))
    .addOption(new Option('--engine <engine>', 'where').choices(['model', 'kernel', 'both']).env('OVERLAB_ENGINE'))
    .addOption(new Option('-f, --file <topology>', 'topology file; left out, the only one here').env('OVERLAB_FILE'))
    .addOption(
      new Option('--fault <name>', "one of the file's faults; may be given again")
        .default([] as readonly string[], 'none')
        .argParser((name: string, before: readonly string[]) => [...before, name]),
    )
    .addOption(new Option('--seed <number>', 'of chance in the model').argParser(seed))
    .option('--json', 'as schema/trace.schema.json says')
    .option('--pcap <file>', 'write what every tap saw, for Wireshark')
    .option('--why', 'say also what of a table was not chosen: shorter routes, other FDB entries')
    .option('-v, --verbose', 'every step, captures and rules that were passed too')
    .option('-x, --hex', 'the bytes at every tap')
    .addHelpText(
      'after',
      '\nEnds with 0 when the packet and its answer are delivered, 1 when not, 3 for what is not modelled. With both engines: 0\nwhen they say the same, 1 when not.',
    )
    .action(async (from: string, to: string) => {
      process.exitCode = await run(from, to, trace.opts<Options>(), version)
    })
}

async function run(from: string, to: string, options: Options, version: string): Promise<number> {
  const chosen = chooseTopology(options.file)
  const engine = options.engine ?? chosen.topology.engine ?? 'model'
  if (engine !== 'model' && process.geteuid?.() !== 0) {
    const { runInOwnNamespaces, runInside } = await import('./rootless.ts')
    return (await runInside(chosen.topology.name)) ?? runInOwnNamespaces()
  }
  const question = { from, to, options, chosen }
  if (engine === 'both') return traceBoth(question, version)
  const { document: told, beside } = await (engine === 'model' ? traceModel(question) : traceKernel(question))
  const document = withVersion(told, version)
  if (options.pcap !== undefined) await writeCapture(options.pcap, document)
  if (options.json) process.stdout.write(`${JSON.stringify(document)}\n`)
  else {
    const { formatTrace } = await import('../trace/text.ts')
    const { verbose = false, hex = false } = options
    const colour = process.stdout.hasColors?.() ?? false
    process.stdout.write(`${formatTrace(document, { verbose, hex, colour, ...(options.why && { beside }) })}\n`)
  }
  const { disposition } = document.result
  if (disposition === 'unsupported') return Exit.unsupported
  return disposition === 'delivered' ? Exit.yes : Exit.no
}

const ECHO: ProbeSpec = { protocol: 'icmp', port: 0 }

interface Question {
  readonly from: string
  readonly to: string
  readonly options: Options
  readonly chosen: ChosenTopology
}

interface Told {
  readonly document: TraceDocument
  /** What of a table was not chosen at a step: trace/beside.ts. */
  readonly beside: NonNullable<TextOptions['beside']>
}

function withVersion(document: TraceDocument, version: string): TraceDocument {
  const traces = document.traces?.map((each) => withVersion(each, version))
  return { ...document, engine: { ...document.engine, version }, ...(traces && { traces }) }
}

async function traceBoth(question: Question, version: string): Promise<number> {
  const { tellBoth, withoutOffloads } = await import('./trace-both.ts')
  const { options } = question
  const model = await traceModel(question)
  const kernel = await traceKernel(question, withoutOffloads)
  if (options.pcap !== undefined) await writeCapture(options.pcap, kernel.document)
  return tellBoth(model.document, kernel.document, { ...options, version })
}

/** A lab that is up in the model is asked as it is; any other is built for the question. */
async function traceModel({ from, to, options, chosen: { topology, source } }: Question): Promise<Told> {
  const { buildModelLab } = await import('../lab/model-lab.ts')
  const { acquaint, traceInModel, worldOf } = await import('../lab/trace.ts')
  const standing = readModel(topology.name)
  const seed = options.seed ?? standing?.seed
  const lab = await asUsage(() =>
    buildModelLab({
      topology: standing?.topology ?? topology,
      deeds: standing?.deeds ?? [],
      ...(source && { source }),
      ...(seed !== undefined && { seed }),
    }),
  )
  const request = await asUsage(() => requestOf(from, to, options, lab.plan, lab.machine))
  acquaint(lab)
  if (options.fault.length > 0) traceInModel({ ...request, spec: ECHO }, lab) // the network was well before
  for (const { node, run } of faultsOf(options, topology)) {
    requireSuccess(run, await lab.run({ place: node, line: run }))
  }
  await waitFor(faultsOf(options, topology), lab.machine)
  const { besideOf } = await import('../trace/beside.ts')
  const { tellLearned } = await import('../lab/bgp/learned-routes.ts')
  const document = await tellLearned(traceInModel(request, lab), lab.plan, lab.machine)
  return { document, beside: besideOf(worldOf(lab)) }
}

/** A lab that is up is asked as it is, and stays up. One that is built for the question is prepared before it is asked. */
async function traceKernel(
  { from, to, options, chosen: { topology, source } }: Question,
  prepare: (plan: LabPlan, machine: Machine) => void = () => {},
): Promise<Told> {
  return interruptible(async (signal) => {
    const { linuxMachine } = await import('./machine.ts')
    const machine = abortable(linuxMachine(OWN_PLUGINS.split(':')), signal)
    const standing = readState(topology.name, machine)?.plan
    if (standing && options.fault.length > 0) {
      throw new CommandError(
        Exit.usage,
        `Lab "${topology.name}" is up, and would stay broken: run what breaks it by "overlab lab exec", or take the lab down first`,
      )
    }
    const run = (steps: readonly Step[]) => runSteps(steps, signal)
    const plan = standing ?? (await asUsage(() => bringUp(topology, machine, { owned: true, run })))
    if (!plan) throw new CommandError(Exit.no, `Lab "${topology.name}" is being brought up by another command`)
    try {
      const { acquaint, traceInKernel } = await import('../lab/trace-kernel.ts')
      const { originsOf } = await import('../lab/origin.ts')
      const origins = originsOf(plan, topology, machine, source)
      const lab = { plan, machine, originOf: (node: string, ref: string) => findOrigin(origins, node, ref) }
      const request = await asUsage(() => requestOf(from, to, options, plan, machine))
      if (!standing) prepare(plan, machine)
      if (!standing) await acquaint(lab)
      if (options.fault.length > 0) await traceInKernel({ ...request, spec: ECHO }, lab) // the network was well before
      for (const { node, run: line } of faultsOf(options, topology)) {
        const { namespace } = findPlace(node, plan)!
        requireSuccess(line, await machine.runLine(namespacePath(namespace), line))
      }
      await waitFor(faultsOf(options, topology), machine)
      // Of the kernel's decisions nothing is told that something could stand beside.
      const { tellLearned } = await import('../lab/bgp/learned-routes.ts')
      return { document: await tellLearned(await traceInKernel(request, lab), plan, machine), beside: () => [] }
    } finally {
      if (!standing) for (const complaint of takeDown(plan.name, machine).complaints) complain(complaint)
    }
  })
}

function requestOf(from: string, to: string, options: Options, plan: LabPlan, machine: Machine): TraceRequest {
  const place = findPlace(from, plan)
  if (!place) throw new RangeError(`"${from}" is not in lab "${plan.name}"${near(from, plan)}`)
  const { address, service } = findDestination(to, plan, machine)
  return { from: place.name, address, spec: specOf(options, service) }
}

function faultsOf({ fault }: Options, { faults = {} }: Topology): Fault[] {
  return fault.map((name) => {
    if (Object.hasOwn(faults, name)) return faults[name]!
    throw new CommandError(Exit.usage, `"${name}" is no fault of this topology${didYouMean(name, Object.keys(faults))}`)
  })
}

/** Until they are felt. */
async function waitFor(faults: readonly Fault[], machine: Machine): Promise<void> {
  const seconds = Math.max(0, ...faults.map(({ wait = 0 }) => wait))
  if (seconds > 0) await machine.until(() => false, seconds * 1000)
}

function requireSuccess(line: string, { status, stdout, stderr }: Outcome): void {
  if (status !== 0) throw new CommandError(Exit.usage, `Cannot run "${line}": ${(stderr || stdout).trim()}`)
}

function specOf(
  { tcp, udp, icmp, size, ttl, df }: Options,
  service: { ports: readonly { port: number; protocol: 'tcp' | 'udp' }[] } | undefined,
): ProbeSpec {
  const [first] = service?.ports ?? []
  const looks = {
    ...(size !== undefined && { size }),
    ...(ttl !== undefined && { ttl }),
    ...(df && { dontFragment: true }),
  }
  if (tcp !== undefined) return { protocol: 'tcp', port: tcp, ...looks }
  if (udp !== undefined) return { protocol: 'udp', port: udp, ...looks }
  return first && !icmp && !df
    ? { protocol: first.protocol, port: first.port, ...looks }
    : { protocol: 'icmp', port: 0, ...looks }
}

async function writeCapture(path: string, document: TraceDocument): Promise<void> {
  const { captureOf } = await import('../trace/capture-file.ts')
  const encoder = new TextEncoder()
  const bytes = Buffer.concat([...captureOf(document, (text) => encoder.encode(text))])
  try {
    writeFileSync(path, bytes)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CommandError(Exit.usage, `Cannot write the capture "${path}": ${code}`, { cause: error })
  }
}

const near = (name: string, { nodes, pods }: LabPlan) =>
  didYouMean(
    name,
    [...nodes, ...pods].map((each) => each.name),
  )
