/** `overlab test`: what topology files expect of themselves, asked in either engine. */
import { writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { didYouMean } from '../json/near.ts'
import type { Bench } from '../lab/tests/bench.ts'
import { isLike, type TopologyTest } from '../lab/tests/description.ts'
import type { ClaimResult } from '../lab/tests/exercise.ts'
import type { TestResult, TestRun } from '../lab/tests/run.ts'
import { OWN_PLUGINS } from './cni.ts'
import { asUsage, CommandError, Exit } from './exit.ts'
import { abortable, interruptible } from './interrupt.ts'
import { readModel } from './model-state.ts'
import { complain } from './output.ts'
import { runQuietly } from './progress.ts'
import { countOf, type Reporter, type Suite } from './test/report.ts'
import { type ChosenTopology, chooseTopology } from './topology.ts'

const FORMATS = ['text', 'tap', 'junit', 'json'] as const
type Format = (typeof FORMATS)[number]
type Engine = 'model' | 'kernel'

interface Output {
  readonly format: Format
  /** Left out: stdout. */
  readonly file?: string
}

interface Options {
  readonly engine?: Engine | 'both'
  readonly output: Output
  readonly fault: readonly string[]
  readonly only: readonly string[]
  readonly seed?: number
  readonly exercise?: true
}

export function declareTest(test: Command): void {
  const again = (name: string, before: readonly string[]) => [...before, name]
  const seed = (text: string) => {
    const number = Number(text)
    if (/^[0-9]+$/.test(text) && Number.isSafeInteger(number)) return number
    throw new InvalidArgumentError('A seed is a whole number.')
  }
  test
    .argument('[files...]', 'topology files; left out, the only one here')
    .addOption(new Option('--engine <engine>', 'where').choices(['model', 'kernel', 'both']).env('OVERLAB_ENGINE'))
    .addOption(
      new Option('-o, --output <format[=file]>', 'what to print, or to write into a file')
        .choices(FORMATS)
        .argParser(parseOutput)
        .default({ format: 'text' }, 'text')
        .env('OVERLAB_OUTPUT'),
    )
    .addOption(
      new Option('--fault <name>', "one of the files' faults, for all tests; may be given again")
        .default([] as readonly string[], 'none')
        .argParser(again),
    )
    .addOption(
      new Option('--only <name>', 'a test, * for anything; may be given again')
        .default([] as readonly string[], 'all')
        .argParser(again),
    )
    .addOption(new Option('--seed <number>', 'of chance in the model').argParser(seed))
    .addOption(
      new Option(
        '--exercise',
        'whether the exercise of the file can be done: its fault, its sentence, its fix',
      ).conflicts(['fault', 'only']),
    )
    .addHelpText(
      'after',
      '\nEnds with 0 when all pass, 1 when one fails, 2 for a file that is wrong or has no tests, 3 for what is not modelled.',
    )
    .action(async (files: string[]) => {
      process.exitCode = await run(files, test.opts<Options>())
    })
}

function parseOutput(text: string): Output {
  const [, format = '', file] = /^([^=]*)(?:=(.+))?$/s.exec(text) ?? []
  if (FORMATS.includes(format as Format)) return { format: format as Format, ...(file !== undefined && { file }) }
  throw new InvalidArgumentError(`Allowed choices are ${FORMATS.join(', ')}, with =FILE behind it to write a file.`)
}

interface Chosen extends ChosenTopology {
  readonly path: string | undefined
  readonly tests: readonly TopologyTest[]
  readonly engines: readonly Engine[]
}

async function run(files: readonly string[], options: Options): Promise<number> {
  const chosen: Chosen[] = []
  for (const path of files.length > 0 ? files : [undefined]) chosen.push(await choose(path, options))
  if (chosen.some(({ engines }) => engines.includes('kernel')) && process.geteuid?.() !== 0) {
    const { runInOwnNamespaces, runInside } = await import('./rootless.ts')
    const inside = chosen.length === 1 ? await runInside(chosen[0]!.topology.name) : undefined
    return inside ?? runInOwnNamespaces()
  }
  const { output } = options
  const isOneOfSeveral = chosen.reduce((sum, { engines }) => sum + engines.length, 0) > 1
  const reporter = await reporterOf(output, isOneOfSeveral)
  let written = ''
  const write = (text = '') => {
    if (output.file === undefined) process.stdout.write(text)
    else written += text
  }
  const suites: Suite[] = []
  for (const each of chosen) {
    for (const engine of each.engines) suites.push(await runSuite(each, engine, options, reporter, write))
  }
  write(reporter.end(suites))
  if (output.file !== undefined) {
    writeReport(output.file, written)
    process.stdout.write(`${countOf(suites, 'passed')} passed, ${countOf(suites, 'failed')} failed\n`)
  }
  if (countOf(suites, 'failed') > 0) return Exit.no
  return countOf(suites, 'unsupported') > 0 ? Exit.unsupported : Exit.yes
}

/** CommandError that names the line of everything that is wrong. */
async function choose(path: string | undefined, { engine, fault, only, exercise }: Options): Promise<Chosen> {
  const { testFaults } = await import('../lab/tests/check-tests.ts')
  const chosen = chooseTopology(path)
  const { topology, source } = chosen
  const name = path ?? source?.file ?? topology.name
  const wrong = testFaults(topology)
  if (wrong.length > 0) {
    const lines = wrong.map(({ path: keys, message }) => (source ? `${source.placeOf(keys)}: ${message}` : message))
    throw new CommandError(Exit.usage, lines.join('\n'))
  }
  const all = topology.tests ?? []
  if (all.length === 0) throw new CommandError(Exit.usage, `"${name}" has no tests`)
  if (exercise && !topology.exercise) throw new CommandError(Exit.usage, `"${name}" has no exercise`)
  const names = all.map((test) => test.name)
  for (const pattern of only) {
    if (names.some((each) => isLike(each, pattern, '*'))) continue
    throw new CommandError(Exit.usage, `"${pattern}" is no test of "${name}"${didYouMean(pattern, names)}`)
  }
  const faults = Object.keys(topology.faults ?? {})
  for (const each of fault) {
    if (faults.includes(each)) continue
    throw new CommandError(Exit.usage, `"${each}" is no fault of "${name}"${didYouMean(each, faults)}`)
  }
  const tests = only.length === 0 ? all : all.filter((test) => only.some((pattern) => isLike(test.name, pattern, '*')))
  const wanted = engine ?? topology.engine ?? 'model'
  const engines: readonly Engine[] = wanted === 'both' ? ['model', 'kernel'] : [wanted]
  const possible = exercise ? engines.filter((each) => topology.exercise?.engines?.includes(each) ?? true) : engines
  return { ...chosen, path, tests, engines: possible }
}

async function reporterOf({ format, file }: Output, isOneOfSeveral: boolean): Promise<Reporter> {
  switch (format) {
    case 'text':
      return (await import('./test/text.ts')).textReporter(
        file === undefined && (process.stdout.hasColors?.() ?? false),
      )
    case 'tap':
      return (await import('./test/tap.ts')).tapReporter(isOneOfSeveral)
    case 'junit':
      return (await import('./test/junit.ts')).junitReporter
    case 'json':
      return (await import('./test/json.ts')).jsonReporter
  }
}

async function runSuite(
  { topology, source, path, tests }: Chosen,
  engine: Engine,
  { fault, seed, exercise }: Options,
  reporter: Reporter,
  write: (text?: string) => void,
): Promise<Suite> {
  const { runTests } = await import('../lab/tests/run.ts')
  const standing = engine === 'model' && !exercise ? readModel(topology.name) : undefined
  const used = seed ?? standing?.seed
  const suite: Suite = {
    name: topology.name,
    file: path,
    engine,
    kernel: engine === 'model' ? (await import('../model/profile/linux-6.18.ts')).linux618.name : release(),
    seed: engine === 'model' ? (used ?? 1) : undefined,
    faults: fault,
    results: [],
  }
  write(reporter.begin?.(suite, tests.length))
  const { modelBench, kernelBench } = await import('../lab/tests/bench.ts')
  const described = { topology, source }
  let number = 0
  const testing = async (open: () => Promise<Bench>): Promise<readonly TestResult[]> => {
    const onResult = (result: TestResult) => write(reporter.result?.(result, ++number))
    const run: TestRun = {
      topology,
      faults: fault,
      open,
      now: () => performance.now(),
      onResult,
      onComplaint: complain,
    }
    if (!exercise) return asUsage(() => runTests(tests, run))
    const { proveExercise } = await import('../lab/tests/exercise.ts')
    const claims = await asUsage(() => proveExercise(topology.exercise!, tests, run))
    const results = claims.map((claim) => resultOf(claim))
    for (const result of results) onResult(result)
    return results
  }
  if (engine === 'model') {
    return { ...suite, results: await testing(() => modelBench(described, { seed: used, standing })) }
  }
  return interruptible(async (signal) => {
    const { linuxMachine } = await import('./machine.ts')
    const machine = abortable(linuxMachine(OWN_PLUGINS.split(':')), signal)
    const open = async () => {
      const bench = await kernelBench(described, machine, (steps) => runQuietly(steps, signal))
      if (bench?.isStanding && (fault.length > 0 || exercise)) {
        throw new CommandError(
          Exit.usage,
          `Lab "${topology.name}" is up, and would stay broken: run what breaks it by "overlab lab exec", or take the lab down first`,
        )
      }
      if (bench) return bench
      throw new CommandError(Exit.no, `Lab "${topology.name}" is being brought up by another command`)
    }
    return { ...suite, results: await testing(open) }
  })
}

const CLAIMS: Readonly<Record<ClaimResult['claim'], string>> = {
  well: 'without its fault all tests pass',
  broken: 'with its fault those fail that it names, and no others',
  told: 'the trace of the first says what, where, and how it is mended',
  mended: 'when that has been run, all tests pass',
}

function resultOf({ claim, holds, message, decisive, milliseconds }: ClaimResult): TestResult {
  const { question = '', trace } = decisive ?? {}
  return { name: CLAIMS[claim], status: holds ? 'passed' : 'failed', message, question, trace, milliseconds }
}

function writeReport(path: string, report: string): void {
  try {
    writeFileSync(path, report)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new CommandError(Exit.usage, `Cannot write the report "${path}": ${code}`, { cause: error })
  }
}
