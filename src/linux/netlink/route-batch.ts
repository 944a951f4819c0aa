/**
 * Many changes to routes as one datagram.
 *
 * A table has many destinations and few ways there: most routes differ from the one before in their destination alone. The message
 * of such a one is a copy of the last, with another RTA_DST, which is a fraction of the work of encoding it.
 */
import { type Prefix, readPrefix } from '../../address/prefix.ts'
import type { Route } from '../../kernel/route.ts'
import { DESTINATION_AT, DESTINATION_LENGTH_AT, encodeRoute, type RouteOperation } from './route.ts'

/** Room for a hundred routes by a gateway. */
const CAPACITY = 8192

interface Last {
  readonly operation: RouteOperation
  readonly route: Route
  /** Octets of its destination's address. */
  readonly size: number
  /** Where its message begins and ends. */
  readonly at: number
  readonly end: number
}

export class RouteBatch {
  readonly #indexOf: (link: string) => number
  #bytes = new Uint8Array(CAPACITY)
  #length = 0
  #count = 0
  #last: Last | undefined

  constructor(indexOf: (link: string) => number) {
    this.#indexOf = indexOf
  }

  /** Messages. */
  get count(): number {
    return this.#count
  }

  /** Throws what `indexOf` does; then nothing has been added. */
  add(operation: RouteOperation, route: Route): void {
    const last = this.#last
    const destination = readPrefix(route.destination)
    const isLike =
      last !== undefined &&
      destination !== undefined &&
      last.operation === operation &&
      last.size === destination.address.length &&
      destination.length > 0 &&
      leadTheSameWay(last.route, route)
    if (isLike) this.#addLike(last, destination)
    else this.#addOther(operation, route, destination)
    this.#count++
  }

  /** The datagram, for as long as nothing more is added. */
  take(): Uint8Array {
    const datagram = this.#bytes.subarray(0, this.#length)
    this.#length = 0
    this.#count = 0
    this.#last = undefined
    return datagram
  }

  #addLike({ at, end }: Last, { address, length }: Prefix): void {
    const to = this.#room(end - at)
    this.#bytes.copyWithin(to, at, end)
    this.#bytes[to + DESTINATION_LENGTH_AT] = length
    for (let i = 0; i < address.length; i++) this.#bytes[to + DESTINATION_AT + i] = address[i]!
  }

  #addOther(operation: RouteOperation, route: Route, destination: Prefix | undefined): void {
    const message = encodeRoute(operation, route, this.#indexOf)
    const at = this.#room(message.length)
    this.#bytes.set(message, at)
    // The default route has no RTA_DST, whose place another could take.
    const isPattern = destination !== undefined && destination.length > 0
    const size = destination?.address.length ?? 0
    this.#last = isPattern ? { operation, route, size, at, end: at + message.length } : undefined
  }

  /** Where there is room for so many octets more. */
  #room(size: number): number {
    const at = this.#length
    this.#length += size
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(2 * this.#length)
      grown.set(this.#bytes.subarray(0, at))
      this.#bytes = grown
    }
    return at
  }
}

/** All but the destination is the same. */
function leadTheSameWay(a: Route, b: Route): boolean {
  return hasAllOf(a, b) && hasAllOf(b, a)
}

function hasAllOf(route: Route, other: Route): boolean {
  for (const name in other) {
    const key = name as keyof Route
    if (key !== 'destination' && route[key] !== other[key]) return false
  }
  return true
}
