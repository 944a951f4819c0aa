/** How a command ends in the middle: with a message and a status, as exit(3) does. */
import { KernelError } from '../kernel/errors.ts'
import type { Outcome } from './command.ts'

/** Thrown by a command for `ending` to catch. */
export class Exit extends Error {
  override name = 'Exit'
  readonly status: number

  /** `message` without its newline; empty: nothing is said. */
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The command has this form, we do not. */
export class NotModelled extends Exit {
  override name = 'NotModelled'

  constructor(program: string, form: string, status = 255) {
    super(status, `overlab: ${program}: not modelled: ${form}`)
  }
}

/** What a command has written, until it ends. */
export interface Streams {
  stdout: string
  stderr: string
}

/** Runs the command to its end. `refused` says what a KernelError that nobody has caught means for it. */
export async function ending(
  refused: (error: KernelError) => Exit,
  run: (streams: Streams) => number | undefined | Promise<number | undefined>,
): Promise<Outcome> {
  const streams: Streams = { stdout: '', stderr: '' }
  try {
    return { status: (await run(streams)) ?? 0, ...streams }
  } catch (error) {
    const exit = error instanceof KernelError ? refused(error) : error
    if (!(exit instanceof Exit)) throw error
    const { stdout } = streams
    return { status: exit.status, stdout, stderr: streams.stderr + (exit.message && `${exit.message}\n`) }
  }
}
