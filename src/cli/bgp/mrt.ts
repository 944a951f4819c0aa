/** What an MRT file says: a line for each route, message and change of state; as JSON a document in each line. */
import { readFileSync } from 'node:fs'
import { BgpError } from '../../bgp/errors.ts'
import { type MrtRow, mrtRows, type PeerRow } from '../../bgp/mrt/rows.ts'
import { DecodeError } from '../../wire/errors.ts'
import { CommandError, Exit } from '../exit.ts'
import { complain, type Format } from '../output.ts'

/** Answers the exit status: of a file that is damaged the rows before the damage are shown. CommandError for one that is not there. */
export function showMrt(file: string, output: Format): number {
  const octets = readOctets(file)
  try {
    for (const row of mrtRows(octets)) {
      process.stdout.write(`${output === 'json' ? JSON.stringify(row) : formatRow(row)}\n`)
    }
    return Exit.yes
  } catch (error) {
    if (!(error instanceof DecodeError || error instanceof BgpError)) throw error
    complain(`"${file}": ${error.message}`)
    return Exit.usage
  }
}

function readOctets(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new CommandError(Exit.usage, `Cannot read "${file}": ${(error as NodeJS.ErrnoException).code}`, {
      cause: error,
    })
  }
}

export function formatRow(row: MrtRow): string {
  const time = new Date(row.time).toISOString()
  switch (row.kind) {
    case 'table':
      return `${time} table${row.view && ` ${JSON.stringify(row.view)}`} of ${row.collector}, ${row.peers.length} peers`
    case 'route': {
      const from = row.peer ? formatPeer(row.peer) : 'a peer that is not in the table'
      const path = row.pathId === undefined ? '' : ` path ${row.pathId}`
      return `${row.prefix}${path} from ${from}: ${row.attributes?.join(', ') ?? 'attributes are damaged'}`
    }
    case 'state':
      return `${time} ${row.peer} ${row.from} > ${row.to}`
    case 'message': {
      const prefixes = [...row.withdrawn.map((each) => `-${each}`), ...row.announced.map((each) => `+${each}`)]
      const said = [prefixes.join(' '), row.attributes.join(', '), row.text ?? ''].filter((part) => part !== '')
      return [`${time} ${row.peer} ${row.direction} ${row.type}`, said.join(': ')].join(' ').trimEnd()
    }
    case 'other':
      return `${time} a record of type ${row.type}, subtype ${row.subtype}, with ${row.octets} octets`
  }
}

function formatPeer({ address, as }: PeerRow): string {
  return `${address} AS ${as}`
}
