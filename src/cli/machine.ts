/** The machine that a lab from the command line is built on: the real kernel, and this process's own host. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout } from 'node:timers/promises'
import type { Outcome } from '../command/command.ts'
import { runEach } from '../command/run.ts'
import { parseElsewhere, siblingPath } from '../lab/elsewhere.ts'
import type { Listener, Machine } from '../lab/machine.ts'
import type { Impair } from '../lab/topology.ts'
import { UnsupportedError } from '../lab/unsupported-error.ts'
import { host } from '../linux/host.ts'
import { liveLinux } from '../linux/live.ts'
import { nodeCommand } from './ends-with-us.ts'
import { linuxDaemons } from './lab-daemons.ts'
import { linuxSpeakers } from './lab-speakers.ts'
import { inNamespace, processes } from './processes.ts'

const STATE_DIRECTORY = '/run/overlab/lab'

export function linuxMachine(pluginDirectories: readonly string[]): Machine {
  const kernel = liveLinux()
  return {
    kernel,
    host,
    hostIn: (path) => ({ ...host, run: (...program) => inNamespace(path, () => host.run(...program)) }),
    runLine: (path, line, readStdin) =>
      runEach(line, (words) => {
        const elsewhere = parseElsewhere(words)
        const place = elsewhere ? siblingPath(path, elsewhere) : path
        return inNamespace(place, () => runProgram(elsewhere?.words ?? words, readStdin?.()))
      }),
    impair,
    listen,
    until,
    stateDirectory: STATE_DIRECTORY,
    pluginDirectories,
    processes,
    daemons: linuxDaemons(kernel),
    speakers: linuxSpeakers(),
  }
}

/** By tc(8): tbf for a rate, netem for the rest, which not every kernel has. */
function impair(path: string, link: string, { delay, jitter, loss, rate }: Impair): void {
  const netem = [
    ...(delay ? ['delay', delay, ...(jitter ? [jitter] : [])] : []),
    ...(loss ? ['loss', loss] : []),
    ...(rate ? ['rate', rate] : []),
  ]
  const tbf = ['rate', rate ?? '', 'burst', '32kbit', 'latency', '400ms']
  const onlyRate = rate !== undefined && !delay && !loss
  const kind = onlyRate ? ['tbf', ...tbf] : ['netem', ...netem]
  const { status, stderr } = inNamespace(path, () => runProgram(['tc', 'qdisc', 'add', 'dev', link, 'root', ...kind]))
  if (status === 0) return
  const named = Object.entries({ delay, jitter, loss }).flatMap(([name, value]) => (value ? [`impair.${name}`] : []))
  if (onlyRate || named.length === 0) throw new RangeError(`Cannot slow ${link}: ${stderr.trim()}`)
  throw new UnsupportedError(`unsupported: ${named.join(', ')} (this kernel has no netem: ${stderr.trim()})`)
}

/** Milliseconds between two looks. */
const LOOK_AGAIN = 2

/** What happens is told by callbacks of the event loop; between two of its turns one looks whether it was that. */
async function until(done: () => boolean, milliseconds: number): Promise<boolean> {
  const end = performance.now() + milliseconds
  while (!done() && performance.now() < end) await setTimeout(LOOK_AGAIN)
  return done()
}

const LISTEN = join(import.meta.dirname, import.meta.filename.endsWith('.ts') ? 'listen.ts' : 'listen.js')

/** A process that answers there, and outlives us. The lab ends it with everything else that is in the namespace. */
async function listen(path: string, ports: readonly string[]): Promise<Listener> {
  const child = inNamespace(path, () =>
    spawn(...nodeCommand(LISTEN, ...ports), { detached: true, stdio: ['ignore', 'pipe', 'pipe'] }),
  )
  const [ready] = await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  if (!Buffer.isBuffer(ready)) {
    throw new RangeError(`Cannot listen at ${ports.join(', ')}: ${(await text(child.stderr)).trim()}`)
  }
  child.stdout.destroy()
  child.stderr.destroy()
  child.unref()
  return {
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.ref()
      child.kill('SIGKILL') // nothing of it is worth tidying up
      await once(child, 'exit')
    },
  }
}

/** A program of the machine, by PATH. Its own complaint where there is none of this name. */
function runProgram([program, ...argv]: readonly string[], input?: string): Outcome {
  const { status, error, stdout, stderr } = spawnSync(program!, argv, { encoding: 'utf8', ...(input && { input }) })
  if (error) return { status: 127, stdout: '', stderr: `Cannot run "${program}": ${error.message}\n` }
  return { status: status ?? 128, stdout, stderr }
}
