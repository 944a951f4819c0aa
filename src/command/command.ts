/**
 * What people type to look at a node and to change it: `ip`, `bridge`, `iptables`, `sysctl` … carried out on a LiveKernel,
 * so on Linux and on the model alike, with the output, the messages and the exit status of the real programs.
 *
 *   run ──── shell-words     a line as sh splits it
 *    └── ip/  bridge/  sysctl  conntrack  ping  iptables  ipset  nft      a Command each
 *
 * A form of a program that is not here is refused by its name and status 255; nothing is ever passed on to a shell.
 */
import type { LiveKernel } from '../kernel/live.ts'

/** How a program ended and what it wrote. */
export interface Outcome {
  /** Exit status: 0 is success. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Where a command runs. */
export interface Context {
  readonly kernel: LiveKernel
  /** Milliseconds of the clock that the kernel lives by: virtual on the model. Only differences count. */
  now(): number
  /** Waits by the same clock. */
  sleep(milliseconds: number): Promise<void>
  /** All that is left on the command's standard input, asked for by those that read it; nothing where left out. */
  readStdin?(): string
}

/** A program. `argv[0]` is the name it was called by. */
export type Command = (argv: readonly string[], context: Context) => Outcome | Promise<Outcome>

export function succeed(stdout = ''): Outcome {
  return { status: 0, stdout, stderr: '' }
}

/** `message` without its newline. */
export function fail(status: number, message: string): Outcome {
  return { status, stdout: '', stderr: `${message}\n` }
}

/** The program has this form, we do not: `ip: monitor`. */
export function notModelled(program: string, form: string, status = 255): Outcome {
  return fail(status, `overlab: ${program}: not modelled: ${form}`)
}
