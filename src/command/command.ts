/**
 * A command as people type it, carried out on a kernel: what it answers is what the real tool would have printed.
 *
 * What a tool can do and this room cannot is refused by name and changes nothing; nothing is silently left out.
 */
import type { LiveKernel } from '../kernel/live.ts'

export interface Outcome {
  /** Exit status. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export interface Context {
  /** The network namespace in which the command runs. */
  readonly kernel: LiveKernel
  /** What the command may read: iptables-restore, `nft -f -`. */
  readonly stdin?: string
}

/** `argv[0]` is the program's name, as it was typed. */
export type Command = (argv: readonly string[], context: Context) => Outcome | Promise<Outcome>

/** Ends a command: caught where it is run, and told as the tool tells it. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly status: number

  /** `message` is what goes to stderr, without the newline at its end. */
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The tool knows it, this room does not: `overlab: iptables: not modelled: -m foo`, status 2. */
export function notModelled(program: string, thing: string): CommandError {
  return new CommandError(2, `overlab: ${program}: not modelled: ${thing}`)
}

export function succeed(stdout = ''): Outcome {
  return { status: 0, stdout, stderr: '' }
}

export function fail(error: CommandError): Outcome {
  return { status: error.status, stdout: '', stderr: `${error.message}\n` }
}
