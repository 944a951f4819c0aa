/** `overlab lab` with --engine model: the same commands, without root and on any operating system. */

import { quoteWords } from '../command/shell-words.ts'
import { didYouMean } from '../json/near.ts'
import { tellLearned } from '../lab/bgp/learned-routes.ts'
import { buildModelLab, type ModelLab } from '../lab/model-lab.ts'
import type { NodeAction } from '../lab/node-action.ts'
import { pingAll } from '../lab/ping.ts'
import { findPlace } from '../lab/place.ts'
import { inspect } from '../lab/status.ts'
import { traceInModel } from '../lab/trace.ts'
import { asUsage, CommandError, Exit } from './exit.ts'
import type { Options } from './lab-options.ts'
import { formatMatrix, formatStatus, formatVerdict, isReply } from './lab-tables.ts'
import { acrossNodes, formatAcross } from './lab-trace.ts'
import { addDeed, claimModel, listModels, type ModelState, readModel, removeModel } from './model-state.ts'
import { print } from './output.ts'
import { readStandardInput } from './standard-input.ts'

export async function up({ name, output, chosen, file, seed }: Options): Promise<number> {
  const state = { topology: chosen.topology, file: chosen.source?.file ?? file, seed }
  const lab = await build({ ...state, deeds: [] })
  if (!claimModel(state)) {
    throw new CommandError(
      Exit.no,
      `Lab "${name}" is up already: look at it with "overlab lab status", end it with "overlab lab down"`,
    )
  }
  const status = await inspect(lab.plan, lab.machine)
  print(output, status, () => formatStatus(status))
  return status.healthy ? Exit.yes : Exit.no
}

export async function down({ name, output }: Options): Promise<number> {
  const outcome = removeModel(name) ? 'removed' : 'absent'
  print(output, { name, outcome, complaints: [] }, () => `Lab "${name}" is ${outcome === 'absent' ? 'not up' : 'down'}`)
  return Exit.yes
}

export async function status({ name, output }: Options): Promise<number> {
  const { plan, machine } = await open(name)
  const status = await inspect(plan, machine)
  print(output, status, () => formatStatus(status))
  return status.healthy ? Exit.yes : Exit.no
}

export async function ping({ name, output }: Options): Promise<number> {
  const { plan, machine } = await open(name)
  const matrix = await pingAll(plan, machine)
  print(output, matrix, () => `${formatMatrix(matrix)}\n\n${formatVerdict(matrix)}`)
  return matrix.answers.every(({ answer }) => isReply(answer)) ? Exit.yes : Exit.no
}

export async function act({ name, output }: Options, node: string, action: NodeAction): Promise<number> {
  const lab = await open(name)
  const message = await asUsage(() => lab.act(node, action))
  addDeed(name, { node, action })
  print(output, { name, node, action }, () => message)
  return Exit.yes
}

/** What was run is done again for the next command: the lab is what was done to it. */
export async function exec({ name }: Options, target: string, argv: readonly string[]): Promise<number> {
  const lab = await open(name)
  const place = findPlace(target, lab.plan)
  if (!place) {
    const names = [...lab.plan.nodes, ...lab.plan.pods].map((each) => each.name)
    throw new CommandError(Exit.usage, `"${target}" is not in lab "${name}"${didYouMean(target, names)}`)
  }
  const words = argv[0] === '--' ? argv.slice(1) : argv
  if (words.length === 0) throw new CommandError(Exit.usage, 'Name a command: the model has no shell')
  // One word is a line as a shell takes it; several are a command that a shell has split already.
  const line = words.length === 1 ? words[0]! : quoteWords(words)
  const deed = { place: place.name, line }
  let stdin = ''
  const { status, stdout, stderr } = await lab.run(deed, () => {
    const text = readStandardInput()
    stdin += text
    return text
  })
  addDeed(name, { ...deed, ...(stdin && { stdin }) })
  process.stdout.write(stdout)
  process.stderr.write(stderr)
  return status
}

export async function demo({ output, chosen, file, seed }: Options): Promise<number> {
  const lab = await build({ topology: chosen.topology, file, seed, deeds: [] })
  const { plan, machine } = lab
  const status = await inspect(plan, machine)
  const matrix = await pingAll(plan, machine)
  const across = acrossNodes(plan, machine)
  const trace = across && (await tellLearned(traceInModel(across, lab), plan, machine))
  print(output, { status, matrix, ...(trace && { trace }) }, () =>
    [
      formatStatus(status),
      `Every pod pings every other, and the nodes. ${formatMatrix(matrix)}`,
      ...(trace ? [formatAcross(trace)] : []),
      `${formatVerdict(matrix)}, in the model: nothing of it was ever on this machine.`,
    ].join('\n\n'),
  )
  return status.healthy && matrix.answers.every(({ answer }) => isReply(answer)) ? Exit.yes : Exit.no
}

async function open(name: string): Promise<ModelLab> {
  const state = readModel(name)
  if (state) return build(state)
  const labs = listModels()
  const others = labs.length > 0 ? didYouMean(name, labs) : '; bring it up with "overlab lab up --engine model"'
  throw new CommandError(Exit.no, `Lab "${name}" is not up${others}`)
}

async function build({ topology, seed, deeds }: ModelState): Promise<ModelLab> {
  return asUsage(() => buildModelLab({ topology, deeds, ...(seed !== undefined && { seed }) }))
}
