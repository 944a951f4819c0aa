/**
 * What `npm test` runs, in this order. Each suite counts its own cases from what really ran.
 *
 *   types lint unit                               also `npm run ok`: no root, seconds
 *   root                                          our code against the machine's kernel
 *   mutants                                       bugs planted in the model, each found by random cases
 *   oracle                                        the model and the machine's kernel in random worlds, always the same
 *   conformance conformance-better conformance-node   the plugins against the reference, by cnidiff
 *   interop                                       containerd and podman run containers on our bridge
 *   bgp bgp-rows                                  our BGP speaker between BIRD, GoBGP, FRR and scripted peers
 *   uml                                           what this kernel lacks, in User-Mode Linux
 *   vm                                            the Vagrant lab's nodes, in three machines of QEMU's
 *   vagrant start                                 the two ways in: three VMs, and the lab
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MutantReport } from '../src/oracle/mutant/report.ts'
import { kinds } from '../src/oracle/random/kinds.ts'
import type { CampaignReport } from '../src/oracle/random/report.ts'
import { bgpPeers, referencePlugins } from '../test/support/peers.ts'
import { vlanCases } from '../test/uml/vlan-cases.ts'
import { run } from './run.ts'
import { JOURNAL, readJournal } from './vitest-journal.ts'

export interface Outcome {
  readonly passed: number
  /** Names of the cases that failed. */
  readonly failed: readonly string[]
  /** Names of the cases that did not run. They fail too unless ROADMAP.md names them. */
  readonly skipped: readonly string[]
}

export interface Suite {
  readonly name: string
  /** Part of `npm run ok`. */
  readonly quick: boolean
  run(): Promise<Outcome>
}

const root = join(import.meta.dirname, '..')
const executables = join(root, 'cni-bin')
const cnidiff = join(root, 'test/conformance/cnidiff')

const interop = join(root, 'test/interop')

const MINUTE = 60_000

/**
 * Cases that are for bridge, flannel, host-local, loopback and static, all of those below test/conformance/cases that need no
 * other plugin. Written down so that a build that lacks one of the five does not pass by running less.
 */
const CASES = { open: 97, openInAllModes: 289, better: 28 }

/** Random cases: as many of every kind there is, and always the same. */
const RANDOM = { casesOfAKind: 80, seed: 618 }

/** Checks of the two BGP suites, written down for the same reason. */
const CHECKS = { bgp: 134, rows: 514 }

export const suites: readonly Suite[] = [
  command('types', true, ['npm', 'run', '--silent', 'types']),
  command('lint', true, ['npm', 'run', '--silent', 'lint']),
  vitest('unit', true, 10 * MINUTE),
  vitest('root', false, 40 * MINUTE),
  mutants('mutants'),
  oracle('oracle'),
  conformance('conformance', { cases: 'open', mode: 'all', expected: CASES.openInAllModes }),
  conformance('conformance-better', { cases: 'better', mode: 'plain', expected: CASES.better }),
  conformance('conformance-node', { cases: 'open', mode: 'plain', expected: CASES.open, prepare: buildNodeScripts }),
  vitest('interop', false, 10 * MINUTE),
  bgp('bgp', { program: 'bgp/interop.py', expected: CHECKS.bgp }),
  bgp('bgp-rows', { program: 'bgp-rows/rows.py', expected: CHECKS.rows }),
  vitest('uml', false, 20 * MINUTE),
  vitest('vm', false, 20 * MINUTE),
  command('vagrant', false, ['sh', '-c', 'node scripts/vagrant/pack.mjs && vagrant validate --ignore-provider']),
  command('start', false, [process.execPath, 'scripts/start.ts']),
]

/** A program that passes or fails as one. */
function command(name: string, quick: boolean, argv: readonly string[]): Suite {
  return {
    name,
    quick,
    async run() {
      const succeeded = await run(argv, { limit: 5 * MINUTE })
      return { passed: succeeded ? 1 : 0, failed: succeeded ? [] : [argv.join(' ')], skipped: [] }
    },
  }
}

/** A project of vitest.config.ts. */
function vitest(project: string, quick: boolean, limit: number): Suite {
  return {
    name: project,
    quick,
    async run() {
      const argv = [
        'vitest',
        'run',
        '--project',
        project,
        '--reporter=default',
        '--reporter=./scripts/vitest-journal.ts',
      ]
      const { succeeded, text } = await withFile((file) => run(argv, { limit, env: { [JOURNAL]: file } }))
      return readJournal(text ?? '', succeeded)
    },
  }
}

/** Each planted bug must be found within the cases that src/oracle/mutant/report.ts grants. */
function mutants(name: string): Suite {
  return {
    name,
    quick: false,
    async run() {
      const { report } = await withReport<MutantReport>((file) =>
        run([process.execPath, 'scripts/oracle.ts', '--mutant', 'all', '--json', file], { limit: 20 * MINUTE }),
      )
      if (!report) return { passed: 0, failed: [`${name}: the oracle left no report`], skipped: [] }
      return { passed: report.found.length, failed: report.lost, skipped: [] }
    },
  }
}

/** The two kernels in the same worlds: src/oracle/random. */
function oracle(name: string): Suite {
  return {
    name,
    quick: false,
    async run() {
      const cases = RANDOM.casesOfAKind * kinds.length
      const argv = ['scripts/oracle.ts', '--cases', String(cases), '--seed', String(RANDOM.seed)]
      const { report } = await withReport<CampaignReport>((file) =>
        run([process.execPath, ...argv, '--json', file], { limit: 20 * MINUTE }),
      )
      if (!report) return { passed: 0, failed: [`${name}: the campaign left no report`], skipped: [] }
      const failed = [...report.failed]
      if (report.cases < cases) failed.push(`${name}: ${report.cases} cases were run, ${cases} must be`)
      return { passed: Math.max(0, report.cases - report.failed.length), failed, skipped: [] }
    },
  }
}

interface CnidiffReport {
  readonly cases: readonly { readonly name: string; readonly mode: string; readonly status: 'pass' | 'fail' | 'skip' }[]
}

interface ConformanceRun {
  /** Folder below test/conformance/cases. */
  readonly cases: 'open' | 'better'
  readonly mode: 'plain' | 'all'
  /** How many of them must run, at least. */
  readonly expected: number
  /** Builds another form of the plugins, and answers with its folder. */
  readonly prepare?: () => Promise<string>
}

/** Our plugins beside the reference: test/conformance/README.md. */
function conformance(
  name: string,
  { cases, mode, expected, prepare = async () => executables }: ConformanceRun,
): Suite {
  return {
    name,
    quick: false,
    async run() {
      const candidate = await prepare()
      const argv = [cnidiff, referencePlugins(), candidate, '--have', 'auto', '--mode', mode, '-j', '2']
      const folder = join(root, 'test/conformance/cases', cases)
      const { report } = await withReport<CnidiffReport>((file) =>
        run([...argv, '--cases', folder, '--json', file], { limit: 60 * MINUTE }),
      )
      if (!report) return { passed: 0, failed: [`${name}: cnidiff left no report`], skipped: [] }
      const named = (wanted: string) =>
        report.cases.filter(({ status }) => status === wanted).map((row) => `${row.mode}:${row.name}`)
      const failed = named('fail')
      if (report.cases.length < expected) {
        failed.push(`${name}: ${report.cases.length} cases were selected, ${expected} must be`)
      }
      // The suite uml runs these where the machine's kernel cannot.
      const skipped = named('skip').filter((row) => !vlanCases.some((vlan) => row.endsWith(`:${vlan}`)))
      return { passed: named('pass').length, failed, skipped }
    },
  }
}

interface InteropReport {
  readonly cmd: readonly {
    readonly id: string
    readonly text: string
    readonly status: 'PASS' | 'FAIL' | 'KNOWN' | 'SKIP'
  }[]
}

interface InteropRun {
  /** Below test/interop. */
  readonly program: string
  /** How many checks there must be, at least. */
  readonly expected: number
}

/** Our speaker seen from outside, by the kernel, the wire and the tables of real peers: test/interop/bgp/README.md. */
function bgp(name: string, { program, expected }: InteropRun): Suite {
  return {
    name,
    quick: false,
    async run() {
      const speaker = join(interop, 'speaker')
      const dut = [
        '--dut',
        'cmd',
        '--dut-cmd',
        `'${speaker}' {conf} {dir} {gr}`,
        '--dut-ctl',
        `'${speaker}-ctl' {dir} {verb}`,
      ]
      const { succeeded, report } = await withReport<InteropReport>((file) =>
        run(['python3', join(interop, program), ...dut, '--json', file], {
          limit: 20 * MINUTE,
          env: { BGP_PEERS: bgpPeers(), PYTHONDONTWRITEBYTECODE: '1' },
        }),
      )
      if (!report) return { passed: 0, failed: [`${name}: ${program} left no report`], skipped: [] }
      const checks = report.cmd
      const named = (wanted: (status: string) => boolean) =>
        checks.filter(({ status }) => wanted(status)).map(({ id, text }) => `${id} ${text}`)
      // Nothing is known of our speaker that would be forgiven.
      const failed = named((status) => status !== 'PASS' && status !== 'SKIP')
      if (checks.length < expected) failed.push(`${name}: ${checks.length} checks were made, ${expected} must be`)
      if (!succeeded && failed.length === 0) failed.push(`${name}: ${program} ended badly though no check failed`)
      return {
        passed: named((status) => status === 'PASS').length,
        failed,
        skipped: named((status) => status === 'SKIP'),
      }
    },
  }
}

async function buildNodeScripts(): Promise<string> {
  const folder = join(root, '.cache/cni-node')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  await run([process.execPath, 'scripts/build.mjs', '--node', folder], { limit: 5 * MINUTE })
  return folder
}

/** Runs something that writes a JSON report into the file it is given; there is none when that cannot be read. */
async function withReport<T>(
  write: (file: string) => Promise<boolean>,
): Promise<{ readonly succeeded: boolean; readonly report: T | undefined }> {
  const { succeeded, text } = await withFile(write)
  return { succeeded, report: parsed<T>(text) }
}

/** Runs something that writes a file; there is no text when it wrote none. */
async function withFile(
  write: (file: string) => Promise<boolean>,
): Promise<{ readonly succeeded: boolean; readonly text: string | undefined }> {
  const folder = mkdtempSync(join(tmpdir(), 'overlab-test-'))
  const file = join(folder, 'report.json')
  try {
    const succeeded = await write(file)
    return { succeeded, text: existsSync(file) ? readFileSync(file, 'utf8') : undefined }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function parsed<T>(text: string | undefined): T | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as T)
  } catch {
    return undefined // whoever asked says that there is none
  }
}
