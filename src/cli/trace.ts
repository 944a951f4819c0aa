/** `overlab trace`: the way of a packet, decision by decision. */
import { writeFileSync } from 'node:fs'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { findDestination, findPlace } from '../lab/place.ts'
import type { LabPlan } from '../lab/plan.ts'
import type { ProbeSpec } from '../lab/probe.ts'
import type { TraceDocument } from '../trace/document.ts'
import { CommandError, Exit } from './exit.ts'
import { didYouMean } from './near.ts'
import { chooseTopology } from './topology.ts'

interface Options {
  readonly tcp?: number
  readonly udp?: number
  readonly icmp?: true
  readonly engine?: 'model' | 'kernel'
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
  trace
    .argument('<from>', 'node or pod: web-0, pod/web-0, node/n1')
    .argument('<to>', 'node, pod, service or address: api-0, svc/api, 10.96.0.10')
    .addOption(new Option('--tcp <port>', 'open a connection').argParser(port).conflicts(['udp', 'icmp']))
    .addOption(new Option('--udp <port>', 'send a datagram').argParser(port).conflicts(['tcp', 'icmp']))
    .addOption(
      new Option('--icmp', 'send an echo request; so where nothing else is asked for').conflicts(['tcp', 'udp']),
    )
    .addOption(new Option('--engine <engine>', 'where').choices(['model', 'kernel']).env('OVERLAB_ENGINE'))
    .addOption(new Option('-f, --file <topology>', 'topology file; left out, the only one here').env('OVERLAB_FILE'))
    .addOption(
      new Option('--fault <name>', "one of the file's faults; may be given again")
        .default([] as readonly string[], 'none')
        .argParser((name: string, before: readonly string[]) => [...before, name]),
    )
    .addOption(new Option('--seed <number>', 'of chance in the model').argParser(Number))
    .option('--json', 'as schema/trace.schema.json says')
    .option('--pcap <file>', 'write what every tap saw, for Wireshark')
    .option('--why', 'say why also where all is well')
    .option('-v, --verbose', 'every step, captures and rules that were passed too')
    .option('-x, --hex', 'the bytes at every tap')
    .addHelpText(
      'after',
      '\nEnds with 0 when the packet and its answer are delivered, 1 when not, 3 for what is not modelled.',
    )
    .action(async (from: string, to: string) => {
      process.exitCode = await run(from, to, trace.opts<Options>(), version)
    })
}

async function run(from: string, to: string, options: Options, version: string): Promise<number> {
  const document = withVersion(await traceIn(from, to, options), version)
  if (options.pcap !== undefined) await writeCapture(options.pcap, document)
  if (options.json) process.stdout.write(`${JSON.stringify(document)}\n`)
  else {
    const { formatTrace } = await import('../trace/text.ts')
    const { verbose = false, hex = false } = options
    const colour = process.stdout.hasColors?.() ?? false
    process.stdout.write(`${formatTrace(document, { verbose, hex, colour })}\n`)
  }
  const { disposition } = document.result
  if (disposition === 'unsupported') return Exit.unsupported
  return disposition === 'delivered' ? Exit.yes : Exit.no
}

function withVersion(document: TraceDocument, version: string): TraceDocument {
  const traces = document.traces?.map((each) => withVersion(each, version))
  return { ...document, engine: { ...document.engine, version }, ...(traces && { traces }) }
}

async function traceIn(from: string, to: string, options: Options): Promise<TraceDocument> {
  const { topology, source } = chooseTopology(options.file)
  const { buildModelLab } = await import('../lab/model-lab.ts')
  const { traceInModel } = await import('../lab/trace.ts')
  const { seed } = options
  const lab = await asUsage(() =>
    buildModelLab({ topology, ...(source && { source }), ...(seed !== undefined && { seed }) }),
  )
  const place = findPlace(from, lab.plan)
  if (!place) throw new CommandError(Exit.usage, `"${from}" is not in lab "${lab.plan.name}"${near(from, lab.plan)}`)
  const destination = await asUsage(() => findDestination(to, lab.plan, lab.machine))
  const request = { from: place.name, address: destination.address, spec: specOf(options, destination.service) }
  if (options.fault.length > 0) traceInModel(request, lab) // the network was well before
  for (const name of options.fault) {
    const fault = topology.faults?.[name]
    const names = Object.keys(topology.faults ?? {})
    if (!fault) throw new CommandError(Exit.usage, `"${name}" is no fault of this topology${didYouMean(name, names)}`)
    const { status, stderr } = await lab.run({ place: fault.node, line: fault.run })
    if (status !== 0) throw new CommandError(Exit.usage, `Cannot make fault "${name}": ${stderr.trim()}`)
  }
  return traceInModel(request, lab)
}

function specOf(
  { tcp, udp, icmp }: Options,
  service: { ports: readonly { port: number; protocol: 'tcp' | 'udp' }[] } | undefined,
): ProbeSpec {
  if (tcp !== undefined) return { protocol: 'tcp', port: tcp }
  if (udp !== undefined) return { protocol: 'udp', port: udp }
  const [first] = service?.ports ?? []
  return first && !icmp ? { protocol: first.protocol, port: first.port } : { protocol: 'icmp', port: 0 }
}

async function writeCapture(path: string, document: TraceDocument): Promise<void> {
  const { captureOf } = await import('../trace/capture-file.ts')
  const encoder = new TextEncoder()
  writeFileSync(path, Buffer.concat([...captureOf(document, (text) => encoder.encode(text))]))
}

const near = (name: string, { nodes, pods }: LabPlan) =>
  didYouMean(
    name,
    [...nodes, ...pods].map((each) => each.name),
  )

/** What a person has written cannot be built or found. */
async function asUsage<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof RangeError) throw new CommandError(Exit.usage, error.message, { cause: error })
    throw error
  }
}
