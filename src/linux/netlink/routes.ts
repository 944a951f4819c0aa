/** Asks the kernel for what route.ts encodes: one route at a time, or many with few system calls. */
import type { Family } from '../../address/ip.ts'
import { isErrno, KernelError } from '../../kernel/errors.ts'
import type { Route, RouteFilter, Routes } from '../../kernel/route.ts'
import { linkNames, requireLinkIndex } from './link-index.ts'
import type { NetlinkMessage } from './message.ts'
import {
  decodeRoute,
  encodeListRoutes,
  encodeLookup,
  encodeRoute,
  type LookupOptions,
  type RouteOperation,
  RTM_PROTOCOL,
} from './route.ts'
import { RouteBatch } from './route-batch.ts'
import { MAX_BATCH, type NetlinkSocket } from './socket.ts'

export class LinuxRoutes implements Routes {
  readonly #socket: () => NetlinkSocket
  readonly #open: () => NetlinkSocket

  /** `open` answers a new one, for whoever keeps it busy. */
  constructor(socket: () => NetlinkSocket, open: () => NetlinkSocket) {
    this.#socket = socket
    this.#open = open
  }

  list(filter: RouteFilter = {}): Route[] {
    const families: Family[] = filter.family ? [filter.family] : ['ipv4', 'ipv6']
    return families.flatMap((family) => this.#list(family, filter))
  }

  *parts(filter: RouteFilter = {}): Generator<readonly Route[]> {
    const families: Family[] = filter.family ? [filter.family] : ['ipv4', 'ipv6']
    const socket = this.#open()
    try {
      for (const family of families) {
        const { call, message, decode } = listing(family, filter, socket.descriptor)
        try {
          yield* socket.dumpParts(call, message, decode)
        } catch (error) {
          if (!isTableMissing(filter, error)) throw error
        }
      }
    } finally {
      socket.close()
    }
  }

  hasTable(table: number, family: Family): boolean {
    const socket = this.#socket()
    const { call, message } = listing(family, { table }, socket.descriptor)
    try {
      socket.dump(call, message, () => undefined)
      return true
    } catch (error) {
      if (isTableMissing({ table }, error)) return false
      throw error
    }
  }

  lookup(destination: string, options: LookupOptions = {}): Route | undefined {
    const call = `look up the route to "${destination}"`
    const socket = this.#socket()
    const message = encodeLookup(destination, options, (link) => requireLinkIndex(socket.descriptor, link, call))
    try {
      const nameOf = linkNames(socket.descriptor)
      return socket.get(call, message, ({ payload }) => decodeRoute(payload, nameOf, 'clones'))
    } catch (error) {
      if (isErrno(error, 'ENETUNREACH')) return undefined
      throw error
    }
  }

  add(route: Route): void {
    this.#change('add', route)
  }

  append(route: Route): void {
    this.#change('append', route)
  }

  prepend(route: Route): void {
    this.#change('prepend', route)
  }

  replace(route: Route): void {
    this.#change('replace', route)
  }

  delete(route: Route): void {
    this.#change('delete', route)
  }

  batch(
    changes: readonly { readonly operation: RouteOperation; readonly route: Route }[],
  ): { readonly index: number; readonly errno: string }[] {
    const call = `make ${changes.length} changes to routes`
    const socket = this.#socket()
    const batch = new RouteBatch(linkIndexes(socket.descriptor, call))
    const refusals: { index: number; errno: string }[] = []
    // By the places of their messages.
    let indexes: number[] = []
    for (let index = 0; index < changes.length; index++) {
      const { operation, route } = changes[index]!
      try {
        batch.add(operation, route)
        indexes.push(index)
      } catch (error) {
        if (!(error instanceof KernelError)) throw error
        refusals.push({ index, errno: error.errno }) // its link is not there
      }
      const isFull = batch.count === MAX_BATCH || index === changes.length - 1
      if (!isFull || batch.count === 0) continue
      for (const { index: place, refusal } of socket.batch(call, batch.take())) {
        refusals.push({ index: indexes[place]!, errno: refusal.errno })
      }
      indexes = []
    }
    return refusals.sort((a, b) => a.index - b.index)
  }

  #list(family: Family, filter: RouteFilter): Route[] {
    const socket = this.#socket()
    const { call, message, decode } = listing(family, filter, socket.descriptor)
    try {
      return socket.dump(call, message, decode)
    } catch (error) {
      if (isTableMissing(filter, error)) return []
      throw error
    }
  }

  #change(operation: RouteOperation, route: Route): void {
    const call = `${operation} route "${route.destination}"`
    const socket = this.#socket()
    const message = encodeRoute(operation, route, (link) => requireLinkIndex(socket.descriptor, link, call))
    socket.request(call, message)
  }
}

/** What is asked for a list, and what is made of each answer: undefined where it is not to be in the list. */
function listing(family: Family, filter: RouteFilter, descriptor: number) {
  const call = `list ${family} routes`
  const { table, link, protocol, exceptProtocol } = filter
  const index = link === undefined ? 0 : requireLinkIndex(descriptor, link, call)
  const nameOf = linkNames(descriptor)
  const decode = ({ payload }: NetlinkMessage): Route | undefined => {
    // Most of what is in a table may be what is not asked for.
    if (exceptProtocol !== undefined && payload[RTM_PROTOCOL] === exceptProtocol) return undefined
    const route = decodeRoute(payload, nameOf)
    const isWanted =
      route !== undefined &&
      // A kernel without IPv6 answers with all the routes it has.
      (family === 'ipv6') === route.destination.includes(':') &&
      (table === undefined || route.table === table) &&
      (protocol === undefined || route.protocol === protocol) &&
      (link === undefined || route.link === link || route.nextHops?.some((hop) => hop.link === link))
    return isWanted ? route : undefined
  }
  return { call, message: encodeListRoutes(family, filter, index), decode }
}

/** No such table, so nothing in it. */
function isTableMissing({ table }: RouteFilter, error: unknown): boolean {
  return table !== undefined && isErrno(error, 'ENOENT')
}

/** requireLinkIndex, asking once for each name. */
function linkIndexes(descriptor: number, call: string): (name: string) => number {
  const indexes = new Map<string, number>()
  return (name) => {
    let index = indexes.get(name)
    if (index === undefined) {
      index = requireLinkIndex(descriptor, name, call)
      indexes.set(name, index)
    }
    return index
  }
}
