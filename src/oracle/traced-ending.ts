/** What became of a frame in Linux, from where it was seen and what the kernel's trace says of drops. */
import { fromHex } from '../trace/hex.ts'
import type { TracedDrop } from './drop-trace.ts'
import { type ReadFrame, readFrame } from './read-frame.ts'
import type { Expectation, Row } from './walk.ts'

/** `node:device`, where a neighbour did not answer. */
export type FailedNeighbours = readonly string[]

/** Dropped where the trace says so; else delivered by the device that it came in by last. */
export function endOfFrame(
  hex: string,
  rows: readonly Row[],
  drops: readonly TracedDrop[],
  failed: FailedNeighbours = [],
): Expectation | undefined {
  const { datagram } = readFrame(fromHex(hex))
  const isOfFrame = (row: Row) => readFrame(fromHex(row.hex)).datagram === datagram
  const drop = drops.findLast(({ row }) => isOfFrame(row))
  return drop ? expectationOf(drop, failed) : deliveredAt(rows.filter(isOfFrame))
}

/**
 * Of a conversation that succeeded: where its first frame came to. Of one that did not, the drop that decides: that of an ICMP
 * error which would have told the sender, else the first of all.
 */
export function lossOfConversation(
  rows: readonly Row[],
  drops: readonly TracedDrop[],
  succeeded: boolean,
  client: string,
): Expectation | undefined {
  const first = rows.find(({ at, dir }) => at.startsWith(client) && dir === 'out')
  if (succeeded) return first && endOfFrame(first.hex, rows, [])
  const frames = drops.map((drop) => ({ drop, frame: readFrame(fromHex(drop.row.hex)) }))
  const decides = frames.find(({ frame }) => isIcmpError(frame)) ?? frames.find(({ frame }) => isTcp(frame))
  return decides && expectationOf(decides.drop, [])
}

/** A packet that has waited for a neighbour in vain ends at the device that it waited for. */
function expectationOf({ reason, function: name, row }: TracedDrop, failed: FailedNeighbours): Expectation {
  const node = row.at.slice(0, row.at.indexOf(':'))
  const waitedFor = reason === 'NEIGH_FAILED' ? failed.find((at) => at.startsWith(`${node}:`)) : undefined
  return { reason, function: name, at: waitedFor ?? row.at }
}

function deliveredAt(rows: readonly Row[]): Expectation | undefined {
  const last = rows.findLast(({ dir }) => dir === 'in')
  return last && { disposition: 'delivered', at: last.at }
}

const isIcmpError = ({ layers }: ReadFrame) => layers.some(({ isQuoted }) => isQuoted)
const isTcp = ({ layers }: ReadFrame) => layers.some(({ protocol }) => protocol === 'tcp')
