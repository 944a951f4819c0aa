/**
 * Benchmarks, by group, each against those we are compared with. The table is Markdown: docs/benchmarks.md keeps one.
 *
 *   npm run bench -- cni [--json FILE] [--pairs N] [--runs N] [--beside COMMAND]
 *
 * It runs as root in network and mount namespaces of its own, and leaves nothing behind.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { inlineMore } from '../src/lab/inlining.ts'
import { benchBgp } from './bgp.ts'
import { benchCni } from './cni.ts'
import { benchModel } from './model.ts'
import { benchOverlay } from './overlay.ts'
import { formatTable, isMet, type Row } from './table.ts'

export interface Options {
  /** Pairs of runs, ours and theirs in turns. */
  readonly pairs: number
  /** How often all is repeated; of each row the median run counts. */
  readonly runs: number
  /** A command that is measured beside the others, where there is one. */
  readonly beside: string | undefined
  /** The one part of a group that is run; all of them where left out. */
  readonly only: string | undefined
  /** How long memory is watched under load. */
  readonly minutes: number
  /** Small numbers, to see whether all works; targets are for the great ones. */
  readonly quick: boolean
  say(line: string): void
}

interface Group {
  readonly about: string
  readonly runs?: number
  /** Options of Node for the process that measures. */
  readonly node?: readonly string[]
  readonly run: (options: Options) => Promise<Row[]>
}

/** Each group answers its rows. */
const groups: Readonly<Record<string, Group>> = {
  bgp: { about: 'the BGP speaker beside BIRD, GoBGP and FRR', run: benchBgp },
  cni: { about: 'the plugins against the reference plugins 1.9.1', run: benchCni },
  model: {
    about: 'packets through the model against the same path in the kernel, one thread',
    // Compiled beside the running program, the path comes out a tenth faster or slower, as it happens.
    node: ['--no-concurrent-recompilation'],
    run: benchModel,
  },
  overlay: {
    about: "the UDP backend against a loop as flannel's, VXLAN and plain routing; daemons and many leases",
    runs: 5,
    run: benchOverlay,
  },
}

const usage = `usage: npm run bench -- GROUP [--json FILE] [--pairs N] [--runs N] [--beside COMMAND] [--only PART] [--minutes N] [--quick]

${Object.entries(groups)
  .map(([name, { about }]) => `  ${name.padEnd(10)}${about}`)
  .join('\n')}

  --json FILE        also write the rows there
  --pairs N          pairs of runs, ours and theirs in turns (default 60; overlay and bgp have none)
  --runs N           how often; the median run counts (default 3, overlay 5)
  --beside COMMAND   overlay: another data path, which finds TUN, ADDRESS, PORT, MTU, SUBNET and NODE in its environment, takes
                     the TUN device and writes a line
  --only PART        overlay: path, leases, crowd, outage or soak; bgp: feed, mesh, flap, thousand or limit
  --minutes N        overlay: of load, while memory is watched (default 1)
  --quick            bgp: small tables and few nodes`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    json: { type: 'string' },
    pairs: { type: 'string', default: '60' },
    runs: { type: 'string' },
    beside: { type: 'string' },
    only: { type: 'string' },
    minutes: { type: 'string', default: '1' },
    quick: { type: 'boolean', default: false },
  },
})
const group = groups[positionals[0] ?? '']
if (values.help || !group || positionals.length > 1) {
  console.log(usage)
  process.exit(values.help ? 0 : 2)
}

const APART = 'OVERLAB_BENCH_APART'
if (!process.env[APART]) {
  const again = [process.execPath, ...(group.node ?? []), ...process.argv.slice(1)]
  const { status, error } = spawnSync('unshare', ['--net', '--mount', ...again], {
    stdio: 'inherit',
    env: { ...process.env, [APART]: '1' },
  })
  if (error) throw error
  process.exit(status ?? 1)
}

inlineMore()
const options: Options = {
  pairs: positive(values.pairs),
  runs: positive(values.runs ?? `${group.runs ?? 3}`),
  beside: values.beside,
  only: values.only,
  minutes: positive(values.minutes),
  quick: values.quick,
  say: (line) => process.stderr.write(`${line}\n`),
}
const rows = await group.run(options)
console.log(formatTable(rows))
const missed = rows.filter((row) => !isMet(row))
console.log(
  `\n${options.runs} runs of ${options.pairs} pairs on ${cpus().length} cores; ${missed.length} targets missed`,
)
if (values.json) writeFileSync(values.json, `${JSON.stringify({ ...options, rows }, null, 2)}\n`)
// What could not be measured may have left something that would keep the process.
process.exit(missed.length > 0 ? 1 : 0)

function positive(text: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new RangeError(`Cannot use "${text}" as a number of pairs, runs or minutes`)
}
