/**
 * Which node has a destination: the longest prefix wins. One map for each prefix length, so a packet costs as many
 * probes as there are lengths (flannel's subnets have one), however many nodes there are; and none when it goes where
 * the last one went.
 */
import { parseIpv4 } from '../../address/ipv4.ts'
import { networkOf, parsePrefix } from '../../address/prefix.ts'

export interface UdpRoute {
  /** `10.5.72.0/24` */
  readonly subnet: string
  /** Address of the node that has it, in the network below. */
  readonly node: string
}

/** What the lookup answers for "nobody": 0.0.0.0 is no node. */
export const NOBODY = 0

/** A number whose bits are the address: in network order, as packets are compared. */
export function addressNumber(ip: Uint8Array): number {
  return (ip[0]! << 24) | (ip[1]! << 16) | (ip[2]! << 8) | ip[3]!
}

/** Of each route its network, mask and node: what costs no time to hand to a thread. */
export type EncodedRoutes = Int32Array

const NUMBERS = 3

/** RangeError for a route that is not IPv4. */
export function encodeRoutes(routes: readonly UdpRoute[]): EncodedRoutes {
  const numbers = new Int32Array(NUMBERS * routes.length)
  for (const [i, route] of routes.entries()) numbers.set(encodeRoute(route), NUMBERS * i)
  return numbers
}

/** Of a thousand routes all but one are those of the last time. */
const encoded = new WeakMap<UdpRoute, readonly number[]>()

function encodeRoute(route: UdpRoute): readonly number[] {
  const known = encoded.get(route)
  if (known) return known
  const { address, length } = networkOf(parsePrefix(route.subnet))
  if (address.length !== 4) throw new RangeError(`Cannot route "${route.subnet}": it is not IPv4`)
  const mask = length === 0 ? 0 : ~0 << (32 - length)
  const numbers = [addressNumber(address), mask, addressNumber(parseIpv4(route.node))]
  encoded.set(route, numbers)
  return numbers
}

export class RouteTable {
  /** By prefix length, the longest first; `nodes`: from network to node. */
  readonly #lengths: { readonly mask: number; readonly nodes: Map<number, number> }[] = []
  readonly #nodes = new Set<number>()
  #lastDestination = 0
  #lastNode = NOBODY
  #lastKnown = NOBODY

  /** RangeError for a route that is not IPv4. Of two routes to the same subnet the later counts. */
  constructor(routes: readonly UdpRoute[] | EncodedRoutes) {
    const numbers = routes instanceof Int32Array ? routes : encodeRoutes(routes)
    for (let at = 0; at < numbers.length; at += NUMBERS) {
      const mask = numbers[at + 1]!
      let row = this.#lengths.find((each) => each.mask === mask)
      if (!row) {
        row = { mask, nodes: new Map() }
        this.#lengths.push(row)
      }
      row.nodes.set(numbers[at]!, numbers[at + 2]!)
    }
    this.#lengths.sort((a, b) => (b.mask >>> 0) - (a.mask >>> 0))
    for (const { nodes } of this.#lengths) for (const node of nodes.values()) this.#nodes.add(node)
    this.#lastNode = this.#find(this.#lastDestination)
  }

  /** The node that has the destination, NOBODY when none has. */
  nodeOf(destination: number): number {
    if (destination !== this.#lastDestination) {
      this.#lastDestination = destination
      this.#lastNode = this.#find(destination)
    }
    return this.#lastNode
  }

  /** Whether this is the address of a node that a route leads to. */
  isNode(address: number): boolean {
    if (address === this.#lastKnown) return address !== NOBODY
    if (!this.#nodes.has(address)) return false
    this.#lastKnown = address
    return true
  }

  #find(destination: number): number {
    for (const { mask, nodes } of this.#lengths) {
      const node = nodes.get(destination & mask)
      if (node !== undefined) return node
    }
    return NOBODY
  }
}
