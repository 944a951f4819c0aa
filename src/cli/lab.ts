/**
 * `overlab lab`: brings labs up and down, and looks into them. As root it works on this machine's own namespaces; for
 * everybody else the same command runs again where they are root: rootless.ts.
 */
import { spawn } from 'node:child_process'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { isName } from '../cni/config.ts'
import { didYouMean } from '../json/near.ts'
import { bringUp, type Removal, takeDown } from '../lab/lab.ts'
import type { Machine } from '../lab/machine.ts'
import { namespacePath } from '../lab/node.ts'
import { actOnNode, NODE_ACTIONS, type NodeAction } from '../lab/node-action.ts'
import { findOrigin, originsOf } from '../lab/origin.ts'
import { type PingMatrix, pingAll } from '../lab/ping.ts'
import type { LabPlan } from '../lab/plan.ts'
import { listLabs, readState } from '../lab/state.ts'
import { inspect } from '../lab/status.ts'
import type { TraceDocument } from '../trace/document.ts'
import { passThrough } from './child.ts'
import { OWN_PLUGINS } from './cni.ts'
import { asUsage, CommandError, Exit } from './exit.ts'
import { abortable, interruptible, unlessInterrupted } from './interrupt.ts'
import { BACKENDS, withBackend } from './lab-backend.ts'
import type { Given, Options } from './lab-options.ts'
import { formatMatrix, formatStatus, formatVerdict, isReply } from './lab-tables.ts'
import { acrossNodes, formatAcross } from './lab-trace.ts'
import { listModels } from './model-state.ts'
import { complain, outputOption, print } from './output.ts'
import { runSteps } from './progress.ts'
import { endHolder, runInLabNamespaces, runInOwnNamespaces, runInside } from './rootless.ts'
import { chooseTopology } from './topology.ts'

/** What a command does in either engine. */
interface Handlers<A extends unknown[]> {
  /** On the real kernel, where we are root. */
  readonly here: (options: Options, ...args: A) => Promise<number>
  /** The status of the same command where we are root; undefined when there is no such place. */
  readonly elsewhere: (options: Options) => Promise<number | undefined>
  readonly model: (options: Options, ...args: A) => Promise<number>
  /** It makes the lab; the others find one. */
  readonly makes?: true
}

export function declareLab(lab: Command): void {
  command(lab, 'up', 'bring up the lab of a topology file; without one, two nodes with two pods each', {
    here: up,
    elsewhere: ({ name }) => runInLabNamespaces(name),
    model: async (options) => (await import('./lab-model.ts')).up(options),
    makes: true,
  })
  command(lab, 'down', 'take it down; succeeds twice', {
    here: down,
    elsewhere: downElsewhere,
    model: async (options) => (await import('./lab-model.ts')).down(options),
  })
  command(lab, 'status', 'what there is, and whether it is as the plugins promised', {
    here: status,
    elsewhere: enter,
    model: async (options) => (await import('./lab-model.ts')).status(options),
  })
  command(lab, 'ping', 'every pod pings every other, and the nodes', {
    here: ping,
    elsewhere: enter,
    model: async (options) => (await import('./lab-model.ts')).ping(options),
  })
  command<[string, string[]]>(
    lab,
    'exec <target> [command...]',
    'run a program in a node or pod; on the real kernel a shell where none is named',
    { here: exec, elsewhere: enter, model: async (...all) => (await import('./lab-model.ts')).exec(...all) },
  )
    .passThroughOptions()
    .addHelpText('after', '\nEnds with the status of the program; its options may stand behind --.')
  command(lab, 'demo', 'up, status, ping, a trace and down, in one go', {
    here: demo,
    elsewhere: runInOwnNamespaces,
    model: async (options) => (await import('./lab-model.ts')).demo(options),
    makes: true,
  })
  const node = lab.command('node').description('make something happen to a node')
  for (const action of NODE_ACTIONS) {
    command<[string]>(node, `${action} <node>`, SUMMARIES[action], {
      here: (options, name) => act(options, name, action),
      elsewhere: enter,
      model: async (options, name) => (await import('./lab-model.ts')).act(options, name, action),
    })
  }
}

const SUMMARIES: Readonly<Record<NodeAction, string>> = {
  kill: 'kill -9 its daemon or BGP speaker',
  restart: 'start that again, and wait until it is ready',
  cut: 'take its links to other nodes down',
  heal: 'bring its links up again',
}

function command<A extends unknown[]>(
  lab: Command,
  usage: string,
  summary: string,
  { here, elsewhere, model, makes }: Handlers<A>,
): Command {
  const declared = lab.command(usage).description(summary)
  if (makes) {
    declared
      .addOption(
        new Option('--backend <backend>', 'run overlab daemon on every node, with this backend; bgp: a BGP speaker')
          .choices(BACKENDS)
          .env('OVERLAB_BACKEND'),
      )
      .option('--direct-routing', 'with --backend vxlan: plain routes between nodes on one network')
  }
  return declared
    .addOption(new Option('--name <lab>', 'which lab').argParser(parseName).env('OVERLAB_LAB'))
    .addOption(new Option('--engine <engine>', 'where it is').choices(['model', 'kernel']).env('OVERLAB_ENGINE'))
    .addOption(new Option('-f, --file <topology>', 'topology file; left out, the only one here').env('OVERLAB_FILE'))
    .addOption(new Option('--seed <number>', 'of chance in the model').argParser(Number))
    .addOption(
      new Option('--bin-dir <directories>', 'where plugins are, as a path').default(OWN_PLUGINS).env('CNI_PATH'),
    )
    .addOption(outputOption())
    .action(async (...given: unknown[]) => {
      const { processedArgs } = given.at(-1) as Command
      const options = complete((given.at(-1) as Command).opts<Given>())
      if (engineOf(options, makes ?? false) === 'model') {
        process.exitCode = await model(options, ...(processedArgs as A))
        return
      }
      if (process.geteuid?.() === 0) {
        process.exitCode = await here(options, ...(processedArgs as A))
        return
      }
      const status = await elsewhere(options)
      if (status === undefined) throw noSuchLab(options.name, [])
      process.exitCode = status
    })
}

function complete(given: Given): Options {
  const chosen = chooseTopology(given.file)
  const name = given.name ?? chosen.topology.name
  return { ...given, name, chosen: { ...chosen, topology: { ...withBackend(chosen.topology, given), name } } }
}

/** A lab that is up says itself where it is. */
function engineOf({ name, engine, chosen }: Options, makes: boolean): 'model' | 'kernel' {
  if (engine) return engine
  if (!makes) return listModels().includes(name) ? 'model' : 'kernel'
  const wanted = chosen.topology.engine ?? (chosen.source ? 'model' : 'kernel')
  if (wanted !== 'both') return wanted
  throw new CommandError(Exit.unsupported, 'Engine "both" is not supported by the lab: say --engine model or kernel')
}

async function up(options: Options): Promise<number> {
  return interruptible(async (signal) => {
    const { plan, machine } = await build(options, signal, { owned: false })
    const status = await inspect(plan, machine)
    print(options.output, status, () => formatStatus(status))
    return status.healthy ? Exit.yes : Exit.no
  })
}

async function down({ name, binDir, output }: Options): Promise<number> {
  return interruptible(async () => {
    const removal = takeDown(name, await machineFor(binDir))
    for (const complaint of removal.complaints) complain(complaint)
    print(output, { name, ...removal }, () => `Lab "${name}" is ${removal.outcome === 'absent' ? 'not up' : 'down'}`)
    return Exit.yes
  })
}

async function status({ name, binDir, output }: Options): Promise<number> {
  const machine = await machineFor(binDir)
  const status = await inspect(requirePlan(name, machine), machine)
  print(output, status, () => formatStatus(status))
  return status.healthy ? Exit.yes : Exit.no
}

async function ping({ name, binDir, output }: Options): Promise<number> {
  return interruptible(async (signal) => {
    const machine = await machineFor(binDir)
    const matrix = await unlessInterrupted(pingAll(requirePlan(name, machine), machine), signal)
    print(output, matrix, () => `${formatMatrix(matrix)}\n\n${formatVerdict(matrix)}`)
    return statusOfMatrix(matrix)
  })
}

async function act({ name, binDir, output }: Options, node: string, action: NodeAction): Promise<number> {
  return interruptible(async (signal) => {
    const machine = abortable(await machineFor(binDir), signal)
    const plan = requirePlan(name, machine)
    const message = await asUsage(() => actOnNode(plan, node, action, machine))
    print(output, { name, node, action }, () => message)
    return Exit.yes
  })
}

async function exec({ name, binDir }: Options, target: string, argv: readonly string[]): Promise<number> {
  const { nodes, pods } = requirePlan(name, await machineFor(binDir))
  const places = [...nodes, ...pods]
  const place = places.find((each) => each.name === target)
  if (!place) {
    const names = places.map((each) => each.name)
    throw new CommandError(Exit.usage, `"${target}" is not in lab "${name}"${didYouMean(target, names)}`)
  }
  const [program = process.env.SHELL ?? '/bin/sh', ...rest] = argv[0] === '--' ? argv.slice(1) : argv
  const { inNamespace } = await import('./processes.ts')
  const child = inNamespace(namespacePath(place.namespace), () => spawn(program, rest, { stdio: 'inherit' }))
  try {
    // To many a program a second Ctrl-C means another thing than the first.
    return await passThrough(child, { repeat: ['SIGTERM', 'SIGHUP'] })
  } catch (cause) {
    throw new CommandError(Exit.environment, `Cannot run "${program}": ${(cause as Error).message}`, { cause })
  }
}

async function demo(options: Options): Promise<number> {
  return interruptible(async (signal) => {
    const { plan, machine } = await build(options, signal, { owned: true })
    let removal: Removal | undefined
    try {
      const status = await inspect(plan, machine)
      const matrix = await unlessInterrupted(pingAll(plan, machine), signal)
      const trace = await traceAcross(plan, options, machine)
      removal = takeDown(plan.name, machine)
      print(options.output, { status, matrix, ...(trace && { trace }), removal }, () =>
        [
          formatStatus(status),
          `Every pod pings every other, and the nodes. ${formatMatrix(matrix)}`,
          ...(trace ? [formatAcross(trace)] : []),
          `${formatVerdict(matrix)}, and the lab is gone again.`,
        ].join('\n\n'),
      )
      return status.healthy ? statusOfMatrix(matrix) : Exit.no
    } finally {
      const { complaints } = removal ?? takeDown(plan.name, machine)
      for (const complaint of complaints) complain(complaint)
    }
  })
}

async function traceAcross(
  plan: LabPlan,
  { chosen: { topology, source } }: Options,
  machine: Machine,
): Promise<TraceDocument | undefined> {
  const across = acrossNodes(plan, machine)
  if (!across) return undefined
  const { traceInKernel } = await import('../lab/trace-kernel.ts')
  const { tellLearned } = await import('../lab/bgp/learned-routes.ts')
  const origins = originsOf(plan, topology, machine, source)
  const lab = { plan, machine, originOf: (node: string, ref: string) => findOrigin(origins, node, ref) }
  return tellLearned(await traceInKernel(across, lab), plan, machine)
}

async function build(
  { name, binDir, chosen: { topology } }: Options,
  signal: AbortSignal,
  { owned }: { readonly owned: boolean },
) {
  const machine = abortable(await machineFor(binDir), signal)
  const plan = await asUsage(() => bringUp(topology, machine, { owned, run: (steps) => runSteps(steps, signal) }))
  if (plan) return { plan, machine }
  throw new CommandError(
    Exit.no,
    `Lab "${name}" is up already: look at it with "overlab lab status", end it with "overlab lab down"`,
  )
}

function requirePlan(name: string, machine: Machine): LabPlan {
  const plan = readState(name, machine)?.plan
  if (plan) return plan
  throw noSuchLab(name, listLabs(machine))
}

function noSuchLab(name: string, labs: readonly string[]): CommandError {
  const others = labs.length > 0 ? didYouMean(name, labs) : '; bring it up with "overlab lab up"'
  return new CommandError(Exit.no, `Lab "${name}" is not up${others}`)
}

function statusOfMatrix({ answers }: PingMatrix): number {
  return answers.every(({ answer }) => isReply(answer)) ? Exit.yes : Exit.no
}

async function machineFor(binDir: string): Promise<Machine> {
  const { linuxMachine } = await import('./machine.ts')
  return linuxMachine(binDir.split(':').filter(Boolean))
}

const enter = ({ name }: Options) => runInside(name)

async function downElsewhere({ name, output }: Options): Promise<number> {
  const status = await runInside(name)
  if (status !== undefined && status !== Exit.yes) return status
  endHolder(name)
  if (status === undefined) print(output, { name, outcome: 'absent', complaints: [] }, () => `Lab "${name}" is not up`)
  return Exit.yes
}

function parseName(text: string): string {
  if (isName(text)) return text
  throw new InvalidArgumentError('Use letters, digits, "_", "." and "-" only, a letter or digit first.')
}
