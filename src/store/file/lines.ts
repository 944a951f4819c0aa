/**
 * The lines of a log, each a JSON object:
 *
 *   {"store":1,"id":"5f0c…","compacted":40}                                    first of all; what was before 40 is forgotten
 *   {"leases":[{"id":"a1","granted":86400,"until":1763760000000}]}             granted, or kept alive
 *   {"revision":41,"writes":[{"put":"/a","value":"1","lease":"a1"},{"delete":"/b"}]}
 *   {"revision":42,"writes":[{"delete":"/a"}],"ended":["a1"]}                  a lease has ended
 *
 * A line takes effect as a whole. After a compaction the first lines put what there was, each at its own revision.
 */
import type { Lease, State, Step } from '../state.ts'
import type { LeaseId, Revision, Write } from '../store.ts'

const VERSION = 1

export interface Header {
  /** Of the store: another one in its place has another. */
  readonly id: string
  readonly compacted: Revision
}

export function formatHeader({ id, compacted }: Header): string {
  return `${JSON.stringify({ store: VERSION, id, compacted: Number(compacted) })}\n`
}

/** Undefined when it is none that we know. */
export function parseHeader(line: string): Header | undefined {
  const { store, id, compacted } = parseObject(line) ?? {}
  if (store !== VERSION || typeof id !== 'string' || !isRevision(compacted)) return undefined
  return { id, compacted: BigInt(compacted) }
}

export function formatStep({ revision, writes, leases, ended }: Step): string {
  const fields = {
    ...(revision !== undefined && { revision: Number(revision) }),
    ...(writes.length > 0 && { writes }),
    ...(leases.length > 0 && { leases }),
    ...(ended.length > 0 && { ended }),
  }
  return `${JSON.stringify(fields)}\n`
}

/** Undefined when it is none. */
export function parseStep(line: string): Step | undefined {
  const fields = parseObject(line)
  if (!fields) return undefined
  const { revision, writes = [], leases = [], ended = [] } = fields
  if (revision !== undefined && !isRevision(revision)) return undefined
  if (!isArrayOf(writes, isWrite) || !isArrayOf(leases, isLease) || !isArrayOf(ended, isText)) return undefined
  if (writes.length > 0 && revision === undefined) return undefined
  return { ...(revision !== undefined && { revision: BigInt(revision) }), writes, leases, ended }
}

/** All that the state holds, so that reading it makes the same state. */
export function formatState(id: string, state: State): string {
  const { entries, revision } = state.list('')
  const oldestFirst = entries.toSorted((left, right) => Number(left.revision - right.revision))
  const steps: Step[] = [
    { writes: [], leases: state.leases, ended: [] },
    ...oldestFirst.map(({ key, value, lease, revision }) => {
      const write = { put: key, value, ...(lease !== undefined && { lease }) }
      return { revision, writes: [write], leases: [], ended: [] }
    }),
    { revision, writes: [], leases: [], ended: [] },
  ]
  return formatHeader({ id, compacted: revision }) + steps.map(formatStep).join('')
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined // whoever asked says which line it is
  }
}

function isArrayOf<T>(value: unknown, isOne: (each: unknown) => each is T): value is T[] {
  return Array.isArray(value) && value.every(isOne)
}

function isRevision(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0
}

function isText(value: unknown): value is LeaseId {
  return typeof value === 'string'
}

function isWrite(value: unknown): value is Write {
  const write = value as { put?: unknown; value?: unknown; lease?: unknown; delete?: unknown } | null
  if (isText(write?.delete)) return true
  return isText(write?.put) && isText(write.value) && (write.lease === undefined || isText(write.lease))
}

function isLease(value: unknown): value is Lease {
  const lease = value as Partial<Lease> | null
  return isText(lease?.id) && Number.isSafeInteger(lease.granted) && Number.isSafeInteger(lease.until)
}
