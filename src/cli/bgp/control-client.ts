/** Asks a running speaker: what `overlab bgp show` and its like do. */
import { once } from 'node:events'
import { createConnection } from 'node:net'
import type { ErrorAnswer } from '../../bgp/control/answer.ts'
import type { CommandName } from '../../bgp/control/request.ts'
import { CommandError, Exit } from '../exit.ts'
import { linesOf } from './lines.ts'

export interface Answered<Row, Done> {
  readonly rows: readonly Row[]
  readonly done: Done
}

type Line<Row, Done> = { readonly rows: readonly Row[] } | { readonly done: Done } | { readonly error: ErrorAnswer }

/** CommandError when it is not running, or cannot do it. */
export async function ask<Row, Done>(
  path: string,
  command: CommandName,
  given: Readonly<Record<string, unknown>> = {},
): Promise<Answered<Row, Done>> {
  const socket = createConnection(path)
  try {
    await once(socket, 'connect')
  } catch (error) {
    throw unreachable(path, error as NodeJS.ErrnoException)
  }
  try {
    socket.write(`${JSON.stringify({ command, ...given })}\n`)
    const rows: Row[] = []
    for await (const text of linesOf(socket, Number.POSITIVE_INFINITY)) {
      const line = JSON.parse(text) as Line<Row, Done>
      if ('error' in line) throw refused(line.error)
      if ('done' in line) return { rows, done: line.done }
      rows.push(...line.rows)
    }
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError(Exit.environment, `The speaker behind "${path}" broke off: ${(error as Error).message}`)
  } finally {
    socket.destroy()
  }
  throw new CommandError(Exit.environment, `The speaker behind "${path}" has ended`)
}

function refused({ kind, message }: ErrorAnswer): CommandError {
  return new CommandError(kind === 'request' ? Exit.usage : Exit.no, message)
}

function unreachable(path: string, { code, message }: NodeJS.ErrnoException): CommandError {
  const why =
    code === 'ENOENT' || code === 'ECONNREFUSED'
      ? 'no speaker is running there; start one with "overlab bgp run", or say where with --socket'
      : message
  return new CommandError(Exit.environment, `Cannot ask the speaker at "${path}": ${why}`)
}
