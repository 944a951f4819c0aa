/**
 * `overlab lab`: brings labs up and down, and looks into them. As root it works on this machine's own namespaces; for
 * everybody else the same command runs again where they are root: rootless.ts.
 */
import { spawn } from 'node:child_process'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { isName } from '../cni/config.ts'
import { bringUp, type Removal, takeDown } from '../lab/lab.ts'
import type { Machine } from '../lab/machine.ts'
import { namespacePath } from '../lab/node.ts'
import { type PingMatrix, pingAll } from '../lab/ping.ts'
import type { LabPlan } from '../lab/plan.ts'
import { listLabs, readState } from '../lab/state.ts'
import { inspect } from '../lab/status.ts'
import { type Topology, twoNodes } from '../lab/topology.ts'
import { passThrough } from './child.ts'
import { OWN_PLUGINS } from './cni.ts'
import { CommandError, Exit } from './exit.ts'
import { interruptible, unlessInterrupted } from './interrupt.ts'
import { formatMatrix, formatStatus, formatVerdict, isReply } from './lab-tables.ts'
import { didYouMean } from './near.ts'
import { complain, type Format, outputOption, print } from './output.ts'
import { runSteps } from './progress.ts'
import { endHolder, runInLabNamespaces, runInOwnNamespaces, runInside } from './rootless.ts'

interface Options {
  readonly name: string
  readonly binDir: string
  readonly output: Format
}

/** The status of the same command where we are root; undefined when there is no such place. */
type Elsewhere = (options: Options) => Promise<number | undefined>

export function declareLab(lab: Command): void {
  command(lab, 'up', 'bring up two nodes with two pods each', ({ name }) => runInLabNamespaces(name), up)
  command(lab, 'down', 'take it down; succeeds twice', downElsewhere, down)
  command(lab, 'status', 'what there is, and whether it is as the plugins promised', enter, status)
  command(lab, 'ping', 'every pod pings every other, and the nodes', enter, ping)
  command(lab, 'exec <target> [command...]', 'run a program in a node or pod; a shell where none is named', enter, exec)
    .passThroughOptions()
    .addHelpText('after', '\nEnds with the status of the program; its options may stand behind --.')
  command(lab, 'demo', 'up, status, ping and down, in one go', runInOwnNamespaces, demo)
}

function command<A extends unknown[]>(
  lab: Command,
  usage: string,
  summary: string,
  elsewhere: Elsewhere,
  here: (options: Options, ...args: A) => Promise<number>,
): Command {
  return lab
    .command(usage)
    .description(summary)
    .addOption(new Option('--name <lab>', 'which lab').default(twoNodes.name).argParser(parseName).env('OVERLAB_LAB'))
    .addOption(
      new Option('--bin-dir <directories>', 'where plugins are, as a path').default(OWN_PLUGINS).env('CNI_PATH'),
    )
    .addOption(outputOption())
    .action(async (...given: unknown[]) => {
      const { processedArgs } = given.at(-1) as Command
      const options = (given.at(-1) as Command).opts<Options>()
      if (process.geteuid!() === 0) {
        process.exitCode = await here(options, ...(processedArgs as A))
        return
      }
      const status = await elsewhere(options)
      if (status === undefined) throw noSuchLab(options.name, [])
      process.exitCode = status
    })
}

async function up(options: Options): Promise<number> {
  return interruptible(async (signal) => {
    const { plan, machine } = await build(options, signal, { owned: false })
    const status = inspect(plan, machine)
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
  const status = inspect(requirePlan(name, machine), machine)
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

async function exec({ name, binDir }: Options, target: string, argv: readonly string[]): Promise<number> {
  const { nodes, pods } = requirePlan(name, await machineFor(binDir))
  const places = [...nodes, ...pods]
  const place = places.find((each) => each.name === target)
  if (!place) {
    const names = places.map((each) => each.name)
    throw new CommandError(Exit.usage, `"${target}" is not in lab "${name}"${didYouMean(target, names)}`)
  }
  const [program = process.env.SHELL ?? '/bin/sh', ...rest] = argv[0] === '--' ? argv.slice(1) : argv
  const { inNamespace } = await import('./machine.ts')
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
      const status = inspect(plan, machine)
      const matrix = await unlessInterrupted(pingAll(plan, machine), signal)
      removal = takeDown(plan.name, machine)
      print(options.output, { status, matrix, removal }, () =>
        [
          formatStatus(status),
          `Every pod pings every other, and the nodes. ${formatMatrix(matrix)}`,
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

async function build({ name, binDir }: Options, signal: AbortSignal, { owned }: { readonly owned: boolean }) {
  const topology: Topology = { ...twoNodes, name }
  const machine = await machineFor(binDir)
  const plan = await bringUp(topology, machine, { owned, run: (steps) => runSteps(steps, signal) })
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

const enter: Elsewhere = ({ name }) => runInside(name)

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
