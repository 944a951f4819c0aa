/** Runs plans of programs through launch.c, which measures what starting them from here would blur. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Start {
  /** Starts that follow each other with the same batch are started together. */
  readonly batch: string
  readonly program: string
  /** A file. */
  readonly stdin: string
  readonly environment: Readonly<Record<string, string>>
}

export interface Batch {
  /** From the first start to the last end. */
  readonly milliseconds: number
  /** Of the largest of its programs. */
  readonly peakKilobytes: number
}

export type Launcher = (plan: readonly Start[]) => Batch[]

/** Compiles launch.c; answers what carries a plan out, a result per batch. */
export function compileLauncher(): Launcher {
  const directory = mkdtempSync(join(tmpdir(), 'overlab-bench-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  const launch = join(directory, 'launch')
  const source = join(import.meta.dirname, 'launch.c')
  run(process.env.CC || 'cc', ['-O2', '-static', '-s', source, '-o', launch])
  return (plan) => {
    const lines = plan.map(({ batch, program, stdin, environment }) =>
      [batch, program, stdin, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)].join('\t'),
    )
    return readBatches(run(launch, [join(directory, 'output')], `${lines.join('\n')}\n`))
  }
}

function readBatches(output: string): Batch[] {
  const batches: Batch[] = []
  let last: string | undefined
  let first = 0n
  for (const line of output.trimEnd().split('\n')) {
    const [batch, start, end, peak] = line.split('\t') as [string, string, string, string]
    const before = batch === last ? batches.pop() : undefined
    if (!before) first = BigInt(start)
    batches.push({
      milliseconds: Math.max(before?.milliseconds ?? 0, Number(BigInt(end) - first) / 1e6),
      peakKilobytes: Math.max(before?.peakKilobytes ?? 0, Number(peak)),
    })
    last = batch
  }
  return batches
}

function run(program: string, args: readonly string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { input, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) throw new Error(`Cannot run "${program}": ${error?.message ?? stderr}`)
  return stdout
}
