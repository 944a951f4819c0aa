/**
 * What a speaker answers (request.ts): lines of JSON, of which the last is `done` or `error`.
 *
 *   {"rows": [ … ]}        as many as there are, with some hundred rows each
 *   {"done": { … }}        what else there is to say
 *   {"error": { … }}       in place of it
 *
 * A table is a generator that is asked for its next line when there is time, and room in the socket: a hundred thousand routes
 * hold up neither KEEPALIVEs nor memory.
 */
import { didYouMean } from '../../json/near.ts'
import { formatBgpId } from '../bgp-id.ts'
import { ConfigError } from '../config/problem.ts'
import { FAMILIES, type Family } from '../family.ts'
import type { NeighbourStatus } from '../neighbour.ts'
import { formatPrefixKey } from '../nlri.ts'
import type { Fib } from '../node.ts'
import type { Ribs } from '../rib/ribs.ts'
import type { Speaker } from '../speaker.ts'
import { adjInRows, adjOutRows, routeRows, type WhyRow, why } from '../views.ts'
import { neighbourDetails, neighbourRow } from './neighbour-rows.ts'
import { type ArgumentsOf, type CommandName, parseRequest, type Request } from './request.ts'
import { familyOfScope, keyIn, keysIn } from './scope.ts'

/** What requests are about. */
export interface Controlled {
  readonly speaker: Speaker
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** undefined: routes are not written to the kernel. */
  readonly fib: Pick<Fib, 'isSettled' | 'refused'> | undefined
  /** Reads the configuration again. Fails with an Error when it cannot be used, and all is as it was. */
  reload(): Promise<void>
  /** All routes as an MRT file. Answers its octets. */
  dump(file: string): Promise<number>
  /** What is announced beside the configuration is another. */
  announcementsChanged(): void
  /** What is not as it should be beside sessions: what the kernel does not take, a store that is away. */
  warnings(): readonly string[]
}

export interface StatusAnswer {
  readonly version: string
  readonly name: string | undefined
  readonly routerId: string
  readonly as: number
  readonly startedAt: number
  readonly isReady: boolean
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
  readonly established: number
  readonly neighbors: number
  /** Prefixes with a best path. */
  readonly prefixes: Readonly<Record<Family, number>>
  readonly announced: number
  /** It waits for the routes of its peers after a restart. */
  readonly restarting: boolean
}

export interface KernelAnswer {
  readonly isWritten: boolean
  /** Every change has been written, or refused. */
  readonly isSettled: boolean
  readonly table: number | undefined
  readonly protocol: number | undefined
  readonly metric: number | undefined
  /** Prefixes with a best path, which the kernel is to have a route for. */
  readonly wanted: Readonly<Record<Family, number>>
  readonly refused: readonly { readonly what: string; readonly why: string }[]
}

export interface ErrorAnswer {
  /** `request`: it is none. `state`: the speaker cannot do it. */
  readonly kind: 'request' | 'state'
  readonly message: string
}

/** Rows in a line. */
const BATCH = 250

/** To be asked for a line at a time. It never fails. */
export async function* answer(line: string, controlled: Controlled): AsyncGenerator<string> {
  try {
    const { rows = [], done = {} } = await carryOut(parseRequest(line), controlled)
    let batch: unknown[] = []
    for (const row of rows) {
      batch.push(row)
      if (batch.length < BATCH) continue
      yield JSON.stringify({ rows: batch })
      batch = []
    }
    if (batch.length > 0) yield JSON.stringify({ rows: batch })
    yield JSON.stringify({ done })
  } catch (error) {
    const kind = error instanceof ConfigError ? 'request' : 'state'
    yield JSON.stringify({ error: { kind, message: (error as Error).message } satisfies ErrorAnswer })
  }
}

interface Answer {
  readonly rows?: Iterable<object>
  readonly done?: object
}

type Handler<N extends CommandName> = (asked: ArgumentsOf<N>, controlled: Controlled) => Answer | Promise<Answer>
type Handlers = { readonly [N in CommandName]: Handler<N> }

function carryOut(request: Request, controlled: Controlled): Answer | Promise<Answer> {
  const handler = HANDLERS[request.command] as (asked: Request, controlled: Controlled) => Answer | Promise<Answer>
  return handler(request, controlled)
}

const HANDLERS: Handlers = {
  status: (_, controlled) => ({ done: statusOf(controlled) }),
  neighbors: (_, { speaker }) => ({ rows: speaker.neighbours().map(neighbourRow) }),
  neighbor: ({ address }, { speaker }) => {
    const countSent = (family: Family) => count(adjOutRows(speaker.ribs, address, family))
    return { done: neighbourDetails(requireNeighbour(speaker, address), countSent) }
  },

  routes: ({ family, prefix }, { speaker: { ribs } }) => ({
    rows: prefix === undefined ? ofFamilies(family, (each) => routeRows(ribs, each)) : routesIn(ribs, prefix),
  }),
  count: ({ family }, { speaker: { ribs } }) => ({ done: { count: ribs.tables[family].size } }),
  why: ({ prefix }, { speaker: { ribs } }) => {
    const key = keyIn(ribs.tables[familyOfScope(prefix)], prefix)
    if (key === undefined) throw new RangeError(`There is no route for "${prefix}"`)
    const found = formatPrefixKey(key)
    return { rows: why(ribs, found), done: { prefix: found } }
  },
  'adj-in': ({ address, family }, { speaker }) => {
    requireNeighbour(speaker, address)
    return { rows: ofFamilies(family, (each) => adjInRows(speaker.received(address, each))) }
  },
  'adj-out': ({ address, family }, { speaker }) => {
    requireNeighbour(speaker, address)
    return { rows: ofFamilies(family, (each) => adjOutRows(speaker.ribs, address, each)) }
  },
  kernel: (_, controlled) => ({ done: kernelOf(controlled) }),

  announce: ({ prefixes, communities, blackhole }, { speaker, announcementsChanged }) => {
    speaker.announce(prefixes.map((prefix) => ({ prefix, communities, blackhole })))
    announcementsChanged()
    return { done: { announced: prefixes.length } }
  },
  withdraw: ({ prefixes }, { speaker, announcementsChanged }) => {
    const unknown = speaker.withdraw(prefixes)
    announcementsChanged()
    return { done: { withdrawn: prefixes.length - unknown.length, unknown } }
  },

  refresh: ({ address }, { speaker }) => {
    requireNeighbour(speaker, address)
    const families = speaker.refresh(address)
    if (families.length > 0) return { done: { families } }
    throw new RangeError(
      `Cannot ask neighbor "${address}" for its routes again: it has no session, or does not offer it`,
    )
  },
  enable: ({ address }, { speaker }) => {
    requireNeighbour(speaker, address)
    speaker.enable(address)
    return {}
  },
  disable: ({ address, text }, { speaker }) => {
    requireNeighbour(speaker, address)
    speaker.disable(address, text)
    return {}
  },
  reset: ({ address, text }, { speaker }) => {
    requireNeighbour(speaker, address)
    speaker.reset(address, text)
    return {}
  },
  drain: ({ address, undo }, { speaker }) => {
    requireNeighbour(speaker, address)
    speaker.drain(address, !undo)
    return {}
  },
  dump: async ({ file }, { dump }) => ({ done: { octets: await dump(file) } }),
  reload: async (_, { reload }) => {
    await reload()
    return {}
  },
}

function* ofFamilies<T>(family: Family | undefined, rows: (family: Family) => Iterable<T>): Generator<T> {
  for (const each of family === undefined ? FAMILIES : [family]) yield* rows(each)
}

function* routesIn(ribs: Ribs, scope: string): Generator<WhyRow> {
  for (const key of keysIn(ribs.tables[familyOfScope(scope)], scope)) yield* why(ribs, formatPrefixKey(key))
}

function count(rows: Iterable<unknown>): number {
  let number = 0
  for (const _ of rows) number++
  return number
}

/** Whether all sessions are there that should be, and why not. */
export function conditionOf(speaker: Speaker): { readonly isReady: boolean; readonly problems: readonly string[] } {
  const missing = speaker.neighbours().filter(({ state, disabled }) => state !== 'Established' && !disabled)
  return { isReady: missing.length === 0, problems: missing.map(({ description }) => description) }
}

export function statusOf({ speaker, version, startedAt, warnings }: Controlled): StatusAnswer {
  const { settings, ribs } = speaker
  const neighbours = speaker.neighbours()
  return {
    version,
    name: settings.name,
    routerId: formatBgpId(settings.routerId),
    as: settings.as,
    startedAt,
    ...conditionOf(speaker),
    warnings: warnings(),
    established: neighbours.filter(({ state }) => state === 'Established').length,
    neighbors: neighbours.length,
    prefixes: sizesOf(ribs),
    announced: speaker.announced.length,
    restarting: speaker.isDeferring,
  }
}

function sizesOf({ tables }: Ribs): Readonly<Record<Family, number>> {
  return { ipv4: tables.ipv4.size, ipv6: tables.ipv6.size }
}

function kernelOf({ speaker: { ribs, settings }, fib }: Controlled): KernelAnswer {
  const { table, protocol, metric } = settings.kernel ?? {}
  return {
    isWritten: fib !== undefined,
    isSettled: fib?.isSettled ?? true,
    table,
    protocol,
    metric,
    wanted: sizesOf(ribs),
    refused: fib?.refused ?? [],
  }
}

function requireNeighbour(speaker: Speaker, address: string): NeighbourStatus {
  const status = speaker.neighbour(address)
  if (status) return status
  const all = speaker.neighbours().map(({ settings }) => settings.session.address)
  throw new RangeError(`There is no neighbor "${address}"${didYouMean(address, all)}`)
}
